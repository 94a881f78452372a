"""Which item it is, by counts: prior from the interactions, likelihood from their answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.conversation.popularity import filled
from agents.fact_crs.belief import Belief, probabilities
from agents.fact_crs.likelihood import Likelihood
from agents.fact_crs.rows import Rows
from recsim.contracts.slates import Observation
from recsim.conversation import AttributeData, ConversationProblem
from recsim.conversation.ranking import best_allowed, unshown
from recsim.errors import UserError

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]


class Outlook(NamedTuple):
    """What is known in B conversations.

    Attributes:
        belief: Probability of each known item, 0 where it was shown, ``(B, S)``.
        predicted: Probability of a yes to each attribute, ``(B, F)``.
        slates: The most probable items, then others, ``(B, K)``.
        held: Probability that the slate holds the target, ``(B,)``.
    """

    belief: Floats
    predicted: Floats
    slates: Ints
    held: Floats


class Posterior:
    """The posterior of the items in B conversations; see `agents.fact_crs.likelihood`.

    Args:
        name: The agent, for messages.
        problem: The public facts.
        smoothing: Interactions that the yes rate of an attribute is worth for an item.
        slip: Least probability of an answer.
    """

    def __init__(
        self, name: str, problem: ConversationProblem, *, smoothing: float, slip: float
    ) -> None:
        self._name, self._problem = name, problem
        self._settings = {"smoothing": smoothing, "slip": slip, "certain": problem.no_filters}
        self._known: Ints | None = None
        self._likelihood: Likelihood | None = None
        self._belief: Belief | None = None

    @property
    def likelihood(self) -> Likelihood:
        """Chances of a yes.

        Raises:
            UserError: Nothing was learned yet.
        """
        if self._likelihood is None:
            raise UserError(f"agent {self._name!r} must be fitted before it can act.")
        return self._likelihood

    def fit(self, data: AttributeData) -> None:
        """Count interactions and answers of the train part."""
        rows = Rows.of(data, caring=not self._problem.no_filters)
        having = self._problem.item_attributes[rows.known]
        self._known, self._belief = rows.known, None
        self._likelihood = Likelihood.of(rows, having, **self._settings)

    def begin(self, size: int) -> None:
        """Forget all conversations, and expect ``size`` new ones."""
        self._belief = Belief(self.likelihood, size, self._problem.num_attributes)

    def hear(self, obs: Observation) -> Outlook:
        """Take in what was said, and say what follows."""
        answers, count = obs["answers"], len(obs["answers"])
        if self._belief is None:
            self.begin(count)
        assert self._belief is not None
        assert self._known is not None
        anew = ((self._belief.known > 0) & (answers == 0)).any(axis=1)
        self._belief.forget(np.flatnonzero(anew))  # another conversation has taken the row
        self._belief.hear(np.arange(count), np.where(answers == 3, 1, answers))
        free = unshown(obs["shown"], self._problem.num_items)
        scores = np.where(free[:, self._known], self._belief.scores, -np.inf)
        belief = probabilities(scores)  # (B, S)
        place = best_allowed(scores, free[:, self._known], self._problem.slate_size)
        held = np.where(place >= 0, np.take_along_axis(belief, place, axis=1), 0.0).sum(axis=1)
        slates = np.where(place >= 0, self._known[place], -1)
        return Outlook(
            belief=belief,
            predicted=self.likelihood.predicted(belief),
            slates=filled(slates, np.arange(self._problem.num_items), free),
            held=held,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return what was counted, or nothing if nothing was."""
        if self._likelihood is None or self._known is None:
            return {}
        return {"known": self._known.copy(), "likelihood": self._likelihood.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what was counted."""
        self._known = self._likelihood = self._belief = None
        if "known" in state:
            self._known = np.array(state["known"], dtype=np.int64)
            having = self._problem.item_attributes[self._known]
            self._likelihood = Likelihood.from_state(state["likelihood"], having, **self._settings)


def in_words(outlook: Outlook, ask: Ints, names: tuple[str, ...]) -> list[str]:
    """Say why each conversation asks or shows, B texts."""
    chosen = outlook.predicted[np.arange(len(ask)), np.maximum(ask, 0)]
    return [
        f"Asked for '{names[one]}': a yes is {yes:.0%} likely."
        if one >= 0
        else f"Showed the most probable items: {share:.0%} that one is right."
        for one, yes, share in zip(
            ask.tolist(), chosen.tolist(), outlook.held.tolist(), strict=True
        )
    ]
