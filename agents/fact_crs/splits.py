"""What makes a question a good one at a node of a tree."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from agents.fact_crs.vectors import NodeFit, fit_nodes, node_losses, surrogate_losses

Floats = NDArray[np.floating]
SplitScore = Callable[[Floats, Floats, Floats], Floats]
"""From the items' counts after a yes and after a no, both ``(C, S)``, and the vector of the node,
``(D,)``, to a score of each of the C questions, ``(C,)``; the smallest wins."""


def reach_score(size: int) -> SplitScore:
    """Return the score: minus the interactions with the ``size`` most frequent items of each child.

    That is how many of the node's interactions end well if the question is asked and then the most
    frequent items are shown, ``size`` of them.
    """

    def score(yes: Floats, no: Floats, _: Floats) -> Floats:
        return -(_largest(yes, size) + _largest(no, size))

    return score


def vector_score(items: Floats, fit: NodeFit, *, surrogate: bool) -> SplitScore:
    """Return the score: the loss of the children's vectors, fitted from the node's.

    Args:
        items: Item vectors, ``(S, D)``.
        fit: How the children are fitted.
        surrogate: Whether the published surrogate of the loss is taken.
    """

    def score(yes: Floats, no: Floats, vector: Floats) -> Floats:
        counts = np.concatenate([yes, no])  # (2C, S)
        start = np.broadcast_to(vector, (len(counts), len(vector)))
        vectors = fit_nodes(start, counts, items, fit)
        if surrogate:
            losses = surrogate_losses(vectors, counts, items)
        else:
            losses = node_losses(vectors, counts, items, fit)
        return losses[: len(yes)] + losses[len(yes) :]

    return score


def _largest(counts: Floats, size: int) -> Floats:
    """Return the sum of the largest counts of each row, ``(C,)``."""
    place = max(counts.shape[1] - size, 0)
    found: Floats = np.partition(counts, place, axis=1)[:, place:].sum(axis=1)
    return found
