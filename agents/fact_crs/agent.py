"""The agent: FacT-CRS in conversations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from agents.fact_crs.config import FactCRSConfig
from agents.fact_crs.model import Model
from agents.fact_crs.reasons import Reason
from agents.fact_crs.state import Conversations
from agents.shared.base import BaseConversationAgent
from recsim.contracts.conversations import Turn
from recsim.contracts.slates import AgentConfig, FitReport, Observation
from recsim.conversation import AttributeData, ConversationProblem


class FactCRSAgent(BaseConversationAgent):
    """A forest of decision trees that asks questions or shows slates; see `agents.fact_crs`.

    Attributes:
        model_class: Class of the fitted model.
        state_class: Class of the conversations in progress.
    """

    name: ClassVar[str] = "fact_crs"
    reads = frozenset({"item_features", "item_ids"})
    Config: ClassVar[type[AgentConfig]] = FactCRSConfig
    model_class: ClassVar[type[Model]] = Model
    state_class: ClassVar[type[Conversations]] = Conversations
    _config: FactCRSConfig

    def __init__(self, config: FactCRSConfig, problem: ConversationProblem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._model: Model | None = None
        self._state: Conversations | None = None

    @property
    def model(self) -> Model:
        """The fitted model.

        Raises:
            AgentError: If the agent was not fitted.
        """
        return self.fitted(self._model)

    def fit(self, data: AttributeData) -> FitReport:
        """Grow the forest on the train part."""
        self._model = self.model_class.fit(self._config, self._problem, data, self._seed)
        return FitReport(rows=len(data.rows("train")))

    def begin(self, batch_size: int) -> None:
        """Start ``batch_size`` new conversations."""
        self._state = self.state_class(self.model, self._problem, batch_size)

    def act(self, obs: Observation) -> Turn:
        """Ask the best question of the forest, or show the best items."""
        if self._state is None:
            self.begin(len(obs["answers"]))
        assert self._state is not None
        return Turn(*self._state.turn(obs))

    def explain(self, row: int) -> str:
        """Return the reason of the last turn of a conversation in words."""
        return self.reason(row).text(self._problem)

    def reason(self, row: int) -> Reason:
        """Return the reason of the last turn of a conversation.

        Raises:
            AgentError: If there was no turn.
        """
        reason = None if self._state is None else self._state.reason(row)
        if reason is None:
            raise self.error(f"has not acted in conversation {row} yet.")
        return reason

    def _learned(self) -> dict[str, Any]:
        return {"model": None if self._model is None else self._model.state_dict()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        saved = state["model"]
        self._state = self._model = None
        if saved is not None:
            self._model = self.model_class.from_state(self._config, self._problem, saved)
