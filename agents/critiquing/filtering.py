"""The hard filter: items with a critiqued aspect come last.

Shapes: B sessions, I items, K aspects.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import AnyFloats, Bools, Floats, Ints


def ruled_out(critiqued: NDArray[np.number[Any]], item_aspects: Bools) -> Bools:
    """Return which items have a critiqued aspect, ``(B, I)``.

    Args:
        critiqued: -1 for negative critiques, 1 for positive ones, else 0, ``(B, K)``.
        item_aspects: Aspects that train reviews of each item mention, ``(I, K)``.
    """
    # A product of floats, because BLAS has no other.
    violations = (critiqued < 0).astype(np.float32) @ item_aspects.T.astype(np.float32)
    out: Bools = violations > 0
    return out


def filtered(scores: AnyFloats, critiqued: NDArray[np.number[Any]], item_aspects: Bools) -> Floats:
    """Lower the scores of items that are ruled out below all others.

    These items keep their order among themselves, so the filter has no effect if no other item may
    be shown. A target is never ruled out by a user who only critiques aspects that the target lacks
    according to its train reviews, but it can be by a user who makes mistakes.

    Args:
        scores: Finite, ``(B, I)``.
        critiqued: -1 for negative critiques, 1 for positive ones, else 0, ``(B, K)``.
        item_aspects: Aspects that train reviews of each item mention, ``(I, K)``.

    Returns:
        ``(B, I)``, finite.
    """
    exact = scores.astype(np.float64)
    span = np.ptp(exact, axis=1, keepdims=True)  # (B, 1)
    drop = np.where(span > 0, 2 * span, 1.0)
    lowered: Floats = exact - drop * ruled_out(critiqued, item_aspects)
    return lowered


def best_allowed(scores: AnyFloats, action_mask: NDArray[np.number[Any]]) -> Ints:
    """Return the item to show: the allowed item with the highest score; ties go to the lower id.

    Args:
        scores: ``(B, I)``.
        action_mask: Above 0 if an item may be shown, ``(B, I)``; at least one per session.

    Returns:
        ``(B,)``.
    """
    best: Ints = np.where(action_mask > 0, scores, -np.inf).argmax(axis=1)
    return best
