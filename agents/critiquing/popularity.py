"""Baselines that ignore critiques: the most reviewed items, and random items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from agents.critiquing.scoring import ScoringAgent, ScoringConfig
from recsim.arrays import Bools, Floats, Ints
from recsim.contracts.slates import FitReport, Observation
from recsim.critiquing import AspectReviews, CritiquingProblem
from recsim.draws import Purpose

ORDER = Purpose("order of items")


class PopularCritiqueAgent(ScoringAgent):
    """Shows the items with the most train reviews, one after the other.

    The strength of an aspect is the number of the item's train reviews that mention it. Critiques
    have no effect without ``aspect_filter``.
    """

    name: ClassVar[str] = "critique_popularity"
    reads = frozenset({"item_features", "item_ids"})

    def __init__(self, config: ScoringConfig, problem: CritiquingProblem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._counts: Ints | None = None
        self._mentions: Ints | None = None  # (I, K)

    def fit(self, data: AspectReviews) -> FitReport:
        """Count the train reviews of each item, and the aspects that they mention."""
        self._counts, self._mentions = data.item_popularity, data.item_counts
        return super().fit(data)

    def scores(self, obs: Observation) -> Floats:
        """Return the number of train reviews of each item, the same in all sessions."""
        counts = self.fitted(self._counts).astype(np.float64)
        return np.tile(counts, (len(obs["user"]), 1))

    def justification(self, obs: Observation, items: Ints) -> tuple[Bools, Ints]:
        """Return which aspects train reviews of the items mention, and how many, (B, K) each."""
        mentions = self.fitted(self._mentions)[items]
        return mentions > 0, mentions

    def _learned(self) -> dict[str, Any]:
        counts = {"counts": self._counts, "mentions": self._mentions}
        own = {name: None if of is None else of.copy() for name, of in counts.items()}
        return super()._learned() | own

    def _restore(self, state: Mapping[str, Any]) -> None:
        counts = state["counts"]
        if counts is not None and len(counts) != self._problem.num_items:
            raise self.misfit(f"it has {len(counts)} items; there are {self._problem.num_items}")
        super()._restore(state)
        self._counts = None if counts is None else np.array(counts, dtype=np.int64)
        mentions = None if counts is None else np.array(state["mentions"], dtype=np.int64)
        self._mentions = mentions


class RandomCritiqueAgent(ScoringAgent):
    """Shows items in a random order, drawn for each session.

    Critiques have no effect without ``aspect_filter``.
    """

    name: ClassVar[str] = "critique_random"
    reads = frozenset({"item_features"})

    def scores(self, obs: Observation) -> Floats:
        """Return the same random numbers at every turn of a session."""
        draws = self._draws_at(np.zeros_like(self._sessions))
        scores: Floats = draws.uniform(ORDER, self._problem.num_items)
        return scores
