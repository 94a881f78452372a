"""Base of agents that show the item with the highest score, with an optional hard filter."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from agents.critiquing.filtering import best_allowed, filtered
from agents.shared.base import BaseCritiquingAgent
from recsim.arrays import AnyFloats, Bools, Ints
from recsim.contracts.critiquing import Showing
from recsim.contracts.slates import AgentConfig, FitReport, Observation
from recsim.critiquing import AspectReviews


class ScoringConfig(AgentConfig):
    """Settings of `ScoringAgent`.

    Attributes:
        aspect_filter: Whether items with a critiqued aspect are shown only after all others, as if
            users never made mistakes; see `agents.critiquing.filtering`.
    """

    aspect_filter: bool = False


class ScoringAgent(BaseCritiquingAgent):
    """Shows the item with the highest score, and justifies it.

    By default, it learns nothing and justifies an item by all aspects that its train reviews
    mention. A subclass adds ``scores``.
    """

    Config: ClassVar[type[AgentConfig]] = ScoringConfig
    _config: ScoringConfig

    def fit(self, data: AspectReviews) -> FitReport:
        """Learn nothing."""
        return FitReport(rows=len(data.rows("train")))

    def scores(self, obs: Observation) -> AnyFloats:
        """Return the scores of all items, ``(B, I)``, before any filter."""
        raise NotImplementedError

    def justification(self, obs: Observation, items: Ints) -> tuple[Bools, AnyFloats | Ints | None]:
        """Return the justification of the items shown, ``(B,)``.

        Returns:
            The aspects, ``(B, K)``, and the strength of each aspect, ``(B, K)``, or None if it is
            unknown.
        """
        return self._problem.item_aspects[items], None

    def act(self, obs: Observation) -> Showing:
        """Score all items, and justify the one shown, in every session."""
        # Rounding removes the effect of the batch size on the last bits of a product.
        scores = self.scores(obs).astype(np.float32).astype(np.float64)
        if self._config.aspect_filter:
            scores = filtered(scores, obs["critiqued"], self._problem.item_aspects)
        items = best_allowed(scores, obs["action_mask"])
        return Showing(scores, *self.justification(obs, items))
