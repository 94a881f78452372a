"""The fitted model of FacT-CRS: forest, likelihood of answers, item vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from agents.fact_crs.config import FactCRSConfig
from agents.fact_crs.growing import SplitScore, grow_forest, reach_score, vector_score
from agents.fact_crs.node_tables import NodeTables, node_tables
from agents.fact_crs.trees import Forest, Tree
from agents.fact_crs.vectors import item_vectors, node_losses
from agents.shared.item_posterior import AnsweredInteractions, Likelihood
from recsim.arrays import Floats32, Ints
from recsim.conversation import AttributeData, ConversationProblem


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted forest with its likelihood and vectors.

    Attributes:
        config: Settings.
        known: Ids of the known items, most popular first, ``(S,)``; see
            `agents.shared.item_posterior.AnsweredInteractions`.
        forest: The forest.
        likelihood: Probabilities of a yes.
        items: Item vectors, ``(S, D)``, or None.
    """

    config: FactCRSConfig
    known: Ints
    forest: Forest
    likelihood: Likelihood
    items: Floats32 | None

    @classmethod
    def fit(
        cls, config: FactCRSConfig, problem: ConversationProblem, data: AttributeData, seed: int
    ) -> Self:
        """Fit a model to the train part."""
        # If a no implies that the target lacks the attribute, users answer for the item alone.
        item_only = problem.no_filters
        train = AnsweredInteractions.of(
            data, caring=not item_only, unseen=config.unseen if item_only else 0.0
        )
        having = problem.item_attributes[train.known]
        likelihood = Likelihood.of(train, having, **_likelihood_settings(config, problem))
        items = None
        if config.needs_vectors:
            items = item_vectors(train, config.dim, smoothing=config.smoothing, seed=seed)
        slates = config.reach_slates or max(1, round(0.6 * problem.max_turns))
        score = cls.split_score(config, items, slates * problem.slate_size)
        forest = grow_forest(train, config, items, score, seed)
        return cls(config, train.known, forest, likelihood, items)

    @staticmethod
    def split_score(config: FactCRSConfig, items: Floats32 | None, reach: int) -> SplitScore:
        """Return the score of a split.

        Args:
            config: Settings.
            items: Item vectors, ``(S, D)``, or None.
            reach: Number of items that can still be shown, for the score of that name.
        """
        if config.split_score == "reach":
            return reach_score(reach)
        assert items is not None
        return vector_score(items, config.split_fit, node_losses)

    @cached_property
    def tables(self) -> NodeTables | None:
        """Rows of numbers for all nodes, if the ranker needs them."""
        return node_tables(self.forest, self.config.ranker, self.likelihood.counts)

    def state_dict(self) -> dict[str, Any]:
        """Return the model as arrays and numbers."""
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
        """Return the model saved by `state_dict`."""
        known = np.array(state["known"], dtype=np.int64)
        items = state["items"]
        return cls(
            config=config,
            known=known,
            forest=Forest(tuple(Tree.from_json(tree) for tree in state["trees"])),
            likelihood=Likelihood.from_state(
                state["likelihood"],
                problem.item_attributes[known],
                **_likelihood_settings(config, problem),
            ),
            items=None if items is None else np.array(items, dtype=np.float32),
        )


def _likelihood_settings(config: FactCRSConfig, problem: ConversationProblem) -> dict[str, Any]:
    return {
        "smoothing": config.smoothing,
        "slip": config.slip,
        "certain": problem.no_filters,
    }
