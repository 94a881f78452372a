"""Agents that show a greedy slate, or with a small probability a uniform one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from agents.shared import slates
from agents.shared.base import BaseSlateAgent
from agents.shared.randomised import Randomised
from recsim.arrays import Floats, Ints
from recsim.contracts.slates import Decision, Observation
from recsim.draws import Draws, Purpose
from recsim.estimators import SlateDistribution, UniformSlates
from recsim.estimators.slates.distribution import all_slates
from recsim.problem import Problem

COIN = Purpose("coin")


def explore(draws: Draws, greedy: Ints, num_candidates: int, epsilon: float) -> Decision:
    """Return greedy slates, or with probability epsilon uniform ones, with exact probabilities.

    Args:
        draws: Random numbers of the users: a coin each, and the uniform slates.
        greedy: The greedy slates, indices of candidates ``(B, K)``.
        num_candidates: C.
        epsilon: Probability of a uniform slate.
    """
    size = greedy.shape[1]
    explores = np.flatnonzero(draws.uniform(COIN, 1)[:, 0] < epsilon)
    chosen = greedy.copy()
    if explores.size:
        chosen[explores] = slates.uniform_slates(draws.take(explores), num_candidates, size)
    # A uniform slate can equal the greedy one by chance, so compare slates, not coins.
    same = chosen == greedy  # (B, K)
    uniform = slates.uniform_prefixes(num_candidates, size)  # (K,)
    prefixes = epsilon * uniform + (1 - epsilon) * np.logical_and.accumulate(same, axis=1)
    whole = slates.uniform_slate_propensity(num_candidates, size)
    return Decision(
        chosen,
        epsilon / num_candidates + (1 - epsilon) * same,
        epsilon * whole + (1 - epsilon) * same.all(axis=1),
        prefixes,
    )


def exact_prefixes(obs: Observation, greedy: Ints, items: Ints, epsilon: float) -> Floats:
    """Return the probability of the first k items under `explore`, ``(B, K)``; skips padding.

    Args:
        obs: The observation.
        greedy: The greedy slates, indices of candidates ``(B, K)``.
        items: Item ids, -1 at padding, ``(B, K)``.
        epsilon: Probability of a uniform slate.
    """
    shown = np.take_along_axis(obs["candidates"], greedy, axis=1)
    same = np.logical_and.accumulate((shown == items) | (items < 0), axis=1)
    uniform = UniformSlates(items.shape[1]).prefix_propensities(obs, items)
    return epsilon * uniform + (1 - epsilon) * same


class UniformMixture(Randomised, BaseSlateAgent, ABC):
    """An agent that shows a uniform slate with probability epsilon; all probabilities are exact.

    One coin per user and slate. With greedy slate g,
    ``P(item i at position k) = epsilon / C + (1 - epsilon) [g_k = i]`` and
    ``P(slate s) = epsilon (C-K)! / C! + (1 - epsilon) [g = s]``. Its settings have an ``epsilon``.
    """

    def __init__(self, config: Any, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._epsilon: float = config.epsilon

    @abstractmethod
    def _greedy(self, obs: Observation) -> Ints:
        """Return the slate of every user, indices of candidates ``(B, K)``, and change nothing."""

    def act(self, obs: Observation) -> Decision:
        """Toss a coin per user and show the greedy or a uniform slate."""
        batch, num_candidates = obs["candidates"].shape
        return explore(self._draws.next(batch), self._greedy(obs), num_candidates, self._epsilon)

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
        return exact_prefixes(obs, self._greedy(obs), items, self._epsilon)

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
