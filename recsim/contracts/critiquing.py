"""The contract of agents whose recommendations are critiqued.

As in `recsim.contracts.slates`, everything is batched, and an agent never sees an environment.
Observations are those of ``CritiqueRec-v0``, with a leading axis of sessions:

================  =========  ================================================================
key               shape      content
================  =========  ================================================================
``user``          (B, 1)     id of the user; -1 for an unknown user
``preferences``   (B, K)     c: aspects that the user wrote about, less those criticised since
``critiqued``     (B, K)     -1 criticised, 1 praised, 0 neither
``shown``         (B, T)     item ids shown so far, oldest first, padded with -1
``turn``          (B, 1)     turns taken
``action_mask``   (B, I)     1 where the item may be shown
================  =========  ================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from numpy.typing import NDArray

from recsim.arrays import AnyFloats, Bools, Ints
from recsim.contracts.slates import AgentConfig, FitReport, Observation

if TYPE_CHECKING:
    from recsim.critiquing import AspectReviews, CritiquingProblem


@dataclass(frozen=True, eq=False)
class Showing:
    """The agent's scores of all items in each session, and its justification of the best one.

    Of the items that may be shown, the one with the highest score is shown; of several, the one
    with the lowest id.

    Attributes:
        scores: ``(B, I)`` floats.
        justification: Aspects that the item is recommended for, ``(B, K)`` bool.
        aspects: Score of each aspect for the item shown, ``(B, K)`` floats, higher is better; None
            if the agent does not rank aspects. Used for evaluation only, never shown to the user.
    """

    scores: AnyFloats
    justification: Bools
    aspects: NDArray[Any] | None = None


@runtime_checkable
class CritiquingAgent(Protocol):
    """A recommender that justifies the item that it shows, and reacts to critiques.

    Class attributes:
        Config: The pydantic model of its settings.
        critiquing: True; marks an agent of this kind.
    """

    Config: ClassVar[type[AgentConfig]]
    critiquing: ClassVar[bool]

    def __init__(self, config: Any, problem: CritiquingProblem, seed: int) -> None: ...

    def fit(self, data: AspectReviews) -> FitReport:
        """Learn from the train part, select by the valid part. A second fit replaces the first."""
        ...

    def begin(self, sessions: Ints) -> None:
        """Forget all sessions and start new ones.

        Args:
            sessions: Their numbers, ``(B,)``. What the agent draws in a session may depend only on
                its seed, the number of the session and the turn.
        """
        ...

    def act(self, obs: Observation) -> Showing:
        """Score all items and justify the one shown, in every session."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return all that a fresh agent of the same settings needs to act the same way."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        ...
