"""Mostly the best items on average, sometimes a random slate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agents import slates
from agents.agent import AgentConfig, Decision, Feedback, FitReport, Observation
from agents.targets import ItemMeans, check_target, outcomes
from recsim.estimators import SlateDistribution, UniformSlates
from recsim.estimators.slate_distribution import all_slates
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


class EpsilonGreedyAgent:
    """Shows the items with the best mean so far, or with probability epsilon a uniform slate.

    One coin per user and slate. The mean of each item is fitted on a log where there is one, and
    goes on learning from feedback. Propensities are exact: with greedy slate g,
    ``P(item i at position k) = epsilon / C + (1 - epsilon) [g_k = i]`` and
    ``P(slate s) = epsilon (C-K)! / C! + (1 - epsilon) [g = s]``.
    """

    Config: ClassVar[type[AgentConfig]] = EpsilonGreedyConfig
    privileged: ClassVar[bool] = False
    needs_log: ClassVar[bool] = False

    def __init__(self, config: EpsilonGreedyConfig, problem: Problem, seed: int) -> None:
        slates.check_sizes(problem)
        check_target(config.target, problem)
        self._config = config
        self._slate_size = problem.slate_size
        self._means = ItemMeans(problem.num_items)
        self._rng = np.random.default_rng(seed)

    def fit(self, log: SlateLog) -> FitReport:
        """Count the log's impressions; several logs, and feedback, add up."""
        self._means.add(outcomes(log, self._config.target))
        return FitReport(rows=len(log))

    def begin(self, batch_size: int) -> None:
        """Keep nothing per user; what was learned of the items stays."""

    def act(self, obs: Observation) -> Decision:
        """Toss a coin per user and show the greedy or a uniform slate."""
        candidates = obs["candidates"]
        batch, num_candidates = candidates.shape
        epsilon = self._config.epsilon
        greedy = self._greedy(candidates)
        explore = self._rng.random(batch) < epsilon
        chosen = greedy.copy()
        chosen[explore] = slates.uniform_slates(
            self._rng, int(explore.sum()), num_candidates, self._slate_size
        )
        # A uniform slate can put the greedy item in its place by chance, so compare the slates, not
        # the coins.
        same = chosen == greedy  # (B, K)
        uniform = slates.uniform_slate_propensity(num_candidates, self._slate_size)
        return Decision(
            chosen,
            epsilon / num_candidates + (1 - epsilon) * same,
            epsilon * uniform + (1 - epsilon) * same.all(axis=1),
            epsilon * slates.uniform_prefixes(num_candidates, self._slate_size)
            + (1 - epsilon) * np.logical_and.accumulate(same, axis=1),
        )

    def propensities(self, obs: Observation, items: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the exact probability of each item at its position, 1 at padding."""
        candidates = obs["candidates"]
        greedy = np.take_along_axis(candidates, self._greedy(candidates), axis=1)
        epsilon = self._config.epsilon
        chance = epsilon * slates.offered(candidates, items) / candidates.shape[1]
        return np.where(items < 0, 1.0, chance + (1 - epsilon) * (greedy == items))

    def action_probabilities(self, obs: Observation) -> NDArray[np.float64]:
        """Return the exact probability of every candidate at every position, ``(B, K, C)``."""
        candidates = obs["candidates"]
        epsilon, size = self._config.epsilon, candidates.shape[1]
        greedy = slates.one_hot(self._greedy(candidates), size)
        return np.asarray(epsilon / size + (1 - epsilon) * greedy, dtype=np.float64)

    def prefix_propensities(
        self, obs: Observation, items: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the exact probability of the first k items, ``(B, K)``; padding is left out."""
        candidates = obs["candidates"]
        greedy = np.take_along_axis(candidates, self._greedy(candidates), axis=1)
        same = np.logical_and.accumulate((greedy == items) | (items < 0), axis=1)
        uniform = UniformSlates(self._slate_size).prefix_propensities(obs, items)
        return self._config.epsilon * uniform + (1 - self._config.epsilon) * same

    def slate_distribution(self, obs: Observation) -> SlateDistribution:
        """Return all slates and their exact probabilities.

        Raises:
            UserError: If they are too many.
        """
        candidates = obs["candidates"]
        every = all_slates(candidates.shape[1], self._slate_size)  # (S, K)
        greedy = (every == self._greedy(candidates)[:, None]).all(axis=2)  # (B, S)
        epsilon = self._config.epsilon
        chance = epsilon / len(every) + (1 - epsilon) * greedy
        return SlateDistribution(every, chance, candidates.shape[1])

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

    def _greedy(self, candidates: NDArray[np.int64]) -> NDArray[np.int64]:
        means = self._means.estimate(self._config.prior_mean, self._config.prior_strength)
        return slates.top_slates(means[candidates], self._slate_size)  # (B, C) -> (B, K)
