"""Recommenders that do not listen: the items of most reviews, and any items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.critiquing.baseline import Baseline, BaselineConfig, Bools, Ints
from recsim.contracts.slates import FitReport, Observation
from recsim.critiquing import AspectReviews, CritiquingProblem
from recsim.critiquing.streams import uniform
from recsim.errors import UserError

# Tells apart what is drawn of the same session; see `recsim.critiquing.streams`.
_ORDER = 0x0D


class PopularCritiqueAgent(Baseline):
    """Shows the items with the most train reviews, one after the other.

    An aspect is meant as strongly as often as train reviews of the item mention it. It listens to
    critiques only through ``aspect_filter``.
    """

    name: ClassVar[str] = "critique_popularity"

    def __init__(self, config: BaselineConfig, problem: CritiquingProblem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._counts: NDArray[np.int64] | None = None
        self._mentions: NDArray[np.int64] | None = None  # (I, K)

    def fit(self, data: AspectReviews) -> FitReport:
        """Count the train reviews of each item, and what they mention."""
        self._counts, self._mentions = data.item_popularity, data.item_counts
        return super().fit(data)

    def scores(self, obs: Observation) -> NDArray[np.float64]:
        """Return the number of train reviews of each item, the same in all sessions."""
        if self._counts is None:
            raise self.unfitted()
        return np.tile(self._counts.astype(np.float64), (len(obs["user"]), 1))

    def justification(self, obs: Observation, items: Ints) -> tuple[Bools, NDArray[Any] | None]:
        """Return what train reviews of the items mention, and how many do, ``(B, K)`` each."""
        if self._mentions is None:
            raise self.unfitted()
        mentions = self._mentions[items]
        return mentions > 0, mentions

    def state_dict(self) -> dict[str, Any]:
        """Return the counts, if there are any."""
        counts = {"counts": self._counts, "mentions": self._mentions}
        own = {name: None if of is None else of.copy() for name, of in counts.items()}
        return super().state_dict() | own

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the counts of the saved agent.

        Raises:
            UserError: They are of another catalogue.
        """
        counts = state["counts"]
        if counts is not None and len(counts) != self._problem.num_items:
            raise UserError(
                f"saved agent state: of {len(counts)} items; there are {self._problem.num_items}."
            )
        super().load_state_dict(state)
        self._counts = None if counts is None else np.array(counts, dtype=np.int64)
        mentions = None if counts is None else np.array(state["mentions"], dtype=np.int64)
        self._mentions = mentions


class RandomCritiqueAgent(Baseline):
    """Shows items in an order drawn at random for each session.

    It listens to critiques only through ``aspect_filter``.
    """

    name: ClassVar[str] = "critique_random"

    def scores(self, obs: Observation) -> NDArray[np.float64]:
        """Return the same random numbers at every turn of a session."""
        sessions = self._sessions
        first = np.zeros_like(sessions)
        return uniform(self._seed, sessions, first, self._problem.num_items, _ORDER)
