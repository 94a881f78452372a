r"""Metrics of one target item in a ranking of all items.

With C the items that are ranked and s their scores, ties in score get the middle of their ranks,

.. math:: \mathrm{rank} = 1 + \#\{j \in C: s_j > s_y\} + \#\{j \in C, j \ne y: s_j = s_y\} / 2,

because models that count tie often, and an order by id would favour low ids. The metrics of a rank:

================================  ============================================
`hits_of_rank`                    1 if rank <= k, else 0
`ndcg_of_rank`                    ``1 / log2(rank + 1)`` if rank <= k, else 0
`reciprocal_rank`                 ``1 / rank``
================================  ============================================

All items are ranked: metrics among sampled items are higher and order models differently (Krichene
and Rendle, "On Sampled Metrics for Item Recommendation", KDD 2020).
"""

from __future__ import annotations

import numpy as np

from recsim.arrays import AnyFloats, Bools, Floats, Ints


def mid_ranks(scores: AnyFloats, target: Ints, excluded: Bools) -> Floats:
    """Return the rank of each target item, ``(B,)``, from 1; ties get the middle of their ranks.

    Args:
        scores: ``(B, I)``.
        target: Target item of each row, ``(B,)``.
        excluded: Items that are not ranked, ``(B, I)``; the target always is.

    Raises:
        ValueError: If a score is NaN.
    """
    if np.isnan(scores).any():
        raise ValueError("a score is NaN: it cannot be ranked")
    own = np.take_along_axis(scores, target[:, None], axis=1)  # (B, 1)
    ranked = ~excluded
    np.put_along_axis(ranked, target[:, None], False, axis=1)  # competitors of the target
    above = ((scores > own) & ranked).sum(axis=1)
    level = ((scores == own) & ranked).sum(axis=1)
    ranks: Floats = 1 + above + level / 2
    return ranks


def slate_ranks(slates: Ints, target: Ints, excluded: Bools) -> Floats:
    """Return the rank of each target item in a slate, ``(B,)``; infinite if it is not there.

    Args:
        slates: Items, best first, ``(B, K)``; -1 is padding.
        target: Target item of each row, ``(B,)``.
        excluded: Items that take no rank, ``(B, I)``; the target always does.
    """
    hit = slates == target[:, None]
    ranked = (slates >= 0) & ~np.take_along_axis(excluded, np.maximum(slates, 0), axis=1)
    place = np.cumsum(ranked | hit, axis=1)
    first = hit.argmax(axis=1)
    rank = np.take_along_axis(place, first[:, None], axis=1)[:, 0]
    return np.where(hit.any(axis=1), rank, np.inf)


def hits_of_rank(rank: Floats, k: int) -> Floats:
    """Return 1 where the rank is at most k, else 0, ``(B,)``."""
    return (rank <= k).astype(np.float64)


def ndcg_of_rank(rank: Floats, k: int) -> Floats:
    """Return the normalised discounted cumulative gain of one target item, ``(B,)``."""
    return np.where(rank <= k, 1 / np.log2(rank + 1), 0.0)


def reciprocal_rank(rank: Floats) -> Floats:
    """Return 1 / rank, ``(B,)``."""
    return 1 / rank
