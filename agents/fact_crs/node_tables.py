"""Rows of numbers for the nodes of a forest: item frequencies, or node vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.fact_crs.trees import Forest, Tree
from recsim.arrays import Floats32, Ints

# Number of interactions that the frequencies at the parent count for, and the smallest count of an
# item above the root.
_SMOOTHING, _LEAST = 50.0, 0.01


def log_frequencies(tree: Tree, prior: NDArray[np.floating]) -> Floats32:
    """Return the log-frequency of each known item at each node, ``(N, S)``.

    The frequency is ``(c_i + 50 q_i) / (n + 50)`` with the node's n interactions, c_i of them with
    item i, and the frequency q_i at the parent; above the root, it is proportional to
    ``n_i + 0.01``.

    Args:
        tree: The tree.
        prior: n_i, interactions of each known item, ``(S,)``.
    """
    counts, parent = tree.counts.toarray(), tree.parent
    share = np.empty(counts.shape, dtype=np.float64)
    above = (prior + _LEAST) / (prior + _LEAST).sum()
    for node in range(len(tree)):  # parents come first
        start = share[parent[node]] if node else above
        share[node] = (counts[node] + _SMOOTHING * start) / (tree.members[node] + _SMOOTHING)
    return np.log(share).astype(np.float32)


class NodeTables:
    """A row of numbers for every node of a forest.

    Args:
        tables: For each tree ``(N, W)``: log-frequencies of items, or node vectors.
    """

    def __init__(self, tables: list[Floats32]) -> None:
        self._first = np.cumsum([0, *(len(table) for table in tables)])
        self._table = np.concatenate(tables)

    @property
    def width(self) -> int:
        """W."""
        return int(self._table.shape[1])

    def at(self, trees: Ints, nodes: Ints) -> Floats32:
        """Return the rows of nodes of trees, ``(b, W)``."""
        rows: Floats32 = self._table[self._first[trees] + nodes]
        return rows

    def mean(self, nodes: Ints) -> Floats32:
        """Return the mean over trees of the rows of one node each, ``(b, trees)`` to (b, W)."""
        total = self.at(np.zeros(len(nodes), dtype=np.int64), nodes[:, 0]).copy()
        for tree in range(1, nodes.shape[1]):
            total += self._table[self._first[tree] + nodes[:, tree]]
        mean: Floats32 = total / nodes.shape[1]
        return mean


def node_tables(forest: Forest, ranker: str, counts: NDArray[np.floating]) -> NodeTables | None:
    """Return the rows that a ranker needs, or None if it needs none."""
    if ranker == "counts":
        return NodeTables([log_frequencies(tree, counts) for tree in forest.trees])
    if ranker == "embedding":
        return NodeTables([tree.vectors for tree in forest.trees])
    return None
