"""Epsilon-greedy: usually the best items on average, sometimes a uniform slate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from agents.shared import slates
from agents.shared.targets import ItemMeans, check_target, outcomes
from agents.shared.uniform_mixture import UniformMixture
from recsim.arrays import Ints
from recsim.contracts.slates import AgentConfig, Feedback, FitReport, Observation
from recsim.log import SlateLog
from recsim.problem import Problem


class EpsilonGreedyConfig(AgentConfig):
    """Settings of `EpsilonGreedyAgent`.

    Attributes:
        epsilon: Probability of a uniform slate instead of the greedy one.
        target: What is maximised: ``click``, a named reward, or ``reward`` for the scalar one.
        prior_mean: Assumed value per impression of an item never shown; None for the mean over all
            impressions so far. A high value makes the greedy slate try every item.
        prior_strength: Weight of the prior, in impressions.
    """

    epsilon: float = Field(default=0.1, ge=0, le=1)
    target: str = "click"
    prior_mean: float | None = Field(default=None, allow_inf_nan=False)
    prior_strength: float = Field(default=1.0, gt=0, allow_inf_nan=False)


class EpsilonGreedyAgent(UniformMixture):
    """Shows the items with the best mean so far, or with probability epsilon a uniform slate.

    One coin per user and slate. The means are learned from a log, if there is one, and from
    feedback. Propensities are exact, see `UniformMixture`.
    """

    name: ClassVar[str] = "epsilon_greedy"
    reads = frozenset({"item_ids"})
    Config: ClassVar[type[AgentConfig]] = EpsilonGreedyConfig
    _config: EpsilonGreedyConfig

    def __init__(self, config: EpsilonGreedyConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        check_target(config.target, problem)
        self._means = ItemMeans(problem.num_items)

    def fit(self, log: SlateLog) -> FitReport:
        """Count the log's impressions; several logs, and feedback, add up."""
        self._means.add(outcomes(log, self._config.target))
        return FitReport(rows=len(log))

    def observe(self, feedback: Feedback) -> None:
        """Count the impressions just made."""
        self._means.add(outcomes(feedback, self._config.target))

    def _greedy(self, obs: Observation) -> Ints:
        means = self._means.estimate(self._config.prior_mean, self._config.prior_strength)
        return slates.top_slates(means[obs["candidates"]], self._slate_size)  # (B, C) -> (B, K)

    def _learned(self) -> dict[str, Any]:
        return dict(self._means.state_dict())

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._means.load_state_dict(state)
