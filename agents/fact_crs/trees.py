"""Trees of questions, and a forest of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from recsim.arrays import Floats32, Ints

YES, NO = 1, 2


@dataclass(frozen=True, eq=False)
class Tree:
    """A tree of N nodes; node 0 is the root, and children come after their parents.

    Attributes:
        attribute: Attribute that a node asks about, -1 at a leaf, ``(N,)``.
        yes: Child of a node after a yes, -1 at a leaf, ``(N,)``.
        no: Child of a node after a no, -1 at a leaf, ``(N,)``.
        counts: Interactions of each known item at the node, ``(N, S)``, sparse.
        vectors: Node vectors ``(N, D)``; D is 0 if none were fitted.
    """

    attribute: Ints
    yes: Ints
    no: Ints
    counts: csr_array
    vectors: Floats32

    def __len__(self) -> int:
        """Return the number of nodes, N."""
        return len(self.attribute)

    @cached_property
    def unique_items(self) -> Ints:
        """Number of different items at each node, ``(N,)``."""
        sizes: Ints = np.diff(self.counts.indptr).astype(np.int64)
        return sizes

    @cached_property
    def members(self) -> Ints:
        """Number of interactions at each node, ``(N,)``."""
        return np.asarray(self.counts.sum(axis=1)).ravel().astype(np.int64)

    @cached_property
    def parent(self) -> Ints:
        """Parent of each node, -1 for the root, ``(N,)``."""
        parent = np.full(len(self), -1)
        inner = np.flatnonzero(self.attribute >= 0)
        parent[self.yes[inner]] = parent[self.no[inner]] = inner
        return parent

    @cached_property
    def level(self) -> Ints:
        """Number of questions above each node, ``(N,)``."""
        level = np.zeros(len(self), dtype=np.int64)
        for node in range(1, len(self)):
            level[node] = level[self.parent[node]] + 1
        return level

    def reach(self, answers: NDArray[np.int8]) -> Ints:
        """Return the last node that answers lead to, ``(B,)``.

        The path ends at a leaf or at the first question without an answer.

        Args:
            answers: 1 yes, 2 no, 0 not asked, ``(B, F)``.
        """
        node = np.zeros(len(answers), dtype=np.int64)
        row = np.arange(len(answers))
        for _ in range(int(self.level.max(initial=0))):
            attribute = self.attribute[node]
            answer = np.where(attribute >= 0, answers[row, attribute], 0)
            if not answer.any():
                break
            node = np.select([answer == YES, answer == NO], [self.yes[node], self.no[node]], node)
        return node

    def path(self, node: int) -> list[tuple[int, bool]]:
        """Return the questions above a node with the answers that lead to it, from the root."""
        steps = []
        while self.parent[node] >= 0:
            above = int(self.parent[node])
            steps.append((int(self.attribute[above]), bool(self.yes[above] == node)))
            node = above
        return steps[::-1]

    def to_json(self) -> dict[str, Any]:
        """Return the tree as values that JSON can hold."""
        return {
            "attribute": self.attribute.tolist(),
            "yes": self.yes.tolist(),
            "no": self.no.tolist(),
            "vectors": self.vectors.tolist(),
            "items": self.counts.shape[1],
            "first": self.counts.indptr.tolist(),
            "item": self.counts.indices.tolist(),
            "count": self.counts.data.tolist(),
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Return the tree saved by `to_json`."""
        size = len(saved["attribute"])
        counts = csr_array(
            (
                np.array(saved["count"], dtype=np.float32),
                np.array(saved["item"], dtype=np.int64),
                np.array(saved["first"], dtype=np.int64),
            ),
            shape=(size, saved["items"]),
        )
        return cls(
            attribute=np.array(saved["attribute"], dtype=np.int64),
            yes=np.array(saved["yes"], dtype=np.int64),
            no=np.array(saved["no"], dtype=np.int64),
            counts=counts,
            vectors=np.array(saved["vectors"], dtype=np.float32).reshape(size, -1),
        )


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees that were grown on different samples of the same interactions.

    Attributes:
        trees: The trees.
    """

    trees: tuple[Tree, ...]

    def __len__(self) -> int:
        """Return the number of trees."""
        return len(self.trees)

    def reach(self, answers: NDArray[np.int8]) -> Ints:
        """Return the last node of each tree that answers lead to, ``(B, trees)``."""
        return np.stack([tree.reach(answers) for tree in self.trees], axis=1)

    def questions(self, nodes: Ints) -> Ints:
        """Return the attributes that nodes ask about, -1 at leaves, ``(B, trees)``."""
        asked = [tree.attribute[nodes[:, number]] for number, tree in enumerate(self.trees)]
        return np.stack(asked, axis=1)

    def unique_items(self, nodes: Ints) -> Ints:
        """Return the number of different items at nodes, ``(B, trees)``."""
        sizes = [tree.unique_items[nodes[:, number]] for number, tree in enumerate(self.trees)]
        return np.stack(sizes, axis=1)
