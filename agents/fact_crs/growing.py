"""Grow a tree, question by question."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from agents.fact_crs.rows import Rows
from agents.fact_crs.splits import SplitScore
from agents.fact_crs.tree import Tree
from agents.fact_crs.vectors import NodeFit, fit_nodes

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Growth:
    """How trees grow.

    Attributes:
        depth: Most questions along a path.
        candidates: Attributes tried at a node.
        score: What a split should make small.
        items: Item vectors, ``(S, D)``; None where nodes need no vectors.
        fit: How node vectors are fitted.
    """

    depth: int
    candidates: int
    score: SplitScore
    items: NDArray[np.float32] | None
    fit: NodeFit


def grow(rows: Rows, members: Ints, attributes: Ints, growth: Growth) -> Tree:
    """Return a tree.

    A node asks for the attribute with the lowest score; ties go to the lower number. A node whose
    interactions would answer every question alike is a leaf, as is one with a single item.

    Args:
        rows: Interactions.
        members: Those that this tree sees, with repetitions, ``(n,)``.
        attributes: Those that it may ask for.
        growth: How.
    """
    items = growth.items
    children: list[tuple[int, int, int]] = []  # attribute, yes, no
    weights: list[csr_array] = []
    vectors: list[NDArray[np.float32]] = []
    waiting = [(members, attributes, 0, -1)]  # rows, attributes left, level, parent
    number = 0
    while number < len(waiting):
        here, free, level, parent = waiting[number]
        count = np.bincount(rows.item[here], minlength=rows.num_known).astype(np.float32)
        vector = np.zeros(0, dtype=np.float32)
        if items is not None:
            above = vectors[parent] if parent >= 0 else np.zeros(items.shape[1], dtype=np.float32)
            vector = fit_nodes(above[None], count[None], items, growth.fit)[0].astype(np.float32)
        weights.append(csr_array(count[None]))
        vectors.append(vector)
        chosen = -1
        if level < growth.depth and np.count_nonzero(count) > 1:
            chosen = best_split(rows, here, free, vector, growth)
        if chosen < 0:
            children.append((-1, -1, -1))
        else:
            says = rows.says_yes(here, chosen)
            left = free[free != chosen]
            children.append((chosen, len(waiting), len(waiting) + 1))
            waiting += [(side, left, level + 1, number) for side in (here[says], here[~says])]
        waiting[number] = (here[:0], free, level, parent)  # its rows are not needed any more
        number += 1
    table = np.array(children, dtype=np.int64)
    return Tree(table[:, 0], table[:, 1], table[:, 2], _stacked(weights), np.stack(vectors))


def best_split(rows: Rows, members: Ints, free: Ints, vector: Floats, growth: Growth) -> int:
    """Return the attribute to ask for at a node, or -1 where none parts its interactions."""
    asked, of_item = rows.yes_pairs(members)
    yes = np.bincount(asked, minlength=rows.num_attributes)[free]
    balance = np.minimum(yes, len(members) - yes)
    order = np.argsort(-balance, kind="stable")[: growth.candidates]
    tried = np.sort(free[order[balance[order] > 0]])
    if not tried.size:
        return -1
    size = rows.num_known
    place = np.full(rows.num_attributes, -1)
    place[tried] = np.arange(len(tried))
    at = place[asked]
    cell = at[at >= 0] * size + of_item[at >= 0]
    after_yes = np.bincount(cell, minlength=len(tried) * size).reshape(len(tried), size)
    total = np.bincount(rows.item[members], minlength=size)
    yes_counts = after_yes.astype(np.float32)
    no_counts = (total - after_yes).astype(np.float32)
    return int(tried[np.argmin(growth.score(yes_counts, no_counts, vector))])


def _stacked(weights: list[csr_array]) -> csr_array:
    """Stack rows, ``(1, S)`` each."""
    first = np.cumsum([0, *(one.nnz for one in weights)])
    item = np.concatenate([one.indices for one in weights])
    count = np.concatenate([one.data for one in weights])
    return csr_array((count, item, first), shape=(len(weights), weights[0].shape[1]))
