r"""A stochastic policy over a linear model: good items often, every item sometimes.

Slates follow the Plackett-Luce distribution of the model's scores s, at temperature T: the first
item is drawn with probability proportional to exp(s / T), the next one so among the rest, and so
on. A policy whose log another one is to be evaluated on should draw like this: every item has a
chance, and the chance is known.

References: Luce 1959 and Plackett 1975; sampling by adding Gumbel noise and sorting, Yellott 1977.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agents import slates
from agents.agent import AgentConfig, Decision, Observation
from agents.linear import Floats, LinearAgent, LinearConfig, with_one
from recsim.estimators import PlackettLuceSlates, SlateDistribution
from recsim.problem import Problem


class SoftmaxConfig(LinearConfig):
    """Settings of `SoftmaxAgent`, with those of `LinearConfig`.

    Attributes:
        temperature: T, in units of the target: near 0 is greedy, large is uniform.
    """

    temperature: float = Field(default=0.1, gt=0, allow_inf_nan=False)


class SoftmaxAgent(LinearAgent):
    """Draws slates by Plackett-Luce over the ridge regression of `LinearAgent`.

    Exact propensities: of the whole slate and its prefixes always; of an item at its position with
    slates of one item, else None (marginals of longer slates are sums over all orders; few enough
    slates can be listed with `slate_distribution`).
    """

    Config: ClassVar[type[AgentConfig]] = SoftmaxConfig
    name: ClassVar[str] = "softmax"

    def __init__(self, config: SoftmaxConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._temperature = config.temperature
        self._rng = np.random.default_rng(seed)

    def act(self, obs: Observation) -> Decision:
        """Draw a slate for every user."""
        self._users = with_one(obs["user_features"])
        logits = self._logits(self._users, obs["candidates"])  # (B, C)
        chosen = slates.top_slates(logits + self._rng.gumbel(size=logits.shape), self._slate_size)
        prefixes = prefix_propensities(logits, chosen)
        alone = prefixes if self._slate_size == 1 else None
        return Decision(chosen, alone, prefixes[:, -1], prefixes)

    def propensities(self, obs: Observation, items: NDArray[np.int64]) -> Floats | None:
        """Return the probability of each item with slates of one item, else None."""
        if self._slate_size > 1:
            return None
        candidates = obs["candidates"]
        chance = softmax(self._logits(with_one(obs["user_features"]), candidates))
        asked = items == candidates  # (B, 1) and (B, C) -> (B, C)
        return np.where(items < 0, 1.0, (chance * asked).sum(axis=1, keepdims=True))

    def action_probabilities(self, obs: Observation) -> Floats | None:
        """Return the probability of every candidate with slates of one item, else None."""
        if self._slate_size > 1:
            return None
        chance: Floats = softmax(self._logits(with_one(obs["user_features"]), obs["candidates"]))
        return chance[:, None, :]  # (B, C) -> (B, 1, C)

    def prefix_propensities(self, obs: Observation, items: NDArray[np.int64]) -> Floats:
        """Return the exact probability of the first k items, ``(B, K)``.

        Empty positions at the end have probability 1; a slate that repeats an item has 0.
        """
        return self._luce(obs).prefix_propensities(obs, items)

    def slate_distribution(self, obs: Observation) -> SlateDistribution:
        """Return all slates and their exact probabilities.

        Raises:
            UserError: If they are too many.
        """
        return self._luce(obs).slate_distribution(obs)

    def next_probabilities(self, obs: Observation, items: NDArray[np.int64]) -> Floats:
        """Return the probability of every candidate at k after the first k-1 items, (B, K, C)."""
        return self._luce(obs).next_probabilities(obs, items)

    def _luce(self, obs: Observation) -> PlackettLuceSlates:
        logits = self._logits(with_one(obs["user_features"]), obs["candidates"])
        return PlackettLuceSlates(lambda _: logits, self._slate_size)

    def state_dict(self) -> dict[str, Any]:
        """Return the model and the state of the random generator."""
        return {**super().state_dict(), "rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the saved agent stopped."""
        super().load_state_dict(state)
        self._rng.bit_generator.state = state["rng"]

    def _logits(self, users: Floats, candidates: NDArray[np.int64]) -> Floats:
        return self._posterior(users, candidates)[0] / self._temperature


def softmax(logits: Floats) -> Floats:
    """Probabilities proportional to ``exp(logits)`` in each row, ``(B, C)``."""
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    chance: Floats = weights / weights.sum(axis=1, keepdims=True)
    return chance


def slate_propensities(logits: Floats, chosen: NDArray[np.int64]) -> Floats:
    """Plackett-Luce probability of ordered slates, ``(B,)``; see `prefix_propensities`."""
    return prefix_propensities(logits, chosen)[:, -1]


def prefix_propensities(logits: Floats, chosen: NDArray[np.int64]) -> Floats:
    """Plackett-Luce probability of the first k items of ordered slates, ``(B, K)``.

    Args:
        logits: Scores over temperature of every candidate, ``(B, C)``.
        chosen: Indices of candidates, distinct in a row, ``(B, K)``.
    """
    picked = np.take_along_axis(logits, chosen, axis=1)  # (B, K)
    others = logits.copy()
    np.put_along_axis(others, chosen, -np.inf, axis=1)
    # What is left before the pick at k, as a log sum: the items never picked, then the last pick,
    # the last but one, ...
    left = np.concatenate([np.logaddexp.reduce(others, axis=1)[:, None], picked[:, ::-1]], axis=1)
    left = np.logaddexp.accumulate(left, axis=1)[:, :0:-1]  # (B, K + 1) -> (B, K)
    prefixes: Floats = np.exp(np.cumsum(picked - left, axis=1))
    return prefixes
