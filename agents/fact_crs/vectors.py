r"""Vectors of nodes, fitted to the items of their interactions; many nodes at once.

Only the counts c_i of the node's items matter, so that C nodes are one ``(C, S)`` table and a step
of descent is two matrix products. With item vectors V fixed, a node's loss is

.. math:: L(z) = -\sum_i c_i \Big[\log\sigma(z \cdot V_i)
    + \frac{m}{S}\sum_j \log\sigma(-z \cdot V_j)\Big] + \frac b2 |z|^2,

the mean over m negatives drawn uniformly from the S known items. Without negatives (m = 0) this is
the published objective, which any z with large products minimises, whatever the counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class NodeFit:
    """How node vectors are fitted.

    Attributes:
        negatives: m.
        l2: b.
        steps: Descent steps.
    """

    negatives: float
    l2: float
    steps: int


def node_losses(vectors: Floats, counts: Floats, items: Floats, fit: NodeFit) -> Floats:
    """Return L of each node, ``(C,)``.

    Args:
        vectors: z, ``(C, D)``.
        counts: c, ``(C, S)``.
        items: V, ``(S, D)``.
        fit: m and b.
    """
    products = (vectors @ items.T).astype(np.float64)  # (C, S)
    negative = fit.negatives * counts.sum(axis=1, keepdims=True) / len(items)
    losses = counts * np.logaddexp(0, -products) + negative * np.logaddexp(0, products)
    found: Floats = losses.sum(axis=1) + fit.l2 / 2 * np.square(vectors, dtype=np.float64).sum(
        axis=1
    )
    return found


def surrogate_losses(vectors: Floats, counts: Floats, items: Floats) -> Floats:
    """Return the published split error of each node, sum of c_i log(1 - sigma(z . V_i)), (C,)."""
    products = (vectors @ items.T).astype(np.float64)
    found: Floats = -(counts * np.logaddexp(0, products)).sum(axis=1)
    return found


def fit_nodes(start: Floats, counts: Floats, items: Floats, fit: NodeFit) -> Floats:
    """Return vectors that make L small, ``(C, D)``; none is worse than the one it started from.

    Accelerated gradient descent on L / n, with steps after the largest curvature, by power
    iteration.

    Args:
        start: ``(C, D)``.
        counts: ``(C, S)``; every row has a positive sum.
        items: ``(S, D)``.
        fit: What is fitted.
    """
    total = counts.sum(axis=1, keepdims=True)
    share = counts / total  # (C, S)
    weight, l2 = share + fit.negatives / len(items), fit.l2 / total
    rate = 1.0 / (_curvature(weight, items) + l2)  # (C, 1)
    now = ahead = start
    for step in range(fit.steps):
        slope = (weight * expit(ahead @ items.T) - share) @ items + l2 * ahead
        after = ahead - rate * slope
        ahead = after + step / (step + 3) * (after - now)
        now = after
    better = node_losses(now, counts, items, fit) <= node_losses(start, counts, items, fit)
    return np.where(better[:, None], now, start)


def _curvature(weight: Floats, items: Floats) -> Floats:
    """Return about the largest curvature of the loss of each node, ``(C, 1)``."""
    direction = np.ones((len(weight), items.shape[1]), dtype=items.dtype)
    size = np.ones((len(weight), 1), dtype=items.dtype)
    for _ in range(4):
        direction = (weight * (direction @ items.T)) @ items
        size = np.linalg.norm(direction, axis=1, keepdims=True)
        direction = direction / np.maximum(size, 1e-12)
    return np.maximum(size, 1e-6) / 4
