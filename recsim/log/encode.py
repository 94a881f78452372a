"""Turning names into numbers: ids into indices, categories into one-hot columns, ranks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Floats32, Ints
from recsim.problem import Names

_WHOLE = re.compile(r"0|-?[1-9][0-9]*")


def distinct(values: NDArray[Any]) -> list[Any]:
    """Return the distinct values, sorted as numbers if all are whole, else as text."""
    known = first_seen(values)
    try:
        return sorted(known, key=lambda value: (int(value), str(value)))
    except ValueError:
        return sorted(known, key=str)


def first_seen(values: NDArray[Any]) -> list[Any]:
    """Return the distinct values in the order of their first occurrence."""
    import pandas as pd

    known: list[Any] = pd.unique(values).tolist()
    return known


def codes(values: NDArray[Any], known: Sequence[Any] | NDArray[Any]) -> Ints:
    """Return the index of every value in ``known``, -1 if it is not there, ``(N,)``.

    Args:
        values: ``(N,)``.
        known: Distinct values.
    """
    import pandas as pd

    index = pd.Index(np.asarray(known, dtype=values.dtype), dtype=values.dtype)
    places: Ints = index.get_indexer(pd.Index(values, dtype=values.dtype))
    return places.astype(np.int64)


def numbered(values: NDArray[Any]) -> tuple[Ints, list[Any]]:
    """Return the index of every value in `distinct` of the values, ``(N,)``, and those."""
    import pandas as pd

    found, first = pd.factorize(values)  # numbered by first occurrence
    known = distinct(first)
    return codes(first, known)[found], known


def names(ids: Sequence[str], of: str, *, whole: bool) -> Names:
    """Return ids of a file as names.

    Args:
        ids: Distinct ids as text, as they stand in the file.
        of: What they name, ``item`` or ``user``.
        whole: Whether to return whole numbers if all ids are such, as Python prints them: 7 is one,
            007, +7 and 7.0 are not.
    """
    if whole and ids and all(map(_WHOLE.fullmatch, ids)):
        numbers = [int(text) for text in ids]
        if min(numbers) >= -(2**63) and max(numbers) < 2**63:
            return Names(numbers, of)
    return Names(ids, of)


def typed(ids: NDArray[Any]) -> NDArray[Any]:
    """Return ids of a text file, as whole numbers if all are such and else as text, ``(N,)``."""
    number, known = numbered(ids)
    values: NDArray[Any] = names(known, "id", whole=True).values[number]
    return values


def rank_within(groups: Ints) -> Ints:
    """Return how many earlier entries are in the same group, for every entry, ``(N,)``."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.searchsorted(ordered, ordered)
    rank = np.empty(len(groups), dtype=np.int64)
    rank[order] = np.arange(len(groups)) - starts
    return rank


def one_hot(values: NDArray[Any], known: Sequence[Any]) -> Floats32:
    """Return one column per known value, ``(N, len(known))``; zeros for an unknown value."""
    return _ones(np.arange(len(values)), codes(values, known), (len(values), len(known)))


def multi_hot(lists: Sequence[Sequence[Any]], known: Sequence[Any]) -> Floats32:
    """Return one column per known value, 1 for each value of a list, ``(N, len(known))``.

    Args:
        lists: N lists of values.
        known: Distinct values.
    """
    row = np.repeat(np.arange(len(lists)), [len(values) for values in lists])
    flat = np.array([value for values in lists for value in values], dtype=object)
    return _ones(row, codes(flat, known), (len(lists), len(known)))


def first_codes(lists: Sequence[Sequence[Any]], known: Sequence[Any]) -> Ints:
    """Return the index in ``known`` of the first value of each list, ``(N,)``.

    An empty list gives ``len(known)``.
    """
    index = {value: number for number, value in enumerate(known)}
    first = [index[values[0]] if values else len(known) for values in lists]
    return np.array(first, dtype=np.int64)


def _ones(row: Ints, column: Ints, shape: tuple[int, int]) -> Floats32:
    """Return a matrix of zeros with 1 at the given places; a column of -1 is skipped."""
    matrix = np.zeros(shape, dtype=np.float32)
    matrix[row[column >= 0], column[column >= 0]] = 1.0
    return matrix


def stack(parts: Sequence[NDArray[Any]], rows: int) -> Floats32:
    """Put columns ``(N,)`` and blocks ``(N, D)`` side by side, ``(N, F)`` float32."""
    blocks = [(part[:, None] if part.ndim == 1 else part).astype(np.float32) for part in parts]
    return np.concatenate([np.zeros((rows, 0), dtype=np.float32), *blocks], axis=1)
