"""A tree of questions, grown on interactions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Ints = NDArray[np.int64]
YES, NO = 1, 2


@dataclass(frozen=True, eq=False)
class Tree:
    """N nodes; node 0 is the root, and children come after their parents.

    Attributes:
        attribute: What a node asks for, -1 at a leaf, ``(N,)``.
        yes: Node that a yes leads to, -1 at a leaf, ``(N,)``.
        no: Node that a no leads to, ``(N,)``.
        counts: Interactions of each known item at the node, ``(N, S)``, sparse.
        vectors: Node vectors ``(N, D)``; D is 0 where none were fitted.
    """

    attribute: Ints
    yes: Ints
    no: Ints
    counts: csr_array
    vectors: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of nodes, N."""
        return len(self.attribute)

    @cached_property
    def unique_items(self) -> Ints:
        """Different items at each node, ``(N,)``."""
        sizes: Ints = np.diff(self.counts.indptr).astype(np.int64)
        return sizes

    @cached_property
    def members(self) -> Ints:
        """Interactions at each node, ``(N,)``."""
        return np.asarray(self.counts.sum(axis=1)).ravel().astype(np.int64)

    @cached_property
    def parent(self) -> Ints:
        """Parent of each node, -1 of the root, ``(N,)``."""
        parent = np.full(len(self), -1)
        inner = np.flatnonzero(self.attribute >= 0)
        parent[self.yes[inner]] = parent[self.no[inner]] = inner
        return parent

    @cached_property
    def level(self) -> Ints:
        """Questions above each node, ``(N,)``."""
        level = np.zeros(len(self), dtype=np.int64)
        for node in range(1, len(self)):
            level[node] = level[self.parent[node]] + 1
        return level

    def reach(self, answers: NDArray[np.int8]) -> Ints:
        """Return the last node that answers lead to, ``(B,)``.

        The walk ends where the question is not answered yet, and at leaves.

        Args:
            answers: 1 yes, 2 no, 0 not asked, ``(B, F)``.
        """
        node = np.zeros(len(answers), dtype=np.int64)
        row = np.arange(len(answers))
        for _ in range(int(self.level.max(initial=0))):
            attribute = self.attribute[node]
            told = np.where(attribute >= 0, answers[row, attribute], 0)
            if not told.any():
                break
            node = np.select([told == YES, told == NO], [self.yes[node], self.no[node]], node)
        return node

    def path(self, node: int) -> list[tuple[int, bool]]:
        """Return the questions above a node and the answers that lead to it, from the root."""
        steps = []
        while self.parent[node] >= 0:
            above = int(self.parent[node])
            steps.append((int(self.attribute[above]), bool(self.yes[above] == node)))
            node = above
        return steps[::-1]

    def to_json(self) -> dict[str, Any]:
        """Return the tree as what JSON can hold."""
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
        """Return the tree that `to_json` told of."""
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
