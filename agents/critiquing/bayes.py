"""Bayesian critiquing on a linear recommender."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from agents.critiquing.gaussian import aspect_directions, critiqued_mean
from agents.critiquing.linear_base import LinearBaseAgent, LinearConfig
from recsim.arrays import Floats
from recsim.contracts.slates import AgentConfig, FitReport, Observation
from recsim.critiquing import AspectReviews, CritiquingProblem

# Separates the random numbers of the directions from those of the base recommender.
_DIRECTIONS = 0xBA7E5


class BayesCritiquingConfig(LinearConfig):
    """Settings of `BayesCritiquingAgent`.

    Attributes:
        variance: s^2, prior variance of a user's vector in each dimension; None: the variance of
            the users' vectors, averaged over dimensions.
        precision_no: p of negative critiques.
        precision_yes: p of positive critiques.
        examples: Number of items with, and without, an aspect in each regression for its direction.
        draws: Number of regressions per aspect.
    """

    variance: float | None = Field(None, gt=0, allow_inf_nan=False)
    precision_no: float = Field(1.0, ge=0, allow_inf_nan=False)
    precision_yes: float = Field(100.0, ge=0, allow_inf_nan=False)
    examples: int = Field(20, ge=1)
    draws: int = Field(20, ge=1)


class BayesCritiquingAgent(LinearBaseAgent):
    """Updates a Gaussian belief about the user's vector with critiques, like BK-VAE.

    See `agents.critiquing.gaussian`.

    Differences from the paper and its code: the belief is about the user's vector in a linear
    recommender, with one variance for all users and dimensions; the user chooses which aspect to
    critique; the value of an answer is computed from the user's vector before any critique, so that
    the order of critiques does not matter.
    """

    name: ClassVar[str] = "bayes_critiquing"
    reads = frozenset({"user_ids", "item_features", "item_ids"})
    Config: ClassVar[type[AgentConfig]] = BayesCritiquingConfig
    _config: BayesCritiquingConfig

    def __init__(
        self, config: BayesCritiquingConfig, problem: CritiquingProblem, seed: int
    ) -> None:
        super().__init__(config, problem, seed)
        self._directions: Floats = np.zeros((problem.num_aspects, 0))
        self._variance = 1.0

    def fit(self, data: AspectReviews) -> FitReport:
        """Train the base recommender, and estimate the direction of each aspect."""
        report = super().fit(data)
        config = self._config
        vectors = self.users({"user": np.arange(data.num_users)[:, None]})
        variance = float(vectors.var(axis=0).mean())
        self._variance = variance if config.variance is None else config.variance
        self._directions = aspect_directions(
            self.items,
            data.item_aspects,
            examples=config.examples,
            draws=config.draws,
            rng=np.random.default_rng([self._seed, _DIRECTIONS]),
        )
        return report

    def critiqued_scores(self, obs: Observation) -> Floats:
        """Return the scores of all items under the mean of the belief, ``(B, I)``."""
        mean = critiqued_mean(
            self.users(obs),
            self._variance,
            self._directions,
            np.asarray(obs["critiqued"]),
            precision_no=self._config.precision_no,
            precision_yes=self._config.precision_yes,
        )
        scores: Floats = mean @ self.items.T
        return scores

    def _learned(self) -> dict[str, Any]:
        own = {"directions": self._directions.copy(), "variance": self._variance}
        return super()._learned() | own

    def _restore(self, state: Mapping[str, Any]) -> None:
        super()._restore(state)
        self._directions = np.array(state["directions"])
        self._variance = float(state["variance"])
