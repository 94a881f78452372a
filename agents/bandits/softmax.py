r"""A stochastic policy over a linear model, in which every item has a positive probability.

Slates follow the Plackett-Luce distribution of the model's scores s, at temperature T: the first
item is drawn with probability proportional to exp(s / T), the next one in the same way from the
remaining ones, and so on. It is a good logging policy for off-policy evaluation: every item has a
positive probability, which is known.

References: Luce 1959 and Plackett 1975; sampling by adding Gumbel noise and sorting, Yellott 1977.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from agents.bandits.linear import LinearAgent, LinearConfig, with_one
from agents.shared.plackett_luce import PlackettLuce
from recsim.arrays import Floats, Ints
from recsim.contracts.slates import AgentConfig, Decision, Observation


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

    name: ClassVar[str] = "softmax"
    reads = frozenset({"user_features", "item_features"})
    Config: ClassVar[type[AgentConfig]] = SoftmaxConfig
    _config: SoftmaxConfig

    def act(self, obs: Observation) -> Decision:
        """Draw a slate for every user."""
        self._users = with_one(obs["user_features"])
        return self._draw(self._logits(self._users, obs["candidates"]))

    def _logits_of(self, obs: Observation) -> Floats:
        return self._logits(with_one(obs["user_features"]), obs["candidates"])

    def _logits(self, users: Floats, candidates: Ints) -> Floats:
        return self._posterior(users, candidates)[0] / self._config.temperature
