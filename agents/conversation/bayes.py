"""Asks what is least certain, and shows what is most probable, by counts alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agents.conversation.max_entropy import binary_entropy
from agents.conversation.posterior import Outlook, Posterior, in_words
from agents.fact_crs.lookahead import look_ahead
from recsim.contracts.conversations import Turn
from recsim.contracts.slates import AgentConfig, FitReport, Observation
from recsim.conversation import AttributeData, ConversationProblem

Ints = NDArray[np.int64]


class BayesConfig(AgentConfig):
    """Settings of `BayesAgent`.

    Attributes:
        questions: Turns at the beginning in which it asks; None to ask while the expected gain of
            the question is more than that of showing.
        turn_cost: What a turn costs where that is weighed; a success earns 1.
        smoothing: Interactions that the yes rate of an attribute is worth for an item.
        slip: Least probability of an answer.
    """

    questions: int | None = Field(default=5, ge=0)
    turn_cost: float = Field(default=0.03, ge=0)
    smoothing: float = Field(default=5.0, gt=0)
    slip: float = Field(default=1e-4, gt=0, lt=0.5)


class BayesAgent:
    """Keeps the posterior of the items given the answers; asks for what halves it best.

    The prior of an item is how often it was taken, the likelihood of a yes how often its users said
    so, see `agents.fact_crs.likelihood`. It asks for the attribute whose answer is least certain,
    then shows the most probable items.
    """

    Config: ClassVar[type[AgentConfig]] = BayesConfig
    conversations: ClassVar[bool] = True

    def __init__(self, config: BayesConfig, problem: ConversationProblem, seed: int) -> None:
        self._config, self._problem = config, problem
        self._posterior = Posterior(
            "conv_bayes", problem, smoothing=config.smoothing, slip=config.slip
        )
        self._told: list[str] = []

    def fit(self, data: AttributeData) -> FitReport:
        """Count interactions and answers of the train part."""
        self._posterior.fit(data)
        return FitReport(rows=len(data.rows("train")))

    def begin(self, batch_size: int) -> None:
        """Forget all conversations, and expect ``batch_size`` new ones."""
        self._posterior.begin(batch_size)

    def act(self, obs: Observation) -> Turn:
        """Ask or show, in every conversation."""
        seen = self._posterior.hear(obs)
        may = obs["action_mask"][:, :-1] > 0
        best = np.argmax(np.where(may, binary_entropy(seen.predicted), -1.0), axis=1)
        ask = np.where(self._worth(obs, seen, best) & may.any(axis=1), best, -1)
        self._told = in_words(seen, ask, self._problem.attribute_names)
        return Turn(ask, seen.slates)

    def explain(self, row: int) -> str:
        """Say why the last turn of a conversation was what it was."""
        return self._told[row]

    def _worth(self, obs: Observation, seen: Outlook, question: Ints) -> NDArray[np.bool_]:
        """Return in which conversations a question is to be asked, ``(B,)``."""
        turn = obs["turn"][:, 0]
        left = self._problem.max_turns - turn
        if self._config.questions is not None:
            within: NDArray[np.bool_] = (turn < self._config.questions) & (left > 1)
            return within
        outlook = look_ahead(
            seen.belief,
            self._posterior.likelihood,
            np.where(left > 1, question, -1)[:, None],
            left,
            slate_size=self._problem.slate_size,
            turn_cost=self._config.turn_cost,
        )
        better: NDArray[np.bool_] = outlook.ask > outlook.show
        return better

    def state_dict(self) -> dict[str, Any]:
        """Return what was counted, or nothing if nothing was."""
        return self._posterior.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what the saved agent counted."""
        self._posterior.load_state_dict(state)
