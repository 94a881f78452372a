"""Distance between the items of a slate."""

from __future__ import annotations

import math

import numpy as np

from recsim.arrays import AnyFloats, Ints


def pairwise_distance(items: Ints, vectors: AnyFloats) -> float:
    """Return the mean Euclidean distance between two items of a slate.

    Args:
        items: Slates, ``(..., K)``; -1 is padding.
        vectors: Vector of each item, ``(I, D)``.

    Returns:
        The mean over slates of the mean over pairs; slates with fewer than two items are left out.
        NaN if no slate is left.
    """
    slates = np.asarray(items).reshape(-1, np.asarray(items).shape[-1])  # (..., K) -> (M, K)
    shown = slates >= 0
    points = np.asarray(vectors)[slates]  # (M, K, D); padding is masked below
    first, second = np.triu_indices(slates.shape[1], k=1)
    gaps = np.linalg.norm(points[:, first] - points[:, second], axis=2)  # (M, pairs)
    pairs = shown[:, first] & shown[:, second]
    count = pairs.sum(axis=1)
    total = np.where(pairs, gaps, 0.0).sum(axis=1)
    return float((total[count > 0] / count[count > 0]).mean()) if count.any() else math.nan
