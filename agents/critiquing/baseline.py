"""What the baselines share: the hard filter, and a justification of what is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.critiquing.filtering import best_allowed, filtered
from recsim.contracts.critiquing import Showing
from recsim.contracts.slates import AgentConfig, FitReport, Observation
from recsim.critiquing import AspectReviews, CritiquingProblem
from recsim.errors import UserError

Bools = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


class BaselineConfig(AgentConfig):
    """Settings of all baselines.

    Attributes:
        aspect_filter: Whether an item that has a criticised aspect is shown only when all others
            were, as if users never erred; see `agents.critiquing.filtering`.
    """

    aspect_filter: bool = False


class Baseline:
    """A recommender that may filter, and justifies an item by all that train reviews say of it."""

    name: ClassVar[str]
    Config: ClassVar[type[BaselineConfig]] = BaselineConfig
    critiquing: ClassVar[bool] = True

    def __init__(self, config: BaselineConfig, problem: CritiquingProblem, seed: int) -> None:
        self._config, self._problem, self._seed = config, problem, seed
        self._sessions: Ints = np.zeros(0, dtype=np.int64)

    def fit(self, data: AspectReviews) -> FitReport:
        """Learn nothing."""
        return FitReport(rows=len(data.rows("train")))

    def begin(self, sessions: Ints) -> None:
        """Forget all sessions, and expect new ones of these numbers, ``(B,)``."""
        self._sessions = np.asarray(sessions, dtype=np.int64)

    def scores(self, obs: Observation) -> Floats:
        """Return what is thought of all items, ``(B, I)``, before any filter."""
        raise NotImplementedError

    def justification(self, obs: Observation, items: Ints) -> tuple[Bools, NDArray[Any] | None]:
        """Return what the items shown, ``(B,)``, are recommended for.

        Returns:
            The aspects, ``(B, K)``, and how strongly each is meant, ``(B, K)``; None if that is not
            known.
        """
        return self._problem.item_aspects[items], None

    def act(self, obs: Observation) -> Showing:
        """Judge all items, and justify the one shown, in every session."""
        # What the size of the batch does to the last bits of a product is rounded away.
        scores = self.scores(obs).astype(np.float32).astype(np.float64)
        if self._config.aspect_filter:
            scores = filtered(scores, obs["critiqued"], self._problem.item_aspects)
        items = best_allowed(scores, obs["action_mask"])
        return Showing(scores, *self.justification(obs, items))

    def state_dict(self) -> dict[str, Any]:
        """Return the seed."""
        return {"seed": self._seed}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the seed of the saved agent."""
        self._seed = int(state["seed"])

    def unfitted(self) -> UserError:
        """Return the error of an agent that learned nothing yet."""
        return UserError(f"agent {self.name!r} must be fitted before it can act.")
