"""Baselines that never ask and show the most popular items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from agents.shared.base import BaseConversationAgent
from recsim.arrays import Bools, Ints
from recsim.contracts.conversations import Turn
from recsim.contracts.slates import AgentConfig, FitReport, Observation
from recsim.conversation import AttributeData, ConversationProblem
from recsim.conversation.ranking import consistent, filled, first_allowed, unshown


class PopularityBase(BaseConversationAgent):
    """Base of agents that rank the items by their number of interactions."""

    def __init__(self, config: AgentConfig, problem: ConversationProblem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._counts: Ints | None = None

    @property
    def order(self) -> Ints:
        """Items by decreasing popularity, ties by id, ``(I,)``.

        Raises:
            AgentError: If the agent was not fitted.
        """
        return np.argsort(-self.fitted(self._counts), kind="stable")

    def fit(self, data: AttributeData) -> FitReport:
        """Count the interactions of each item in the train part."""
        self._counts = data.counts("train")
        return FitReport(rows=len(data.rows("train")))

    def free(self, obs: Observation) -> Bools:
        """Return which items were not shown yet, ``(B, I)``."""
        return unshown(obs["shown"], self._problem.num_items)

    def fitting(self, obs: Observation) -> Bools:
        """Return which items the answers leave, as far as they rule any out, ``(B, I)``."""
        return self.free(obs) & consistent(self._problem, obs["answers"])

    def _learned(self) -> dict[str, Any]:
        return {} if self._counts is None else {"counts": self._counts.copy()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        counts = state.get("counts")
        if counts is not None and len(counts) != self._problem.num_items:
            raise self.misfit(f"it has {len(counts)} items; there are {self._problem.num_items}")
        self._counts = None if counts is None else np.array(counts, dtype=np.int64)


class PopularItemsAgent(PopularityBase):
    """Shows the most popular items that were not shown yet, and never asks."""

    name: ClassVar[str] = "conv_popularity"
    reads = frozenset({"item_ids"})

    def act(self, obs: Observation) -> Turn:
        """Show the next most popular items."""
        slates = first_allowed(self.order, self.free(obs), self._problem.slate_size)
        return Turn(np.full(len(slates), -1), slates)

    def explain(self, row: int) -> str:
        """Return the reason of the last turn of a conversation in words."""
        return "Showed the most popular items that were not shown yet."


class AbsGreedyAgent(PopularityBase):
    """Shows the most popular items that are consistent with the answers, and never asks.

    The answers are those that the user opened the conversation with; without any, it is the same as
    `PopularItemsAgent`. After Christakopoulou, Radlinski and Hofmann, "Towards Conversational
    Recommender Systems", KDD 2016, whose ranking is learned from rejections; here, rejections only
    remove items.
    """

    name: ClassVar[str] = "conv_abs_greedy"
    reads = frozenset({"item_features", "item_ids"})

    def act(self, obs: Observation) -> Turn:
        """Show the next most popular consistent items, or other items if none are left."""
        size = self._problem.slate_size
        slates = first_allowed(self.order, self.fitting(obs), size)
        return Turn(np.full(len(slates), -1), filled(slates, self.order, self.free(obs)))

    def explain(self, row: int) -> str:
        """Return the reason of the last turn of a conversation in words."""
        return "Showed the most popular items that fit and were not shown yet."
