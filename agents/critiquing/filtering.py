"""The hard filter: whoever criticises an aspect is shown no item that has it.

Shapes: B sessions, I items, K aspects.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def ruled_out(
    critiqued: NDArray[np.number[Any]], item_aspects: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return which items have an aspect that was criticised.

    Args:
        critiqued: -1 criticised, 1 praised, 0 neither, ``(B, K)``.
        item_aspects: What train reviews of an item mention, ``(I, K)``.

    Returns:
        ``(B, I)``.
    """
    # A product of floats: BLAS knows no other.
    offences = (critiqued < 0).astype(np.float32) @ item_aspects.T.astype(np.float32)
    out: NDArray[np.bool_] = offences > 0
    return out


def filtered(
    scores: NDArray[np.floating[Any]],
    critiqued: NDArray[np.number[Any]],
    item_aspects: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Lower the scores of items that are ruled out below all others.

    Among themselves they keep their order, so where no other item may be shown, it is as if there
    were no filter. A target whose aspects are those of its train reviews is never ruled out by
    somebody who criticises only what the target lacks; it may be by somebody who errs.

    Args:
        scores: Finite, ``(B, I)``.
        critiqued: -1 criticised, 1 praised, 0 neither, ``(B, K)``.
        item_aspects: What train reviews of an item mention, ``(I, K)``.

    Returns:
        ``(B, I)``, finite.
    """
    exact = scores.astype(np.float64)
    span = np.ptp(exact, axis=1, keepdims=True)  # (B, 1)
    fall = np.where(span > 0, 2 * span, 1.0)
    lowered: NDArray[np.float64] = exact - fall * ruled_out(critiqued, item_aspects)
    return lowered


def best_allowed(
    scores: NDArray[np.floating[Any]], action_mask: NDArray[np.number[Any]]
) -> NDArray[np.int64]:
    """Return the item that is shown: the best that may be, of equals the one of lowest number.

    Args:
        scores: ``(B, I)``.
        action_mask: Above 0 where an item may be shown, ``(B, I)``; at least one per session.

    Returns:
        ``(B,)``.
    """
    best: NDArray[np.int64] = np.where(action_mask > 0, scores, -np.inf).argmax(axis=1)
    return best
