"""How far apart the items of a slate are."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def pairwise_distance(items: NDArray[np.int64], vectors: NDArray[np.floating]) -> float:
    """Return the mean Euclidean distance of two items of a slate.

    Args:
        items: Slates, ``(..., K)``, -1 where nothing was shown.
        vectors: Vector of each item, ``(I, D)``.

    Returns:
        The mean over slates of their mean over pairs; slates of fewer than two items do not count.
        NaN if there are no others.
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
