"""Posterior of the items in a batch of conversations, and the base of agents that use it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agents.shared.base import BaseConversationAgent
from agents.shared.item_posterior import (
    AnsweredInteractions,
    Belief,
    Likelihood,
    probabilities,
)
from recsim.arrays import Ints
from recsim.contracts.conversations import Turn
from recsim.contracts.slates import AgentConfig, FitReport, Observation
from recsim.conversation import AttributeData, ConversationProblem
from recsim.conversation.ranking import best_allowed, filled, unshown
from recsim.errors import AgentError


class PosteriorConfig(AgentConfig):
    """Settings of the posterior.

    Attributes:
        smoothing: Number of interactions that the yes rate of an attribute counts for.
        slip: Smallest probability of an answer.
    """

    smoothing: float = Field(default=5.0, gt=0)
    slip: float = Field(default=1e-4, gt=0, lt=0.5)


class Prediction(NamedTuple):
    """Probabilities in B conversations.

    Attributes:
        belief: Probability of each known item, 0 if it was shown, ``(B, S)``.
        yes: Probability of a yes to each attribute, ``(B, F)``.
        slates: The most probable items, then others, ``(B, K)``.
        success: Probability that the slate holds the target, ``(B,)``.
    """

    belief: NDArray[np.floating]
    yes: NDArray[np.floating]
    slates: Ints
    success: NDArray[np.floating]


class Posterior:
    """The posterior of the items in B conversations; see `agents.shared.item_posterior`.

    Args:
        config: Settings.
        problem: The problem.
        unfitted: Returns the error of an agent that was not fitted.
    """

    def __init__(
        self,
        config: PosteriorConfig,
        problem: ConversationProblem,
        unfitted: Callable[[], AgentError],
    ) -> None:
        self._problem, self._unfitted = problem, unfitted
        self._settings: dict[str, Any] = {
            "smoothing": config.smoothing,
            "slip": config.slip,
            "certain": problem.no_filters,
        }
        self._known: Ints | None = None
        self._likelihood: Likelihood | None = None
        self._belief: Belief | None = None

    @property
    def likelihood(self) -> Likelihood:
        """Probabilities of a yes.

        Raises:
            AgentError: If the agent was not fitted.
        """
        if self._likelihood is None:
            raise self._unfitted()
        return self._likelihood

    def fit(self, data: AttributeData) -> None:
        """Count interactions and answers of the train part."""
        train = AnsweredInteractions.of(data, caring=not self._problem.no_filters)
        having = self._problem.item_attributes[train.known]
        self._known, self._belief = train.known, None
        self._likelihood = Likelihood.of(train, having, **self._settings)

    def begin(self, size: int) -> None:
        """Start ``size`` new conversations."""
        self._belief = Belief(self.likelihood, size, self._problem.num_attributes)

    def update(self, obs: Observation) -> Prediction:
        """Condition on the answers in an observation and return the predictions."""
        answers, count = obs["answers"], len(obs["answers"])
        if self._belief is None:
            self.begin(count)
        assert self._belief is not None
        assert self._known is not None
        new = ((self._belief.known > 0) & (answers == 0)).any(axis=1)
        self._belief.reset(np.flatnonzero(new))  # the row holds another conversation now
        self._belief.update(np.arange(count), np.where(answers == 3, 1, answers))
        free = unshown(obs["shown"], self._problem.num_items)
        scores = np.where(free[:, self._known], self._belief.scores, -np.inf)
        belief = probabilities(scores)  # (B, S)
        best = best_allowed(scores, free[:, self._known], self._problem.slate_size)
        slates = np.where(best >= 0, self._known[best], -1)
        chosen = np.where(best >= 0, np.take_along_axis(belief, best, axis=1), 0.0)
        return Prediction(
            belief=belief,
            yes=self.likelihood.predicted(belief),
            slates=filled(slates, np.arange(self._problem.num_items), free),
            success=chosen.sum(axis=1),
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the counts if the agent was fitted."""
        if self._likelihood is None or self._known is None:
            return {}
        return {"known": self._known.copy(), "likelihood": self._likelihood.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load saved counts."""
        self._known = self._likelihood = self._belief = None
        if "known" in state:
            self._known = np.array(state["known"], dtype=np.int64)
            having = self._problem.item_attributes[self._known]
            self._likelihood = Likelihood.from_state(state["likelihood"], having, **self._settings)


class PosteriorAgent(BaseConversationAgent):
    """Base of agents that ask or show the most probable items given the answers.

    A subclass adds ``act``.
    """

    def __init__(self, config: PosteriorConfig, problem: ConversationProblem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._posterior = Posterior(config, problem, self.unfitted)
        self._explanations: list[str] = []

    def fit(self, data: AttributeData) -> FitReport:
        """Count interactions and answers of the train part."""
        self._posterior.fit(data)
        return FitReport(rows=len(data.rows("train")))

    def begin(self, batch_size: int) -> None:
        """Start ``batch_size`` new conversations."""
        self._posterior.begin(batch_size)

    def _turn(self, ask: Ints, prediction: Prediction) -> Turn:
        """Return a turn, and record the reason in each conversation.

        Args:
            ask: Attributes to ask about, -1 to show the most probable items, ``(B,)``.
            prediction: The predictions.
        """
        names = self._problem.attribute_names
        chosen = prediction.yes[np.arange(len(ask)), np.maximum(ask, 0)]
        self._explanations = [
            f"Asked about '{names[one]}': a yes is {yes:.0%} likely."
            if one >= 0
            else f"Showed the most probable items: {success:.0%} that one is right."
            for one, yes, success in zip(
                ask.tolist(), chosen.tolist(), prediction.success.tolist(), strict=True
            )
        ]
        return Turn(ask, prediction.slates)

    def explain(self, row: int) -> str:
        """Return the reason of the last turn of a conversation in words."""
        return self._explanations[row]
