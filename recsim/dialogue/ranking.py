"""Slates of the best items that may still be shown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


def unshown(shown: Ints, num_items: int) -> Bools:
    """Return which items were not shown yet, ``(B, I)``.

    Args:
        shown: Item ids shown, padded with -1, ``(B, S)``.
        num_items: I.
    """
    free = np.ones((len(shown), num_items), dtype=np.bool_)
    row, place = np.nonzero(shown >= 0)
    free[row, shown[row, place]] = False
    return free


def first_allowed(order: Ints, allowed: Bools, size: int) -> Ints:
    """Return the first items of a ranking, the same for all, that each dialogue may show.

    Args:
        order: All items, best first, ``(I,)``.
        allowed: Which items may be shown, ``(B, I)``.
        size: K.

    Returns:
        Slates ``(B, K)``, padded with -1 where fewer items are allowed.
    """
    slates = np.full((len(allowed), size), -1)
    short, width = np.arange(len(allowed)), 8 * size
    # The first few of the ranking are enough for most, as long as few items were ruled out.
    while short.size:
        ordered = allowed[short[:, None], order[:width]]  # (n, width)
        place = np.cumsum(ordered, axis=1, dtype=np.int32)
        row, column = np.nonzero(ordered & (place <= size))
        slates[short[row], place[row, column] - 1] = order[column]
        if width >= len(order):
            break
        short, width = short[place[:, -1] < size], 8 * width
    return slates


def best_allowed(scores: NDArray[np.floating], allowed: Bools, size: int) -> Ints:
    """Return the allowed items with the highest scores of each dialogue.

    Ties go to the item with the lower number.

    Args:
        scores: ``(B, I)``.
        allowed: Which items may be shown, ``(B, I)``.
        size: K.

    Returns:
        Slates ``(B, K)``, best first, padded with -1 where fewer items are allowed.
    """
    key = np.where(allowed, scores, -np.inf)
    if size < key.shape[1]:
        best = np.argpartition(-key, size - 1, axis=1)[:, :size]
        least = np.take_along_axis(key, best, axis=1).min(axis=1)  # (B,)
        # Of several items with the lowest score of the slate, the partition takes any.
        tied = np.flatnonzero((key >= least[:, None]).sum(axis=1) > size)
        if tied.size:
            best[tied] = np.argsort(-key[tied], axis=1, kind="stable")[:, :size]
        best = np.sort(best, axis=1)
    else:
        best = np.broadcast_to(np.arange(key.shape[1]), key.shape)
    values = np.take_along_axis(key, best, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    slates = np.where(np.isneginf(values), -1, best)
    found = np.full((len(key), size), -1)
    found[:, : order.shape[1]] = np.take_along_axis(slates, order, axis=1)
    return found
