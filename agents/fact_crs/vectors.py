r"""Vectors of items and of nodes.

The vector of a node is fitted to the items of its interactions. Only the counts c_i of these items
matter, so C nodes are one ``(C, S)`` table, and a descent step for all of them is two matrix
products. With fixed item vectors V, a node's loss is

.. math:: L(z) = -\sum_i c_i \Big[\log\sigma(z \cdot V_i)
    + \frac{m}{S}\sum_j \log\sigma(-z \cdot V_j)\Big] + \frac b2 |z|^2,

where the inner mean is over m negatives drawn uniformly from the S known items. Without negatives
(m = 0) this is the published objective, which any z with large products minimises, whatever the
counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import svds
from scipy.special import expit

from agents.shared.item_posterior import AnsweredInteractions
from recsim.arrays import AnyFloats, Floats32


def item_vectors(data: AnsweredInteractions, dim: int, *, smoothing: float, seed: int) -> Floats32:
    """Return a vector for each known item, ``(S, dim)``.

    The columns are a constant, the standardised logarithm of the item's interactions, and the first
    left singular vectors of the smoothed yes rates, ``n_if / ((n_i + s) sqrt(p_f))``, each scaled
    to a mean square of 1. With the first two, a node vector can express how likely and how popular
    its items are; the others describe the items' answers, with more weight on rare yes answers.

    Args:
        data: The interactions.
        dim: D, at least 3. If there are fewer items or attributes, the remaining columns are 0.
        smoothing: s.
        seed: Seed of the start vector of the decomposition.
    """
    size = data.num_known
    vectors = np.zeros((size, dim), dtype=np.float32)
    vectors[:, 0] = 1.0
    logs = np.log(data.counts)
    vectors[:, 1] = (logs - logs.mean()) / max(float(logs.std()), 1e-12)
    yes = data.yes_counts()  # (F, S)
    used = np.flatnonzero(np.diff(yes.indptr))
    rank = min(dim - 2, len(used) - 1, size - 1)
    if rank < 1:
        return vectors
    rate = np.asarray(yes[used].sum(axis=1)).ravel() / len(data)
    rates = csr_array(
        diags_array(1 / (data.counts + smoothing)) @ yes[used].T @ diags_array(rate**-0.5)
    ).astype(np.float64)
    start = np.random.default_rng([seed, 0xE3B]).normal(size=min(rates.shape))
    left, strength, _ = svds(rates, k=rank, v0=start)
    order = np.argsort(-strength)
    left = left[:, order] * np.sign(left[np.abs(left).argmax(axis=0), np.arange(rank)])[order]
    vectors[:, 2 : 2 + rank] = left * np.sqrt(size)
    return vectors


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


NodeLoss = Callable[[AnyFloats, AnyFloats, AnyFloats, NodeFit], AnyFloats]


def node_losses(vectors: AnyFloats, counts: AnyFloats, items: AnyFloats, fit: NodeFit) -> AnyFloats:
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
    squares = np.square(vectors, dtype=np.float64).sum(axis=1)
    total: AnyFloats = losses.sum(axis=1) + fit.l2 / 2 * squares
    return total


def fit_nodes(start: AnyFloats, counts: AnyFloats, items: AnyFloats, fit: NodeFit) -> AnyFloats:
    """Return vectors with small L, ``(C, D)``; none is worse than its start.

    Accelerated gradient descent on L / n; the step size is the inverse of the largest curvature,
    estimated by power iteration.

    Args:
        start: ``(C, D)``.
        counts: ``(C, S)``; every row has a positive sum.
        items: ``(S, D)``.
        fit: The objective and the number of steps.
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


def _curvature(weight: AnyFloats, items: AnyFloats) -> AnyFloats:
    """Return an estimate of the largest curvature of each node's loss, ``(C, 1)``."""
    direction = np.ones((len(weight), items.shape[1]), dtype=items.dtype)
    size = np.ones((len(weight), 1), dtype=items.dtype)
    for _ in range(4):
        direction = (weight * (direction @ items.T)) @ items
        size = np.linalg.norm(direction, axis=1, keepdims=True)
        direction = direction / np.maximum(size, 1e-12)
    return np.maximum(size, 1e-6) / 4
