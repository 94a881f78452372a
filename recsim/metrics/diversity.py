"""Coverage of the catalogue and variety of slates. Item id -1 is padding throughout."""

from __future__ import annotations

import math

import numpy as np

from recsim.arrays import Ints


def exposure(items: Ints, num_items: int) -> Ints:
    """Return how often each item was shown, ``(num_items,)``.

    Args:
        items: Item ids of any shape; -1 is padding.
        num_items: Size of the catalogue.

    Raises:
        ValueError: If an id lies outside the catalogue.
    """
    shown = np.asarray(items).ravel()
    shown = shown[shown != -1]
    if shown.size and (shown.min() < 0 or shown.max() >= num_items):
        raise ValueError(
            f"item ids must be -1 or lie in 0 ... {num_items - 1}, "
            f"got {shown.min()} ... {shown.max()}"
        )
    return np.bincount(shown, minlength=num_items)


def coverage(items: Ints, num_items: int) -> float:
    """Return the share of the catalogue that was shown at least once, from 0 to 1.

    Args:
        items: Item ids of any shape; -1 is padding.
        num_items: Size of the catalogue.
    """
    return float((exposure(items, num_items) > 0).mean())


def gini(items: Ints, num_items: int) -> float:
    """Return the Gini coefficient of exposure over the whole catalogue.

    It is 0 if every item was shown equally often, and ``1 - 1/num_items`` if only one was shown.
    Items that were never shown count as zeros. With the counts in ascending order ``x_1 ... x_n``::

        G = sum_i (2 i - n - 1) x_i / (n sum_i x_i)

    Args:
        items: Item ids of any shape; -1 is padding.
        num_items: Size of the catalogue.

    Returns:
        The coefficient; NaN if nothing was shown.
    """
    counts = np.sort(exposure(items, num_items))
    total = counts.sum()
    if total == 0:
        return math.nan
    ranks = np.arange(1, num_items + 1)
    return float(((2 * ranks - num_items - 1) * counts).sum() / (num_items * total))


def distinct_groups(items: Ints, groups: Ints) -> float:
    """Return the mean number of different groups in a slate.

    Args:
        items: Slates, ``(..., K)``; -1 is padding. Empty slates are left out.
        groups: Group of each item, ``(I,)``, numbered from 0.

    Returns:
        The mean over non-empty slates; NaN if there are none.
    """
    slates = np.asarray(items).reshape(-1, np.asarray(items).shape[-1])  # (..., K) -> (M, K)
    # Index -1 would read the last group, so padding is masked after the gather.
    shown = np.sort(np.where(slates == -1, -1, np.asarray(groups)[slates]), axis=1)
    new = (shown != -1) & np.diff(shown, axis=1, prepend=-1).astype(bool)  # (M, K)
    per_slate = new.sum(axis=1)
    per_slate = per_slate[per_slate > 0]
    return float(per_slate.mean()) if per_slate.size else math.nan
