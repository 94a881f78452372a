"""Small functions on batches of slates, shared by the agents."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.errors import AgentError
from recsim.problem import Problem


def check_sizes(problem: Problem) -> None:
    """Refuse a problem whose slates cannot be filled with distinct candidates.

    Raises:
        AgentError: ``slate_size`` exceeds ``num_candidates``.
    """
    if problem.slate_size > problem.num_candidates:
        raise AgentError(
            f"a slate of {problem.slate_size} distinct items needs at least as many candidates; "
            f"there are {problem.num_candidates}."
        )


def uniform_slates(
    rng: np.random.Generator, batch: int, num_candidates: int, slate_size: int
) -> NDArray[np.int64]:
    """Draw ordered slates of distinct candidates, all equally likely, ``(batch, slate_size)``.

    Independent draws without a repeat are uniform over distinct slates, so only the rows with a
    repeat pay for a full permutation.
    """
    slates = rng.integers(num_candidates, size=(batch, slate_size))
    ordered = np.sort(slates, axis=1)
    repeated = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    keys = rng.random((np.count_nonzero(repeated), num_candidates))
    slates[repeated] = np.argsort(keys, axis=1)[:, :slate_size]
    return slates


def uniform_slate_propensity(num_candidates: int, slate_size: int) -> float:
    """Probability (C-K)!/C! of each ordered slate of K distinct items out of C."""
    return 1 / math.perm(num_candidates, slate_size)


def uniform_prefixes(num_candidates: int, slate_size: int) -> NDArray[np.float64]:
    """Probability (C-k)!/C! of the first k items of a uniform slate, for k = 1 ... K, ``(K,)``."""
    step = 1 / (num_candidates - np.arange(slate_size))
    return np.asarray(np.cumprod(step), dtype=np.float64)


def top_slates(scores: NDArray[np.floating[Any]], slate_size: int) -> NDArray[np.int64]:
    """Indices of the best scores, best first; of equals the lower index comes first.

    Args:
        scores: ``(B, C)``.
        slate_size: K.

    Returns:
        ``(B, K)``.
    """
    if slate_size == scores.shape[1]:
        return np.argsort(-scores, axis=1, kind="stable")
    # Partial sort first: a full sort of every row is what makes large candidate sets slow.
    bound = -np.partition(-scores, slate_size - 1, axis=1)[:, slate_size - 1 : slate_size]
    # Everything above the K-th best score is in; ties with it fill up from the left.
    above = scores > bound
    level = scores == bound
    room = slate_size - above.sum(axis=1, keepdims=True)
    chosen = above | (level & (np.cumsum(level, axis=1) <= room))
    # Exactly K true per row, so the row-major indices reshape.
    index = np.nonzero(chosen)[1].reshape(-1, slate_size)  # (B, K)
    order = np.argsort(-np.take_along_axis(scores, index, axis=1), axis=1, kind="stable")
    return np.take_along_axis(index, order, axis=1)


def matches(own: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.float64]:
    """Propensities of a deterministic policy: 1 where it shows the item at this position.

    Args:
        own: Item ids that the policy shows, ``(B, K)``.
        items: Item ids asked about, ``(B, K)``; -1 is padding and always has propensity 1.
    """
    return np.where((own == items) | (items < 0), 1.0, 0.0)


def one_hot(own: NDArray[np.int64], num_candidates: int) -> NDArray[np.float64]:
    """Probability of every candidate at every position under a deterministic policy.

    Args:
        own: Indices of the candidates that the policy shows, ``(B, K)``.
        num_candidates: C.

    Returns:
        ``(B, K, C)``.
    """
    table = np.zeros((*own.shape, num_candidates))
    np.put_along_axis(table, own[:, :, None], 1.0, axis=2)
    return table


def offered(candidates: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each of ``items`` (B, K) is among its row's ``candidates`` (B, C)."""
    found: NDArray[np.bool_] = (items[:, :, None] == candidates[:, None, :]).any(axis=2)
    return found  # (B, K, C) -> (B, K)


def places(candidates: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index of each of ``items`` (B, K) in its row's ``candidates`` (B, C), -1 where it is not."""
    # Where the whole catalogue is offered, an item stands at its own number: no need to search.
    guess = np.clip(items, 0, candidates.shape[1] - 1)
    found = np.where(np.take_along_axis(candidates, guess, axis=1) == items, guess, -1)
    (rows,) = np.nonzero(((found < 0) & (items >= 0)).any(axis=1))
    same = items[rows, :, None] == candidates[rows, None, :]  # (n, K, C)
    found[rows] = np.where(same.any(axis=2), same.argmax(axis=2), -1)
    return np.where(items >= 0, found, -1)
