"""Bayesian critiquing on a linear recommender."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agents.critiquing.base import LinearBaseline, LinearConfig
from agents.critiquing.baseline import BaselineConfig
from agents.critiquing.gaussian import aspect_directions, criticised_mean
from recsim.contracts.slates import FitReport, Observation
from recsim.critiquing import AspectReviews, CritiquingProblem

Floats = NDArray[np.floating[Any]]

# Tells what is drawn for the directions from what the recommender beneath draws.
_DIRECTIONS = 0xBA7E5


class BayesCritiquingConfig(LinearConfig):
    """Settings of `BayesCritiquingAgent`.

    Attributes:
        variance: s^2, of the belief about a user before any critique, in each dimension; None for
            the mean squared distance of users from their mean, per dimension.
        precision_no: p of criticism.
        precision_yes: p of praise.
        examples: Items with, and as many without, an aspect in a draw of its direction.
        draws: Regressions per aspect.
    """

    variance: float | None = Field(None, gt=0, allow_inf_nan=False)
    precision_no: float = Field(1.0, ge=0, allow_inf_nan=False)
    precision_yes: float = Field(100.0, ge=0, allow_inf_nan=False)
    examples: int = Field(20, ge=1)
    draws: int = Field(20, ge=1)


class BayesCritiquingAgent(LinearBaseline):
    """Believes that a user's vector is Gaussian, and updates that by critiques (as BK-VAE does).

    See `agents.critiquing.gaussian`.

    Differences from the paper and its code: the belief is that of a linear recommender about its
    user, with one variance for all users and dimensions; the user chooses what is criticised; what
    an answer is worth is settled by the user's vector before any critique, so that the order of
    critiques does not matter.
    """

    name: ClassVar[str] = "bayes_critiquing"
    Config: ClassVar[type[BaselineConfig]] = BayesCritiquingConfig
    _config: BayesCritiquingConfig

    def __init__(
        self, config: BayesCritiquingConfig, problem: CritiquingProblem, seed: int
    ) -> None:
        super().__init__(config, problem, seed)
        self._directions: Floats = np.zeros((problem.num_aspects, 0))
        self._variance = 1.0

    def fit(self, data: AspectReviews) -> FitReport:
        """Train the recommender beneath, and find where each aspect lies."""
        report = super().fit(data)
        config = self._config
        everybody = np.arange(data.num_users)[:, None]
        vectors = self.users({"user": everybody})
        spread = float(vectors.var(axis=0).mean())
        self._variance = spread if config.variance is None else config.variance
        self._directions = aspect_directions(
            self.items,
            data.item_aspects,
            examples=config.examples,
            draws=config.draws,
            rng=np.random.default_rng([self._seed, _DIRECTIONS]),
        )
        return report

    def criticised(self, obs: Observation) -> Floats:
        """Return the scores of all items by the mean of the belief, ``(B, I)``."""
        mean = criticised_mean(
            self.users(obs),
            self._variance,
            self._directions,
            np.asarray(obs["critiqued"]),
            precision_no=self._config.precision_no,
            precision_yes=self._config.precision_yes,
        )
        found: Floats = mean @ self.items.T
        return found

    def state_dict(self) -> dict[str, Any]:
        """Return what the recommender beneath learned, and where aspects lie."""
        own = {"directions": self._directions.copy(), "variance": self._variance}
        return super().state_dict() | own

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what the saved agent knew."""
        super().load_state_dict(state)
        self._directions = np.array(state["directions"])
        self._variance = float(state["variance"])
