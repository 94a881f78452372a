"""Grow trees and forests, question by question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from agents.fact_crs.config import FactCRSConfig
from agents.fact_crs.trees import Forest, Tree
from agents.fact_crs.vectors import NodeFit, NodeLoss, fit_nodes
from agents.shared.item_posterior import AnsweredInteractions
from recsim.arrays import AnyFloats, Floats32, Ints

SplitScore = Callable[[AnyFloats, AnyFloats, AnyFloats], AnyFloats]
"""Maps the items' counts after a yes and after a no, both ``(C, S)``, and the vector of the node,
``(D,)``, to a score of each of C questions, ``(C,)``; the smallest is best."""


@dataclass(frozen=True, eq=False)
class Growth:
    """How a tree is grown.

    Attributes:
        depth: Largest number of questions along a path.
        candidates: Number of attributes tried at a node.
        score: Score of a question.
        items: Item vectors, ``(S, D)``; None if nodes need no vectors.
        fit: How node vectors are fitted.
    """

    depth: int
    candidates: int
    score: SplitScore
    items: Floats32 | None
    fit: NodeFit


def reach_score(size: int) -> SplitScore:
    """Return the negative number of interactions with the most frequent items of each child.

    This is the number of the node's interactions that end in success if the question is asked and
    then the ``size`` most frequent items are shown.
    """

    def score(yes: AnyFloats, no: AnyFloats, _: AnyFloats) -> AnyFloats:
        return -(_sum_of_largest(yes, size) + _sum_of_largest(no, size))

    return score


def vector_score(items: AnyFloats, fit: NodeFit, loss: NodeLoss) -> SplitScore:
    """Return the loss of the children's vectors, fitted from the node's vector.

    Args:
        items: Item vectors, ``(S, D)``.
        fit: How the vectors of the children are fitted.
        loss: The loss of a node's vector.
    """

    def score(yes: AnyFloats, no: AnyFloats, vector: AnyFloats) -> AnyFloats:
        counts = np.concatenate([yes, no])  # (2C, S)
        start = np.broadcast_to(vector, (len(counts), len(vector)))
        losses = loss(fit_nodes(start, counts, items, fit), counts, items, fit)
        return losses[: len(yes)] + losses[len(yes) :]

    return score


def _sum_of_largest(counts: AnyFloats, size: int) -> AnyFloats:
    """Return the sum of the largest counts of each row, ``(C,)``."""
    first = max(counts.shape[1] - size, 0)
    total: AnyFloats = np.partition(counts, first, axis=1)[:, first:].sum(axis=1)
    return total


def grow(data: AnsweredInteractions, members: Ints, attributes: Ints, growth: Growth) -> Tree:
    """Return a tree.

    A node asks about the attribute with the lowest score; ties go to the lower id. A node is a leaf
    if all its interactions have the same answers, or if it has a single item.

    Args:
        data: Interactions.
        members: Interactions that the tree is grown on, possibly repeated, ``(n,)``.
        attributes: Attributes that it may ask about.
        growth: How it is grown.
    """
    items = growth.items
    children: list[tuple[int, int, int]] = []  # attribute, yes, no
    weights: list[csr_array] = []
    vectors: list[Floats32] = []
    waiting = [(members, attributes, 0, -1)]  # interactions, attributes left, level, parent
    number = 0
    while number < len(waiting):
        here, free, level, parent = waiting[number]
        count = np.bincount(data.item[here], minlength=data.num_known).astype(np.float32)
        vector = np.zeros(0, dtype=np.float32)
        if items is not None:
            above = vectors[parent] if parent >= 0 else np.zeros(items.shape[1], dtype=np.float32)
            vector = fit_nodes(above[None], count[None], items, growth.fit)[0].astype(np.float32)
        weights.append(csr_array(count[None]))
        vectors.append(vector)
        chosen = -1
        if level < growth.depth and np.count_nonzero(count) > 1:
            chosen = best_split(data, here, free, vector, growth)
        if chosen < 0:
            children.append((-1, -1, -1))
        else:
            yes = data.says_yes(here, chosen)
            left = free[free != chosen]
            children.append((chosen, len(waiting), len(waiting) + 1))
            waiting += [(side, left, level + 1, number) for side in (here[yes], here[~yes])]
        waiting[number] = (here[:0], free, level, parent)  # frees the memory of the interactions
        number += 1
    table = np.array(children, dtype=np.int64)
    return Tree(table[:, 0], table[:, 1], table[:, 2], _stacked(weights), np.stack(vectors))


def best_split(
    data: AnsweredInteractions,
    members: Ints,
    free: Ints,
    vector: NDArray[np.floating],
    growth: Growth,
) -> int:
    """Return the attribute to ask about at a node, or -1 if none splits its interactions."""
    attribute, item = data.yes_pairs(members)
    yes = np.bincount(attribute, minlength=data.num_attributes)[free]
    balance = np.minimum(yes, len(members) - yes)
    order = np.argsort(-balance, kind="stable")[: growth.candidates]
    tried = np.sort(free[order[balance[order] > 0]])
    if not tried.size:
        return -1
    size = data.num_known
    position = np.full(data.num_attributes, -1)
    position[tried] = np.arange(len(tried))
    at = position[attribute]
    cell = at[at >= 0] * size + item[at >= 0]
    after_yes = np.bincount(cell, minlength=len(tried) * size).reshape(len(tried), size)
    total = np.bincount(data.item[members], minlength=size)
    yes_counts = after_yes.astype(np.float32)
    no_counts = (total - after_yes).astype(np.float32)
    return int(tried[np.argmin(growth.score(yes_counts, no_counts, vector))])


def _stacked(weights: list[csr_array]) -> csr_array:
    """Stack rows, ``(1, S)`` each."""
    first = np.cumsum([0, *(one.nnz for one in weights)])
    item = np.concatenate([one.indices for one in weights])
    count = np.concatenate([one.data for one in weights])
    return csr_array((count, item, first), shape=(len(weights), weights[0].shape[1]))


def grow_forest(
    data: AnsweredInteractions,
    config: FactCRSConfig,
    items: Floats32 | None,
    score: SplitScore,
    seed: int,
) -> Forest:
    """Return a forest.

    Args:
        data: Interactions.
        config: Settings.
        items: Item vectors, ``(S, D)``; None if nodes need no vectors.
        score: Score of a question.
        seed: Seed of the samples of interactions and attributes.
    """
    growth = Growth(config.depth, config.candidates, score, items, config.node_fit)
    rng = np.random.default_rng([seed, 0xF0])
    trees = []
    for _ in range(config.trees):
        members = rng.integers(len(data), size=max(1, int(config.bootstrap * len(data))))
        kept = np.flatnonzero(rng.random(data.num_attributes) < config.feature_keep)
        trees.append(grow(data, np.sort(members), kept, growth))
    return Forest(tuple(trees))
