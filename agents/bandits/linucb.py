"""LinUCB: upper confidence bounds of a linear model of the reward.

Reference: Li, Chu, Langford and Schapire, "A Contextual-Bandit
Approach to Personalized News Article Recommendation", 2010, arXiv:1003.0146.

Differences from the paper:

- The weights are shared by all items, over joint features of user and item; the paper's algorithms
  keep weights per article.
- A slate holds the K items with the highest bounds.
- A whole batch of users is served before the model is updated, by the sum of their updates.
- The ridge penalty is a setting; the paper's is 1.
- A reward known for the slate only is modelled as the sum over the items shown.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from agents.bandits.linear import LinearAgent, LinearConfig, blocks, with_one
from agents.shared import slates
from agents.shared.deterministic import Deterministic
from recsim.arrays import Ints
from recsim.contracts.slates import AgentConfig, Decision, Observation


class LinUCBConfig(LinearConfig):
    """Settings of `LinUCBAgent`, with those of `LinearConfig`.

    Attributes:
        alpha: Width of the confidence bound, in standard deviations; 0 is greedy.
    """

    alpha: float = Field(default=0.5, ge=0, allow_inf_nan=False)


class LinUCBAgent(Deterministic, LinearAgent):
    """Shows the items with the highest upper confidence bound of a linear model.

    With x the joint features of user and item and y the target,
    ``A = ridge I + sum x x^T``, ``b = sum y x``, ``theta = A^-1 b``, and the score of an item is
    ``theta^T x + alpha sqrt(x^T A^-1 x)``. Learns from a log and from feedback; deterministic given
    what it has learned, so propensities are 0 or 1.
    """

    name: ClassVar[str] = "linucb"
    reads = frozenset({"user_features", "item_features"})
    Config: ClassVar[type[AgentConfig]] = LinUCBConfig
    _config: LinUCBConfig

    def act(self, obs: Observation) -> Decision:
        """Show every user the candidates with the highest bounds."""
        self._users = with_one(obs["user_features"])
        return super().act(obs)

    def _slates(self, obs: Observation) -> Ints:
        users, candidates = with_one(obs["user_features"]), obs["candidates"]
        chosen = np.empty((len(users), self._slate_size), dtype=np.int64)
        for rows in blocks(len(users), candidates.shape[1] * self._items.shape[1]):
            mean, variance = self._posterior(users[rows], candidates[rows])
            bound = mean + self._config.alpha * np.sqrt(np.maximum(variance, 0.0))
            chosen[rows] = slates.top_slates(bound, self._slate_size)
        return chosen
