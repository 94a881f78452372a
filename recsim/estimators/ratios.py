"""Importance ratios of sequences of items, and estimates that are sums of ratios of sums."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.errors import UserError
from recsim.estimators.impressions.sample import Floats

# Probabilities that were added up may exceed 1 by rounding.
_SLACK = 1e-9


def probability_ratio(
    evaluated: Any,
    logged: Any,
    *,
    shown: NDArray[np.bool_] | None = None,
    name: str = "propensity",
    first_row: int = 0,
) -> Floats:
    """Return pi / mu of what was logged.

    Args:
        evaluated: Probability of what was logged under the evaluated policy, ``(N,)`` or
            ``(N, K)``, in [0, 1].
        logged: Its probability under the logging policy, same shape, in (0, 1].
        shown: False where nothing was shown, same shape; the ratio is 1 there, whatever the
            probabilities say.
        name: What the probability is, for messages.
        first_row: Number of the first row, for messages.

    Returns:
        The ratios, in the shape given.

    Raises:
        UserError: If a logged probability is zero, missing or above one, or an evaluated one is
            none. The message names the row.
    """
    pi, mu = np.asarray(evaluated, dtype=np.float64), np.asarray(logged, dtype=np.float64)
    if pi.shape != mu.shape or mu.ndim not in (1, 2):
        raise ValueError(f"{name}: shapes {pi.shape} and {mu.shape}; both must be (N,) or (N, K).")
    if (shown is None or shown.all()) and _sound(pi, mu):
        plain: Floats = pi / mu
        return plain
    there = np.ones(mu.shape, dtype=np.bool_) if shown is None else shown
    for who, values, enough, bounds in (
        ("logged", mu, mu > 0, "(0, 1]"),
        ("evaluated", pi, pi >= 0, "[0, 1]"),
    ):
        wrong = ~(enough & (values <= 1 + _SLACK)) & there  # NaN is never enough
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            where = f"row {place[0] + first_row}" + "".join(f", position {k}" for k in place[1:])
            raise UserError(f"{where}: the {who} {name} {values[place]} is not in {bounds}.")
    return np.divide(pi, mu, out=np.ones(mu.shape), where=there)


def _sound(pi: Floats, mu: Floats) -> bool:
    """Return whether all are probabilities, and the logged ones above zero; no NaN is."""
    above_zero = pi.min(initial=1) >= 0 and mu.min(initial=1) > 0  # the least is NaN if any is
    return bool(above_zero and max(pi.max(initial=0), mu.max(initial=0)) <= 1 + _SLACK)


def sum_of_ratios(sums: Floats) -> Floats:
    """Return the sum over j of numerator j / denominator j.

    A mean is one such ratio, whose denominator counts.

    Args:
        sums: The m denominators, then the m numerators, ``(..., 2 m)``; real or complex.

    Returns:
        ``(...)``; NaN where a denominator is zero.
    """
    half = sums.shape[-1] // 2
    below, above = sums[..., :half], sums[..., half:]
    with np.errstate(divide="ignore", invalid="ignore"):
        total: Floats = np.where(below == 0, np.nan, above / below).sum(axis=-1)
    return total
