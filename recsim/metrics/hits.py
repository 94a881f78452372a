"""Whether what is recommended is what users click later. Item id -1 is padding throughout."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from recsim.metrics.slate_hits import distinct_hits

Ints = NDArray[np.int64]


def hit_counts(recommended: Ints, clicks: Ints) -> Ints:
    """Return how many of the recommended items each user clicks, ``(U,)``.

    An item counts once, however often it is clicked.

    Args:
        recommended: Distinct items, ``(U, k)``.
        clicks: Items clicked later, ``(U, T)``.
    """
    counts: Ints = distinct_hits(recommended, clicks).sum(axis=1)
    return counts


def hit_rate(recommended: Ints, clicks: Ints) -> float:
    """Return the mean share of hits that were possible, over the users who click later.

    For a user who later clicks d distinct items, ``hits / min(k, d)``: 0 to 1, and every user
    weighs the same.

    Args:
        recommended: Distinct items, ``(U, k)``.
        clicks: Items clicked from the time of the recommendation on, ``(U, T)``.

    Returns:
        The rate; NaN if nobody clicks.
    """
    ordered = np.sort(clicks, axis=1)
    new = (ordered >= 0) & (np.diff(ordered, axis=1, prepend=-1) != 0)
    distinct = new.sum(axis=1)  # (U,)
    active = distinct > 0
    if not active.any():
        return math.nan
    possible = np.minimum(distinct[active], recommended.shape[1])
    return float((hit_counts(recommended[active], clicks[active]) / possible).mean())


def published_hit_rate(recommended: Ints, clicks: Ints, step: int) -> float:
    """Return the "hit-rate" of the code of Eide, Leslie and Frigessi (arXiv:2104.15046).

    A mean count of hits, not a rate: it is divided neither by k nor by the clicks, and can exceed
    1. The click of ``step`` itself, the first that the recommendation could meet, is left out.

    Args:
        recommended: Items recommended knowing the clicks before ``step``, ``(U, k)``.
        clicks: Item clicked at every step, ``(U, T)``.
        step: Step at which the recommendation is made.
    """
    return float(hit_counts(recommended, clicks[:, step + 1 :]).mean())
