"""A forest of trees of questions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.fact_crs.config import FactCRSConfig
from agents.fact_crs.growing import Growth, grow
from agents.fact_crs.rows import Rows
from agents.fact_crs.splits import SplitScore, reach_score, vector_score
from agents.fact_crs.tree import Tree
from agents.fact_crs.vectors import NodeFit

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees that were grown on different draws of the same interactions.

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
        """Return what the trees ask for at nodes, -1 at leaves, ``(B, trees)``."""
        asked = [tree.attribute[nodes[:, number]] for number, tree in enumerate(self.trees)]
        return np.stack(asked, axis=1)

    def unique_items(self, nodes: Ints) -> Ints:
        """Return the number of different items at nodes, ``(B, trees)``."""
        sizes = [tree.unique_items[nodes[:, number]] for number, tree in enumerate(self.trees)]
        return np.stack(sizes, axis=1)


def grow_forest(
    rows: Rows,
    config: FactCRSConfig,
    items: NDArray[np.float32] | None,
    *,
    reach: int,
    seed: int,
) -> Forest:
    """Return a forest.

    Args:
        rows: Interactions.
        config: Settings.
        items: Item vectors, ``(S, D)``, or None.
        reach: Items to reach, for the split score of that name.
        seed: Of the draws of interactions and attributes.
    """
    fit = NodeFit(config.node_negatives, config.l2, config.steps)
    score: SplitScore = reach_score(reach)
    if config.split_score != "reach":
        assert items is not None
        quick = NodeFit(config.node_negatives, config.l2, max(1, config.steps // 5))
        score = vector_score(items, quick, surrogate=config.split_score == "paper")
    growth = Growth(config.depth, config.candidates, score, items, fit)
    rng = np.random.default_rng([seed, 0xF0])
    trees = []
    for _ in range(config.trees):
        members = rng.integers(len(rows), size=max(1, int(config.bootstrap * len(rows))))
        kept = np.flatnonzero(rng.random(rows.num_attributes) < config.feature_keep)
        trees.append(grow(rows, np.sort(members), kept, growth))
    return Forest(tuple(trees))
