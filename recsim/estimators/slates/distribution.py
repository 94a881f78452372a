"""Distributions over ordered slates, enumerated: probabilities, marginals and second moments."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from recsim.arrays import Floats, Ints
from recsim.estimators.policies import UnknownProbabilities
from recsim.estimators.weights import running_product

MAX_SLATES = 100_000
"""Most ordered slates that are enumerated."""

_MAX_SPREAD = 500.0  # of scores: with a larger one probabilities underflow


@dataclass(frozen=True, eq=False)
class SlateDistribution:
    """A probability for each of S slates, in each of B contexts.

    Attributes:
        slates: The slates that can occur, candidate indices, ``(S, K)``; others never do.
        probabilities: Their probabilities, ``(B, S)``.
        num_candidates: Number of candidates, C.
    """

    slates: Ints
    probabilities: Floats
    num_candidates: int

    def marginals(self) -> Floats:
        """Return P(candidate c at position k), ``(B, K, C)``."""
        slots = self.slates.shape[1]
        flat = self.probabilities @ self._indicators()  # (B, S) @ (S, K C)
        return flat.reshape(-1, slots, self.num_candidates)

    def second_moments(self) -> Floats:
        """Return E[1_s 1_s'], ``(B, K C, K C)``, with 1_s the slot-major indicator of a slate.

        Entry (k C + c, l C + d) is P(c at k and d at l).
        """
        indicators = self._indicators()
        weighted = self.probabilities[:, :, None] * indicators  # (B, S, K C)
        moments: Floats = indicators.T @ weighted  # (K C, S) @ (B, S, K C)
        return moments

    def prefix_probabilities(self, slates: Ints) -> Floats:
        """Return P(the first k positions are those of the slate), ``(B, K)``.

        Args:
            slates: One slate per context, candidate indices, ``(B, K)``.
        """
        same = self.slates == slates[:, None]  # (B, S, K)
        begins = np.logical_and.accumulate(same, axis=2)
        prefixes: Floats = np.einsum("bs,bsk->bk", self.probabilities, begins)
        return prefixes

    def _indicators(self) -> Floats:
        return indicators(self.slates, self.num_candidates)


def indicators(slates: Ints, num_candidates: int) -> Floats:
    """Return 1_s of every slate, slot-major: ``(S, K)`` to ``(S, K C)``."""
    return np.eye(num_candidates)[slates].reshape(len(slates), -1)  # (S, K, C) -> (S, K C)


def all_slates(num_candidates: int, slate_size: int) -> Ints:
    """Return every ordered slate without repetition, candidate indices, ``(C! / (C-K)!, K)``.

    Raises:
        UnknownProbabilities: If there are more than `MAX_SLATES`.
    """
    count = math.perm(num_candidates, slate_size)
    if not 0 < count <= MAX_SLATES:
        raise UnknownProbabilities(
            f"{num_candidates} candidates make {count} ordered slates of {slate_size}; at least "
            f"one and at most {MAX_SLATES} can be enumerated."
        )
    flat = itertools.chain.from_iterable(itertools.permutations(range(num_candidates), slate_size))
    return np.fromiter(flat, np.int64, count * slate_size).reshape(count, slate_size)


def plackett_luce(scores: Floats, slate_size: int) -> SlateDistribution:
    """Return the Plackett-Luce distribution: softmax draws without replacement, all slates.

    P(a_1 ... a_K) = prod_k exp(s_{a_k}) / sum over c not in {a_1 ... a_k-1} of exp(s_c).

    Args:
        scores: One per candidate, ``(B, C)``.
        slate_size: K.

    Raises:
        EstimationError: If there are too many slates to enumerate.
    """
    size = scores.shape[1]
    slates = all_slates(size, slate_size)
    chance = _unnormalised(scores)  # (B, C)
    left = 1.0 - _shown_before(slates, size).reshape(-1, size)  # (S K, C)
    total = (chance @ left.T).reshape(len(scores), *slates.shape)  # (B, S, K), no cancellation
    return SlateDistribution(slates, (chance[:, slates] / total).prod(axis=2), size)


def plackett_luce_prefixes(scores: Floats, slates: Ints) -> Floats:
    """Return the Plackett-Luce probability of the first k items of each slate, ``(B, K)``.

    Slates are not enumerated, so the catalogue may be large.

    Args:
        scores: One per candidate, ``(B, C)``.
        slates: Candidate indices, ``(B, K)``; a slate that repeats a candidate has probability 0.
    """
    chance = _unnormalised(scores)
    before = _shown_before(slates, scores.shape[1])  # (B, K, C)
    total: Floats = np.einsum("bc,bkc->bk", chance, 1.0 - before)
    again = np.take_along_axis(before, slates[:, :, None], axis=2)[:, :, 0]
    step = np.take_along_axis(chance, slates, axis=1) * (1.0 - again)  # (B, K)
    step /= np.where(total > 0, total, 1.0)
    return running_product(step)


def draw_plackett_luce(rng: np.random.Generator, scores: Floats, slate_size: int) -> Ints:
    """Draw a slate for every row of ``scores`` (B, C), candidate indices ``(B, K)``.

    By the Gumbel trick: the K largest of the scores plus Gumbel noise, in order.
    """
    noisy = scores + rng.gumbel(size=scores.shape)
    return np.argsort(-noisy, axis=1, kind="stable")[:, :slate_size]


def _unnormalised(scores: Floats) -> Floats:
    """Return exp(s), scaled such that the largest of a row is 1."""
    below = scores - scores.max(axis=1, keepdims=True)
    if not (below >= -_MAX_SPREAD).all():
        raise ValueError(f"scores must be finite and spread by at most {_MAX_SPREAD:g} per row.")
    chance: Floats = np.exp(below).astype(np.float64)
    return chance


def _shown_before(slates: Ints, num_candidates: int) -> Floats:
    """Return 1 where candidate c is in the slate before position k, ``(S, K)`` to ``(S, K, C)``."""
    own = np.eye(num_candidates)[slates]
    before: Floats = np.minimum(np.cumsum(own, axis=1) - own, 1.0)
    return before
