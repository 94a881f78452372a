"""The contract of agents that hold conversations.

As in `recsim.contracts.slates`, everything is batched, and an agent never sees an environment.
Observations are those of ``ConvRec-v0``, with a leading axis of conversations:

==================  ===========  ==============================================================
key                 shape        content
==================  ===========  ==============================================================
``answers``         (B, F)       0 not asked, 1 yes, 2 no, 3 does not care
``shown``           (B, T*K)     item ids shown so far, padded with -1
``history``         (B, T)       kind of each turn; see `envs.conversation.ConvRecEnv`
``turn``            (B, 1)       turns taken
``candidate_bin``   (B, 1)       floor(log2(n + 1)) of the n items that fit the answers
``action_mask``     (B, F + 1)   allowed questions; in the last column, whether showing is allowed
==================  ===========  ==============================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from recsim.arrays import Bools, Floats, Ints
from recsim.contracts.slates import AgentConfig, FitReport, Observation

if TYPE_CHECKING:
    from recsim.conversation import AttributeData, ConversationProblem


@dataclass(frozen=True, eq=False)
class Turn:
    """The agent's turn in each conversation.

    Attributes:
        ask: Attribute that the agent asks about, ``(B,)``; -1 where it shows the slate.
        slates: Item ids, distinct and not shown before, ``(B, K)``, padded with -1 if too few items
            are left; ignored where the agent asks.
        free: Which slates are shown without using a turn, ``(B,)``; None for none of them. Only if
            `ConversationProblem.free_recommendations` allows it.
    """

    ask: Ints
    slates: Ints
    free: Bools | None = None


@dataclass(frozen=True, eq=False)
class Reply:
    """The outcome of the turns just taken.

    Attributes:
        reward: ``(B,)``.
        done: True where the conversation ended, ``(B,)``.
        success: True where the slate was accepted, ``(B,)``.
        obs: Observation after the turn; where the conversation ended, its last observation.
        active: False where the row is padding and must be ignored, ``(B,)``.
    """

    reward: Floats
    done: Bools
    success: Bools
    obs: Observation
    active: Bools


@runtime_checkable
class ConversationAgent(Protocol):
    """A recommender that asks questions.

    Class attributes:
        Config: The pydantic model of its settings.
        conversations: True; marks an agent of this kind.

    An agent may also have ``explain(row) -> str``, the reason for its last turn in a conversation
    in words for the user, and ``observe(reply)``, to learn from its turns.
    """

    Config: ClassVar[type[AgentConfig]]
    conversations: ClassVar[bool]

    def __init__(self, config: Any, problem: ConversationProblem, seed: int) -> None: ...

    def fit(self, data: AttributeData) -> FitReport:
        """Learn from the train part, select by the valid part. A second fit replaces the first."""
        ...

    def begin(self, batch_size: int) -> None:
        """Forget all conversations and start ``batch_size`` new ones."""
        ...

    def act(self, obs: Observation) -> Turn:
        """Ask or show, in every conversation."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return all that a fresh agent of the same settings needs to act the same way."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        ...
