"""Functions on batches of slates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Bools, Floats, Ints
from recsim.draws import Draws, Purpose
from recsim.errors import AgentError
from recsim.problem import Problem

SLATE, PERMUTATION = Purpose("slate"), Purpose("permutation")


def check_sizes(problem: Problem) -> None:
    """Check that slates can be filled with distinct candidates.

    Raises:
        AgentError: If ``slate_size`` exceeds ``num_candidates``.
    """
    if problem.slate_size > problem.num_candidates:
        raise AgentError(
            f"a slate of {problem.slate_size} distinct items needs at least as many candidates; "
            f"there are {problem.num_candidates}."
        )


def uniform_slates(draws: Draws, num_candidates: int, slate_size: int) -> Ints:
    """Draw ordered slates of distinct candidates, all equally likely, ``(B, slate_size)``.

    Independent draws without repetition are uniform over distinct slates, so only the rows with a
    repeated item need a full permutation.
    """
    slates: Ints = draws.integers(SLATE, slate_size, num_candidates)
    ordered = np.sort(slates, axis=1)
    repeated = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
    if repeated.size:
        keys = draws.take(repeated).uniform(PERMUTATION, num_candidates)
        slates[repeated] = np.argsort(keys, axis=1)[:, :slate_size]
    return slates


def uniform_slate_propensity(num_candidates: int, slate_size: int) -> float:
    """Return the probability (C-K)!/C! of each ordered slate of K distinct items out of C."""
    return 1 / math.perm(num_candidates, slate_size)


def uniform_prefixes(num_candidates: int, slate_size: int) -> Floats:
    """Return the probabilities (C-k)!/C! of the first k = 1 ... K items of a uniform slate."""
    step = 1 / (num_candidates - np.arange(slate_size))
    return np.asarray(np.cumprod(step), dtype=np.float64)


def top_slates(scores: NDArray[np.floating[Any]], slate_size: int) -> Ints:
    """Return the indices of the best scores, best first, with ties in order of the index.

    Args:
        scores: ``(B, C)``.
        slate_size: K.

    Returns:
        ``(B, K)``.
    """
    if slate_size == scores.shape[1]:
        return np.argsort(-scores, axis=1, kind="stable")
    # A partial sort, because a full sort of every row is slow for large candidate sets.
    bound = -np.partition(-scores, slate_size - 1, axis=1)[:, slate_size - 1 : slate_size]
    # All scores above the K-th best are chosen; ties with it fill the rest from the left.
    above = scores > bound
    level = scores == bound
    room = slate_size - above.sum(axis=1, keepdims=True)
    chosen = above | (level & (np.cumsum(level, axis=1) <= room))
    # Exactly K true per row, so the row-major indices reshape.
    index = np.nonzero(chosen)[1].reshape(-1, slate_size)  # (B, K)
    order = np.argsort(-np.take_along_axis(scores, index, axis=1), axis=1, kind="stable")
    return np.take_along_axis(index, order, axis=1)


def top_slates_by(scores: NDArray[np.floating[Any]], ties: Ints, slate_size: int) -> Ints:
    """Return the indices of the best scores, best first, with ties in order of another key.

    Args:
        scores: ``(B, C)``.
        ties: Key of each candidate, ``(B, C)``, different within a row; the lowest comes first.
        slate_size: K.

    Returns:
        ``(B, K)``.
    """
    # Often all users have the same candidates.
    same = len(ties) > 0 and bool((ties == ties[:1]).all())
    order = np.argsort(ties[:1] if same else ties, axis=1)
    order = np.broadcast_to(order, scores.shape)
    best = top_slates(np.take_along_axis(scores, order, axis=1), slate_size)
    return np.take_along_axis(order, best, axis=1)


def matches(own: Ints, items: Ints) -> Floats:
    """Return the propensities of a deterministic policy: 1 if it shows the item at this position.

    Args:
        own: Item ids that the policy shows, ``(B, K)``.
        items: Item ids, ``(B, K)``; -1 is padding and always has propensity 1.
    """
    return np.where((own == items) | (items < 0), 1.0, 0.0)


def one_hot(own: Ints, num_candidates: int) -> Floats:
    """Return the probability of every candidate at every position under a deterministic policy.

    Args:
        own: Indices of the candidates that the policy shows, ``(B, K)``.
        num_candidates: C.

    Returns:
        ``(B, K, C)``.
    """
    table = np.zeros((*own.shape, num_candidates))
    np.put_along_axis(table, own[:, :, None], 1.0, axis=2)
    return table


def offered(candidates: Ints, items: Ints) -> Bools:
    """Return whether each of ``items`` (B, K) is among its row's ``candidates`` (B, C)."""
    among: Bools = (items[:, :, None] == candidates[:, None, :]).any(axis=2)
    return among  # (B, K, C) -> (B, K)


def places(candidates: Ints, items: Ints) -> Ints:
    """Return the index of each item (B, K) among its row's ``candidates`` (B, C), or -1."""
    # If the candidates are the whole catalogue, an item's index is its id: no need to search.
    guess = np.clip(items, 0, candidates.shape[1] - 1)
    index = np.where(np.take_along_axis(candidates, guess, axis=1) == items, guess, -1)
    (rows,) = np.nonzero(((index < 0) & (items >= 0)).any(axis=1))
    same = items[rows, :, None] == candidates[rows, None, :]  # (n, K, C)
    index[rows] = np.where(same.any(axis=2), same.argmax(axis=2), -1)
    return np.where(items >= 0, index, -1)
