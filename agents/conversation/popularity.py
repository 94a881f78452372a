"""Recommenders that never ask: the items that were taken most often, ten at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from recsim.contracts.conversations import Turn
from recsim.contracts.slates import AgentConfig, FitReport, Observation
from recsim.conversation import AttributeData, ConversationProblem
from recsim.conversation.ranking import consistent, first_allowed, unshown
from recsim.errors import UserError

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


class Counting:
    """What follows from knowing how often each item was taken."""

    name: ClassVar[str]
    Config: ClassVar[type[AgentConfig]] = AgentConfig
    conversations: ClassVar[bool] = True

    def __init__(self, config: AgentConfig, problem: ConversationProblem, seed: int) -> None:
        self._problem = problem
        self._counts: Ints | None = None
        self._size = 0

    @property
    def order(self) -> Ints:
        """Items from the most to the least often taken, ties by number, ``(I,)``.

        Raises:
            UserError: Nothing was learned yet.
        """
        if self._counts is None:
            raise UserError(f"agent {self.name!r} must be fitted before it can act.")
        return np.argsort(-self._counts, kind="stable")

    def fit(self, data: AttributeData) -> FitReport:
        """Count how often each item was taken in the train part."""
        self._counts = data.counts("train")
        return FitReport(rows=len(data.rows("train")))

    def begin(self, batch_size: int) -> None:
        """Forget all conversations."""
        self._size = batch_size

    def free(self, obs: Observation) -> Bools:
        """Return which items were not shown yet, ``(B, I)``."""
        return unshown(obs["shown"], self._problem.num_items)

    def fitting(self, obs: Observation) -> Bools:
        """Return which items the answers leave, as far as they rule any out, ``(B, I)``."""
        return self.free(obs) & consistent(self._problem, obs["answers"])

    def state_dict(self) -> dict[str, Any]:
        """Return the counts, or nothing if nothing was learned."""
        return {} if self._counts is None else {"counts": self._counts.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the counts of the saved agent.

        Raises:
            UserError: They are of another catalogue.
        """
        counts = state.get("counts")
        if counts is not None and len(counts) != self._problem.num_items:
            raise UserError(
                f"saved agent state: of {len(counts)} items; there are {self._problem.num_items}."
            )
        self._counts = None if counts is None else np.array(counts, dtype=np.int64)


class PopularItemsAgent(Counting):
    """Shows the most popular items that it has not shown yet, and asks for nothing."""

    name: ClassVar[str] = "conv_popularity"

    def act(self, obs: Observation) -> Turn:
        """Show the next most popular items."""
        slates = first_allowed(self.order, self.free(obs), self._problem.slate_size)
        return Turn(np.full(len(slates), -1), slates)

    def explain(self, row: int) -> str:
        """Say why these were shown."""
        return "Showed the most popular items that were not shown yet."


class AbsGreedyAgent(Counting):
    """Shows the most popular items that fit what is known, and asks for nothing.

    Known is what the user opened with, and which items were rejected. Without an opening it is
    `PopularItemsAgent`. After Christakopoulou, Radlinski and Hofmann, "Towards Conversational
    Recommender Systems", KDD 2016, whose ranking is learned from rejections; here they only remove
    items.
    """

    name: ClassVar[str] = "conv_abs_greedy"

    def act(self, obs: Observation) -> Turn:
        """Show the next most popular items that fit; others where none are left."""
        size = self._problem.slate_size
        slates = first_allowed(self.order, self.fitting(obs), size)
        return Turn(np.full(len(slates), -1), filled(slates, self.order, self.free(obs)))

    def explain(self, row: int) -> str:
        """Say why these were shown."""
        return "Showed the most popular items that fit and were not shown yet."


def filled(slates: Ints, order: Ints, free: Bools) -> Ints:
    """Fill the empty slots of slates ``(B, K)`` with the first free items of a ranking."""
    short = np.flatnonzero(slates[:, -1] < 0)
    if not short.size:
        return slates
    left, size = free[short].copy(), slates.shape[1]
    row, slot = np.nonzero(slates[short] >= 0)
    left[row, slates[short][row, slot]] = False
    both = np.concatenate([slates[short], first_allowed(order, left, size)], axis=1)  # (n, 2K)
    real_first = np.argsort(both < 0, axis=1, kind="stable")[:, :size]
    slates = slates.copy()
    slates[short] = np.take_along_axis(both, real_first, axis=1)
    return slates
