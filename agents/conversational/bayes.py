"""Asks what is least certain, and shows what is most probable, by counts alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agents.agent import AgentConfig, FitReport, Observation
from agents.conversational.max_entropy import binary_entropy
from agents.conversational.popularity import filled
from agents.dialogue import Turn
from agents.fact_crs.belief import Belief, probabilities
from agents.fact_crs.likelihood import Likelihood
from agents.fact_crs.lookahead import look_ahead
from agents.fact_crs.rows import Rows
from recsim.dialogue import AttributeData, DialogueProblem
from recsim.dialogue.ranking import best_allowed, unshown
from recsim.errors import UserError

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
    dialogues: ClassVar[bool] = True

    def __init__(self, config: BayesConfig, problem: DialogueProblem, seed: int) -> None:
        self._config, self._problem = config, problem
        self._known: Ints | None = None
        self._likelihood: Likelihood | None = None
        self._belief: Belief | None = None
        self._told: list[str] = []

    def fit(self, data: AttributeData) -> FitReport:
        """Count interactions and answers of the train part."""
        rows = Rows.of(data, caring=not self._problem.no_filters)
        config = self._config
        self._known, self._belief = rows.known, None
        having = self._problem.item_attributes[rows.known]
        self._likelihood = Likelihood.of(rows, having, smoothing=config.smoothing, slip=config.slip)
        return FitReport(rows=len(data.rows("train")))

    def begin(self, batch_size: int) -> None:
        """Forget all dialogues, and expect ``batch_size`` new ones.

        Raises:
            UserError: Nothing was learned yet.
        """
        if self._likelihood is None:
            raise UserError("agent 'conv_bayes' must be fitted before it can act.")
        self._belief = Belief(self._likelihood, batch_size, self._problem.num_attributes)

    def act(self, obs: Observation) -> Turn:
        """Ask or show, in every dialogue."""
        answers, count = obs["answers"], len(obs["answers"])
        if self._belief is None:
            self.begin(count)
        assert self._belief is not None
        assert self._likelihood is not None
        assert self._known is not None
        anew = np.flatnonzero(((self._belief.known > 0) & (answers == 0)).any(axis=1))
        self._belief.forget(anew)  # another dialogue has taken the row
        self._belief.hear(np.arange(count), np.where(answers == 3, 1, answers))
        free = unshown(obs["shown"], self._problem.num_items)
        scores = np.where(free[:, self._known], self._belief.scores, -np.inf)
        belief = probabilities(scores)  # (B, S)
        every = np.arange(self._problem.num_attributes)
        predicted = belief @ self._likelihood.chances(every).T  # (B, F)
        may = obs["action_mask"][:, :-1] > 0
        best = np.argmax(np.where(may, binary_entropy(predicted), -1.0), axis=1)
        ask = np.where(self._worth(obs, belief, best) & may.any(axis=1), best, -1)
        size = self._problem.slate_size
        place = best_allowed(scores, free[:, self._known], size)
        slates = np.where(place >= 0, self._known[place], -1)
        held = np.where(place >= 0, np.take_along_axis(belief, place, axis=1), 0.0).sum(axis=1)
        names = self._problem.attribute_names
        self._told = [
            f"Asked for '{names[one]}': a yes is {yes:.0%} likely."
            if one >= 0
            else f"Showed the most probable items: {share:.0%} that one is right."
            for one, yes, share in zip(
                ask.tolist(), predicted[np.arange(count), best], held.tolist(), strict=True
            )
        ]
        return Turn(ask, filled(slates, np.arange(self._problem.num_items), free))

    def explain(self, row: int) -> str:
        """Say why the last turn of a dialogue was what it was."""
        return self._told[row]

    def _worth(
        self, obs: Observation, belief: NDArray[np.floating], question: Ints
    ) -> NDArray[np.bool_]:
        """Return in which dialogues a question is to be asked, ``(B,)``."""
        turn = obs["turn"][:, 0]
        left = self._problem.max_turns - turn
        if self._config.questions is not None:
            within: NDArray[np.bool_] = (turn < self._config.questions) & (left > 1)
            return within
        assert self._likelihood is not None
        outlook = look_ahead(
            belief,
            self._likelihood,
            np.where(left > 1, question, -1)[:, None],
            left,
            slate_size=self._problem.slate_size,
            turn_cost=self._config.turn_cost,
        )
        better: NDArray[np.bool_] = outlook.ask > outlook.show
        return better

    def state_dict(self) -> dict[str, Any]:
        """Return what was counted, or nothing if nothing was."""
        if self._likelihood is None or self._known is None:
            return {}
        return {"known": self._known.copy(), "likelihood": self._likelihood.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what the saved agent counted."""
        self._known = self._likelihood = self._belief = None
        if "known" in state:
            self._known = np.array(state["known"], dtype=np.int64)
            self._likelihood = Likelihood.from_state(
                state["likelihood"],
                self._problem.item_attributes[self._known],
                smoothing=self._config.smoothing,
                slip=self._config.slip,
            )
