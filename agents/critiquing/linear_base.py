"""Base of agents that process critiques in the latent space of a linear recommender."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import model_validator

from agents.bot_play.agent import BotPlayAgent, BotPlayConfig
from agents.critiquing.averaging import weights
from agents.critiquing.scoring import ScoringAgent, ScoringConfig
from recsim.arrays import AnyFloats, Bools, Floats, Ints
from recsim.contracts.slates import AgentConfig, FitReport, Observation
from recsim.critiquing import AspectReviews, CritiquingProblem


class BaseRecommenderConfig(BotPlayConfig):
    """Settings of the base recommender: those of ``bot_play``, by default without fine-tuning.

    Attributes:
        fine_tuning: As in ``bot_play``, but ``none`` by default.
    """

    fine_tuning: Literal["bot_play", "control", "none"] = "none"

    @model_validator(mode="after")
    def _does_not_rank(self) -> Self:
        for key in ("aspect_filter", "critique_weight"):
            if key in self.model_fields_set:
                raise ValueError(
                    f"{key!r} has no effect on a base recommender, which does not rank: remove it"
                )
        return self


class LinearConfig(ScoringConfig):
    """Settings of `LinearBaseAgent`.

    Attributes:
        base: The base recommender.
    """

    base: BaseRecommenderConfig = BaseRecommenderConfig()


class LinearBaseAgent(ScoringAgent):
    """Ranks like a linear recommender until there is a critique.

    The recommender gives a user u with preferences c the vector ``z(u, c)``. Critiques are applied
    to that before any critique, ``z(u, c_0)``. Justifications come from the recommender, which
    processes critiques in its own way, so they do not depend on the subclass. A subclass adds
    ``critiqued_scores``.
    """

    Config: ClassVar[type[AgentConfig]] = LinearConfig
    _config: LinearConfig

    def __init__(self, config: LinearConfig, problem: CritiquingProblem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._base = BotPlayAgent(config.base, problem, seed)
        self._fitted = False

    def fit(self, data: AspectReviews) -> FitReport:
        """Train the base recommender."""
        report = self._base.fit(data)
        self._fitted = True
        return report

    def begin(self, sessions: Ints) -> None:
        """Forget all sessions and start new ones with these numbers, ``(B,)``."""
        super().begin(sessions)
        self._base.begin(sessions)

    def scores(self, obs: Observation) -> AnyFloats:
        """Return the scores of all items after all critiques, ``(B, I)``."""
        if not self._fitted:
            raise self.unfitted()
        return self.critiqued_scores(obs)

    def critiqued_scores(self, obs: Observation) -> AnyFloats:
        """Return the scores of all items of a fitted agent, ``(B, I)``."""
        raise NotImplementedError

    def users(self, obs: Observation) -> Floats:
        """Return the vectors of the users before any critique, ``(B, d)``."""
        vectors: Floats = self._base.latent(obs, listens=False).cpu().numpy()
        return vectors

    @property
    def items(self) -> Floats:
        """Vectors of the items, ``(I, d)``."""
        vectors: Floats = self._base.model.items.detach().cpu().numpy()
        return vectors

    def weights(self, obs: Observation, least: float) -> Floats:
        """Return the weight of each critique, ``(B, K)``; see `agents.critiquing.averaging`."""
        user = np.asarray(obs["user"])[:, 0]
        counts = self._base.model.counts.cpu().numpy()[user] * (user >= 0)[:, None]
        return weights(np.asarray(obs["critiqued"]), counts, least)

    def justification(self, obs: Observation, items: Ints) -> tuple[Bools, AnyFloats]:
        """Return the aspects of the base recommender's justification and their strength, (B, K)."""
        return self._base.justification(obs, items)

    def _learned(self) -> dict[str, Any]:
        return super()._learned() | {"base": self._base.state_dict()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._base.load_state_dict(state["base"])
        self._fitted = state["base"].get("weights") is not None
        super()._restore(state)
