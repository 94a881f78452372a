"""Agents that show a greedy slate, or with a small probability a uniform one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from agents.shared import slates
from agents.shared.base import BaseSlateAgent
from recsim.arrays import Floats, Ints
from recsim.contracts.slates import Decision, Observation
from recsim.estimators import SlateDistribution, UniformSlates
from recsim.estimators.slates.distribution import all_slates
from recsim.problem import Problem


class UniformMixture(BaseSlateAgent, ABC):
    """An agent that shows a uniform slate with probability epsilon; all probabilities are exact.

    One coin per user and slate. With greedy slate g,
    ``P(item i at position k) = epsilon / C + (1 - epsilon) [g_k = i]`` and
    ``P(slate s) = epsilon (C-K)! / C! + (1 - epsilon) [g = s]``. Its settings have an ``epsilon``.
    """

    def __init__(self, config: Any, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._epsilon: float = config.epsilon
        self._rng = np.random.default_rng(seed)

    @abstractmethod
    def _greedy(self, obs: Observation) -> Ints:
        """Return the slate of every user, indices of candidates ``(B, K)``, and change nothing."""

    def act(self, obs: Observation) -> Decision:
        """Toss a coin per user and show the greedy or a uniform slate."""
        batch, num_candidates = obs["candidates"].shape
        epsilon = self._epsilon
        greedy = self._greedy(obs)
        explore = self._rng.random(batch) < epsilon
        chosen = greedy.copy()
        chosen[explore] = slates.uniform_slates(
            self._rng, int(explore.sum()), num_candidates, self._slate_size
        )
        # A uniform slate can equal the greedy one by chance, so compare slates, not coins.
        same = chosen == greedy  # (B, K)
        uniform = slates.uniform_slate_propensity(num_candidates, self._slate_size)
        return Decision(
            chosen,
            epsilon / num_candidates + (1 - epsilon) * same,
            epsilon * uniform + (1 - epsilon) * same.all(axis=1),
            epsilon * slates.uniform_prefixes(num_candidates, self._slate_size)
            + (1 - epsilon) * np.logical_and.accumulate(same, axis=1),
        )

    def propensities(self, obs: Observation, items: Ints) -> Floats:
        """Return the exact probability of each item at its position, 1 at padding."""
        candidates = obs["candidates"]
        greedy = np.take_along_axis(candidates, self._greedy(obs), axis=1)
        epsilon = self._epsilon
        chance = epsilon * slates.offered(candidates, items) / candidates.shape[1]
        return np.where(items < 0, 1.0, chance + (1 - epsilon) * (greedy == items))

    def action_probabilities(self, obs: Observation) -> Floats:
        """Return the exact probability of every candidate at every position, ``(B, K, C)``."""
        epsilon, size = self._epsilon, obs["candidates"].shape[1]
        greedy = slates.one_hot(self._greedy(obs), size)
        return np.asarray(epsilon / size + (1 - epsilon) * greedy, dtype=np.float64)

    def prefix_propensities(self, obs: Observation, items: Ints) -> Floats:
        """Return the exact probability of the first k items, ``(B, K)``; padding is left out."""
        greedy = np.take_along_axis(obs["candidates"], self._greedy(obs), axis=1)
        same = np.logical_and.accumulate((greedy == items) | (items < 0), axis=1)
        uniform = UniformSlates(self._slate_size).prefix_propensities(obs, items)
        return self._epsilon * uniform + (1 - self._epsilon) * same

    def slate_distribution(self, obs: Observation) -> SlateDistribution:
        """Return all slates and their exact probabilities.

        Raises:
            UserError: If they are too many.
        """
        num_candidates = obs["candidates"].shape[1]
        every = all_slates(num_candidates, self._slate_size)  # (S, K)
        greedy = (every == self._greedy(obs)[:, None]).all(axis=2)  # (B, S)
        chance = self._epsilon / len(every) + (1 - self._epsilon) * greedy
        return SlateDistribution(every, chance, num_candidates)
