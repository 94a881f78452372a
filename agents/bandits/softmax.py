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

from agents.bandits.linear import Floats, LinearAgent, LinearConfig, with_one
from agents.shared.plackett_luce import PlackettLuce
from recsim.contracts.slates import AgentConfig, Decision, Observation
from recsim.problem import Problem


class SoftmaxConfig(LinearConfig):
    """Settings of `SoftmaxAgent`, with those of `LinearConfig`.

    Attributes:
        temperature: T, in units of the target: near 0 is greedy, large is uniform.
    """

    temperature: float = Field(default=0.1, gt=0, allow_inf_nan=False)


class SoftmaxAgent(PlackettLuce, LinearAgent):
    """Draws slates by Plackett-Luce over the ridge regression of `LinearAgent`.

    Exact propensities; see `PlackettLuce`.
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
        return self._draw(self._logits(self._users, obs["candidates"]), self._rng)

    def _logits_of(self, obs: Observation) -> Floats:
        return self._logits(with_one(obs["user_features"]), obs["candidates"])

    def state_dict(self) -> dict[str, Any]:
        """Return the model and the state of the random generator."""
        return {**super().state_dict(), "rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the saved agent stopped."""
        super().load_state_dict(state)
        self._rng.bit_generator.state = state["rng"]

    def _logits(self, users: Floats, candidates: NDArray[np.int64]) -> Floats:
        return self._posterior(users, candidates)[0] / self._temperature
