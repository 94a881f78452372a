"""Hits: recommended items that users click later. Item id -1 is padding throughout."""

from __future__ import annotations

import math

import numpy as np

from recsim.arrays import Ints
from recsim.metrics.slate_hits import distinct_hits


def hit_counts(recommended: Ints, clicks: Ints) -> Ints:
    """Return the number of recommended items that each user clicks later, ``(U,)``.

    An item counts once, however often it is clicked.

    Args:
        recommended: Distinct items, ``(U, k)``.
        clicks: Items clicked later, ``(U, T)``.
    """
    counts: Ints = distinct_hits(recommended, clicks).sum(axis=1)
    return counts


def hit_rate(recommended: Ints, clicks: Ints) -> float:
    """Return the mean share of possible hits, over the users who click later.

    For a user who later clicks d distinct items it is ``hits / min(k, d)``, from 0 to 1; all users
    have the same weight.

    Args:
        recommended: Distinct items, ``(U, k)``.
        clicks: Items clicked from the time of the recommendation on, ``(U, T)``.

    Returns:
        The rate; NaN if no user clicks.
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

    It is a mean number of hits, not a rate: it is divided neither by k nor by the number of clicks,
    and can exceed 1. The click at ``step`` itself, the first that could be a hit, is left out.

    Args:
        recommended: Items recommended given the clicks before ``step``, ``(U, k)``.
        clicks: Item clicked at every step, ``(U, T)``.
        step: Step at which the recommendation is made.
    """
    return float(hit_counts(recommended, clicks[:, step + 1 :]).mean())
