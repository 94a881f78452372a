"""Mostly the best items on average, sometimes a random slate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agents.shared import slates
from agents.shared.targets import ItemMeans, check_target, outcomes
from agents.shared.uniform_mixture import UniformMixture
from recsim.contracts.slates import AgentConfig, Feedback, FitReport, Observation
from recsim.log import SlateLog
from recsim.problem import Problem


class EpsilonGreedyConfig(AgentConfig):
    """Settings of `EpsilonGreedyAgent`.

    Attributes:
        epsilon: Probability of a uniform slate instead of the greedy one.
        target: What counts: ``click``, a named reward, or ``reward`` for the scalar one.
        prior_mean: Value per impression assumed of an item never shown; None for the mean over all
            impressions so far. A high value makes the greedy slate try every item.
        prior_strength: Impressions that the prior is worth.
    """

    epsilon: float = Field(default=0.1, ge=0, le=1)
    target: str = "click"
    prior_mean: float | None = Field(default=None, allow_inf_nan=False)
    prior_strength: float = Field(default=1.0, gt=0, allow_inf_nan=False)


class EpsilonGreedyAgent(UniformMixture):
    """Shows the items with the best mean so far, or with probability epsilon a uniform slate.

    One coin per user and slate. The mean of each item is fitted on a log where there is one, and
    goes on learning from feedback. Propensities are exact, see `UniformMixture`.
    """

    Config: ClassVar[type[AgentConfig]] = EpsilonGreedyConfig
    privileged: ClassVar[bool] = False
    needs_log: ClassVar[bool] = False

    def __init__(self, config: EpsilonGreedyConfig, problem: Problem, seed: int) -> None:
        slates.check_sizes(problem)
        check_target(config.target, problem)
        super().__init__(config.epsilon, problem.slate_size, seed)
        self._config = config
        self._means = ItemMeans(problem.num_items)

    def fit(self, log: SlateLog) -> FitReport:
        """Count the log's impressions; several logs, and feedback, add up."""
        self._means.add(outcomes(log, self._config.target))
        return FitReport(rows=len(log))

    def begin(self, batch_size: int) -> None:
        """Keep nothing per user; what was learned of the items stays."""

    def observe(self, feedback: Feedback) -> None:
        """Count the impressions just made."""
        self._means.add(outcomes(feedback, self._config.target))

    def state_dict(self) -> dict[str, Any]:
        """Return the item counts and the state of the random generator."""
        return {**self._means.state_dict(), "rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the saved agent stopped."""
        self._means.load_state_dict(state)
        self._rng.bit_generator.state = state["rng"]

    def _greedy(self, obs: Observation) -> NDArray[np.int64]:
        means = self._means.estimate(self._config.prior_mean, self._config.prior_strength)
        return slates.top_slates(means[obs["candidates"]], self._slate_size)  # (B, C) -> (B, K)
