"""A baseline that asks about the least certain attribute and shows the most probable items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from agents.conversation.max_entropy import binary_entropy
from agents.conversation.posterior import PosteriorAgent, PosteriorConfig, Prediction
from agents.shared.lookahead import look_ahead
from recsim.arrays import Bools, Ints
from recsim.contracts.conversations import Turn
from recsim.contracts.slates import AgentConfig, Observation


class BayesConfig(PosteriorConfig):
    """Settings of `BayesAgent`.

    Attributes:
        questions: Number of questions at the beginning; None: ask as long as the expected gain of a
            question is larger than that of showing.
        turn_cost: Cost of a turn for ``questions: null``, relative to the gain of a success.
    """

    questions: int | None = Field(default=5, ge=0)
    turn_cost: float = Field(default=0.03, ge=0)


class BayesAgent(PosteriorAgent):
    """Asks about the least certain attribute, then shows the most probable items given the answers.

    The prior of an item is its number of interactions, the likelihood of a yes the rate among its
    users; see `agents.shared.item_posterior`.
    """

    name: ClassVar[str] = "conv_bayes"
    reads = frozenset({"item_features", "item_ids"})
    Config: ClassVar[type[AgentConfig]] = BayesConfig
    _config: BayesConfig

    def act(self, obs: Observation) -> Turn:
        """Ask or show, in every conversation."""
        prediction = self._posterior.update(obs)
        may = obs["action_mask"][:, :-1] > 0
        best = np.argmax(np.where(may, binary_entropy(prediction.yes), -1.0), axis=1)
        ask = np.where(self._worth_asking(obs, prediction, best) & may.any(axis=1), best, -1)
        return self._turn(ask, prediction)

    def _worth_asking(self, obs: Observation, prediction: Prediction, question: Ints) -> Bools:
        """Return in which conversations to ask the question, ``(B,)``."""
        turn = obs["turn"][:, 0]
        left = self._problem.max_turns - turn
        if self._config.questions is not None:
            within: Bools = (turn < self._config.questions) & (left > 1)
            return within
        gains = look_ahead(
            prediction.belief,
            self._posterior.likelihood,
            np.where(left > 1, question, -1)[:, None],
            left,
            slate_size=self._problem.slate_size,
            turn_cost=self._config.turn_cost,
        )
        better: Bools = gains.ask > gains.show
        return better

    def _learned(self) -> dict[str, Any]:
        return self._posterior.state_dict()

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._posterior.load_state_dict(state)
