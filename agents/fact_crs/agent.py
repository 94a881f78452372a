"""FacT-CRS holds conversations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from agents.fact_crs.config import FactCRSConfig
from agents.fact_crs.explaining import Reason
from agents.fact_crs.model import Model
from agents.fact_crs.state import Conversations
from recsim.contracts.conversations import Turn
from recsim.contracts.slates import FitReport, Observation
from recsim.conversation import AttributeData, ConversationProblem
from recsim.errors import UserError


class FactCRSAgent:
    """A forest of questions; see the package."""

    Config: ClassVar[type[FactCRSConfig]] = FactCRSConfig
    conversations: ClassVar[bool] = True

    def __init__(self, config: FactCRSConfig, problem: ConversationProblem, seed: int) -> None:
        if config.turn_accounting == "paper" and not problem.free_recommendations:
            raise UserError(
                "agent 'fact_crs': turn_accounting is 'paper', which shows some slates free of "
                "charge; the environment must allow that: free_recommendations=N."
            )
        self._config, self._problem, self._seed = config, problem, seed
        self._model: Model | None = None
        self._state: Conversations | None = None

    @property
    def model(self) -> Model:
        """What was learned.

        Raises:
            UserError: Nothing was.
        """
        if self._model is None:
            raise UserError("agent 'fact_crs' must be fitted before it can act.")
        return self._model

    def fit(self, data: AttributeData) -> FitReport:
        """Grow the forest on the train part."""
        self._model = Model.fit(self._config, self._problem, data, self._seed)
        return FitReport(rows=len(data.rows("train")))

    def begin(self, batch_size: int) -> None:
        """Forget all conversations, and expect ``batch_size`` new ones."""
        self._state = Conversations(self.model, self._problem, batch_size)

    def act(self, obs: Observation) -> Turn:
        """Ask what the forest proposes, or show the best items."""
        if self._state is None:
            self.begin(len(obs["answers"]))
        assert self._state is not None
        ask, slates, free = self._state.turn(obs)
        return Turn(ask, slates, free if self._config.turn_accounting == "paper" else None)

    def explain(self, row: int) -> str:
        """Say why the last turn of a conversation was what it was."""
        return self.reason(row).text(self._problem)

    def reason(self, row: int) -> Reason:
        """Return what the last turn of a conversation was decided by.

        Raises:
            UserError: There was none.
        """
        reason = None if self._state is None else self._state.reason(row)
        if reason is None:
            raise UserError(f"agent 'fact_crs' did nothing yet in conversation {row}.")
        return reason

    def state_dict(self) -> dict[str, Any]:
        """Return what was learned, or nothing if nothing was."""
        return {"model": None if self._model is None else self._model.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        saved = state["model"]
        self._state = self._model = None
        if saved is not None:
            self._model = Model.from_state(self._config, self._problem, saved)
