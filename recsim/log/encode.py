"""Turning names into numbers: ids into indices, categories into one-hot columns, ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def distinct(values: NDArray[Any]) -> list[Any]:
    """Return the distinct values in a fixed order: as numbers if all are whole, else as text."""
    found = set(values.tolist())
    try:
        return sorted(found, key=lambda value: (int(value), str(value)))
    except ValueError:
        return sorted(found, key=str)


def first_seen(values: NDArray[Any]) -> list[Any]:
    """Return the distinct values in the order in which they first occur."""
    return list(dict.fromkeys(values.tolist()))


def codes(values: NDArray[Any], known: Sequence[Any]) -> NDArray[np.int64]:
    """Return the place of every value in ``known``, -1 where it is not there.

    Args:
        values: ``(N,)``.
        known: Distinct values.
    """
    place = {value: number for number, value in enumerate(known)}
    return np.array([place.get(value, -1) for value in values.tolist()], dtype=np.int64)


def rank_within(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many earlier entries are of the same group, for every entry, ``(N,)``."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.searchsorted(ordered, ordered)
    rank = np.empty(len(groups), dtype=np.int64)
    rank[order] = np.arange(len(groups)) - starts
    return rank


def one_hot(values: NDArray[Any], known: Sequence[Any]) -> NDArray[np.float32]:
    """Return one column per known value, ``(N, len(known))``; all zero where it is unknown."""
    place = codes(values, known)
    columns = np.zeros((len(values), len(known)), dtype=np.float32)
    rows = np.flatnonzero(place >= 0)
    columns[rows, place[rows]] = 1.0
    return columns


def stack(parts: Sequence[NDArray[Any]], rows: int) -> NDArray[np.float32]:
    """Put columns ``(N,)`` and blocks ``(N, D)`` side by side, ``(N, F)`` float32."""
    blocks = [(part[:, None] if part.ndim == 1 else part).astype(np.float32) for part in parts]
    return np.concatenate([np.zeros((rows, 0), dtype=np.float32), *blocks], axis=1)
