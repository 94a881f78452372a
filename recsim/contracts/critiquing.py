"""The contract between an agent whose recommendations are criticised and whoever runs it.

As in `recsim.contracts.slates`, everything is batched, and an agent never sees an environment.
Observations are those of ``CritiqueRec-v0``, with a leading axis of sessions:

================  =========  ================================================================
key               shape      content
================  =========  ================================================================
``user``          (B, 1)     who it is; -1 for somebody who is not known
``preferences``   (B, K)     c: what the user wrote of, less what was criticised since
``critiqued``     (B, K)     -1 criticised, 1 praised, 0 neither
``shown``         (B, T)     item ids shown so far, oldest first, padded with -1
``turn``          (B, 1)     turns taken
``action_mask``   (B, I)     1 where the item may be shown
================  =========  ================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from recsim.contracts.slates import AgentConfig, FitReport, Observation
from recsim.critiquing import AspectReviews, CritiquingProblem


@dataclass(frozen=True, eq=False)
class Showing:
    """What the agent thinks of all items in each session, and why.

    The item shown is the one with the highest score of those that may be shown; of several, the
    one with the lowest number.

    Attributes:
        scores: ``(B, I)`` floats.
        justification: Aspects that the item is recommended for, ``(B, K)`` bool.
        aspects: How strongly each aspect is meant for the item shown, ``(B, K)`` floats, the more
            the better; None where an agent does not rank them. It is judged, and shown to nobody.
    """

    scores: NDArray[np.floating]
    justification: NDArray[np.bool_]
    aspects: NDArray[Any] | None = None


@runtime_checkable
class CritiquingAgent(Protocol):
    """A recommender that justifies what it shows, and takes criticism.

    Class attributes:
        Config: The pydantic model of its settings.
        critiquing: True; tells it from agents that recommend slates or hold conversations.
    """

    Config: ClassVar[type[AgentConfig]]
    critiquing: ClassVar[bool]

    def __init__(self, config: Any, problem: CritiquingProblem, seed: int) -> None: ...

    def fit(self, data: AspectReviews) -> FitReport:
        """Learn from the train part; choose by the valid part. A second fit replaces the first."""
        ...

    def begin(self, sessions: NDArray[np.int64]) -> None:
        """Forget all sessions, and expect new ones.

        Args:
            sessions: Their numbers, ``(B,)``. Whatever the agent draws in a session may depend on
                its seed, the number and the turn only.
        """
        ...

    def act(self, obs: Observation) -> Showing:
        """Judge all items, and justify the one shown, in every session."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a fresh agent of the same config needs to act the same way."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        ...
