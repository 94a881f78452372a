"""Draws from beta distributions that are functions of (seed, user, step, purpose)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Floats, Ints
from recsim.draws import Draws, Purpose

_FIRST, _SECOND = Purpose("first gamma of a beta"), Purpose("second gamma of a beta")
_PROPOSAL, _ACCEPTANCE = Purpose("proposal"), Purpose("acceptance")


def beta(draws: Draws, first: Floats, second: Floats) -> Floats:
    """Draw from beta distributions, ``(B, C)``, as the share of the first of two gamma numbers.

    Args:
        draws: Random numbers of B users.
        first: First parameters, at least 1, ``(B, C)``.
        second: Second parameters, likewise.
    """
    one, other = (
        _gamma(draws.bits(purpose, shape.shape[1]).ravel(), shape.ravel()).reshape(shape.shape)
        for purpose, shape in ((_FIRST, first), (_SECOND, second))
    )
    return one / (one + other)


def _gamma(keys: NDArray[np.uint64], shape: Floats) -> Floats:
    """Draw from gamma distributions, ``(N,)``, by the method of Marsaglia and Tsang (2000).

    Args:
        keys: A key for each number, ``(N,)``: attempt t of each uses its own step t.
        shape: Parameters, at least 1, ``(N,)``.
    """
    drawn = np.empty(len(shape))
    left: Ints = np.arange(len(shape))
    attempts = Draws(keys, double=True)
    while left.size:  # more than 95 of 100 attempts succeed
        d = shape[left] - 1 / 3
        x = attempts.normal(_PROPOSAL, 1)[:, 0]
        v = np.maximum(1 + x / np.sqrt(9 * d), 0) ** 3
        with np.errstate(divide="ignore"):  # where v is 0 the attempt fails
            bound = 0.5 * x**2 + d * (1 - v + np.log(v))
        good = np.log(attempts.uniform(_ACCEPTANCE, 1)[:, 0]) < bound
        drawn[left[good]] = (d * v)[good]
        again = np.flatnonzero(~good)
        left, attempts = left[again], attempts.take(again)
        attempts.advance()
    return drawn
