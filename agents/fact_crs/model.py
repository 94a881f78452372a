"""What FacT-CRS learned: a forest, chances of answers, item vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agents.fact_crs.config import FactCRSConfig
from agents.fact_crs.embeddings import item_vectors
from agents.fact_crs.forest import Forest, grow_forest
from agents.fact_crs.likelihood import Likelihood
from agents.fact_crs.rankers import NodeTables, node_tables
from agents.fact_crs.rows import Rows
from agents.fact_crs.tree import Tree
from recsim.conversation import AttributeData, ConversationProblem


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted forest and what goes with it.

    Attributes:
        config: Settings.
        known: Ids of known items, most popular first, ``(S,)``; see `agents.fact_crs.rows`.
        forest: The forest.
        likelihood: Chances of a yes.
        items: Item vectors, ``(S, D)``, or None.
    """

    config: FactCRSConfig
    known: NDArray[np.int64]
    forest: Forest
    likelihood: Likelihood
    items: NDArray[np.float32] | None

    @classmethod
    def fit(
        cls, config: FactCRSConfig, problem: ConversationProblem, data: AttributeData, seed: int
    ) -> Self:
        """Learn from the train part."""
        # Where a no means that the target lacks the attribute, users answer for the item alone.
        alone = problem.no_filters
        rows = Rows.of(data, caring=not alone, unseen=config.unseen if alone else 0.0)
        having = problem.item_attributes[rows.known]
        likelihood = Likelihood.of(rows, having, **_answering(config, problem))
        items = None
        if config.needs_vectors:
            items = item_vectors(rows, config.dim, smoothing=config.smoothing, seed=seed)
        slates = config.reach_slates or max(1, round(0.6 * problem.max_turns))
        reach = slates * problem.slate_size
        forest = grow_forest(rows, config, items, reach=reach, seed=seed)
        return cls(config, rows.known, forest, likelihood, items)

    @cached_property
    def tables(self) -> NodeTables | None:
        """What the ranker needs of the nodes."""
        return node_tables(self.forest, self.config.ranker, self.likelihood.counts)

    def state_dict(self) -> dict[str, Any]:
        """Return everything as arrays and numbers."""
        return {
            "known": self.known.copy(),
            "likelihood": self.likelihood.state_dict(),
            "items": None if self.items is None else self.items.copy(),
            "trees": [tree.to_json() for tree in self.forest.trees],
        }

    @classmethod
    def from_state(
        cls, config: FactCRSConfig, problem: ConversationProblem, state: Mapping[str, Any]
    ) -> Self:
        """Return the model that `state_dict` told of."""
        known = np.array(state["known"], dtype=np.int64)
        items = state["items"]
        return cls(
            config=config,
            known=known,
            forest=Forest(tuple(Tree.from_json(tree) for tree in state["trees"])),
            likelihood=Likelihood.from_state(
                state["likelihood"],
                problem.item_attributes[known],
                **_answering(config, problem),
            ),
            items=None if items is None else np.array(items, dtype=np.float32),
        )


def _answering(config: FactCRSConfig, problem: ConversationProblem) -> dict[str, Any]:
    """Return what chances of answers depend on."""
    return {
        "smoothing": config.smoothing,
        "slip": config.slip,
        "certain": problem.no_filters,
    }
