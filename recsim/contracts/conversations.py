"""The contract between an agent that holds conversations and whoever runs it.

As in `recsim.contracts.slates`, everything is batched, and an agent never sees an environment.
Observations are those of ``ConvRec-v0``, with a leading axis of conversations:

==================  ===========  ==============================================================
key                 shape        content
==================  ===========  ==============================================================
``answers``         (B, F)       0 not asked, 1 yes, 2 no, 3 does not care
``shown``           (B, T*K)     item ids shown so far, padded with -1
``history``         (B, T)       what each turn was; see `envs.conversation.ConvRecEnv`
``turn``            (B, 1)       turns taken
``candidate_bin``   (B, 1)       floor(log2(n + 1)) of the n items that fit the answers
``action_mask``     (B, F + 1)   which questions, and in the last column showing, are allowed
==================  ===========  ==============================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from recsim.contracts.slates import AgentConfig, FitReport, Observation
from recsim.conversation import AttributeData, ConversationProblem


@dataclass(frozen=True, eq=False)
class Turn:
    """What the agent does in each conversation.

    Attributes:
        ask: Attribute asked for, ``(B,)``; -1 where the slate is shown.
        slates: Item ids, distinct and not shown before, ``(B, K)``, padded with -1 where nothing is
            left; ignored where the agent asks.
        free: Which slates are shown without a turn passing, ``(B,)``; None for none of them. Only
            where `ConversationProblem.free_recommendations` allows it.
    """

    ask: NDArray[np.int64]
    slates: NDArray[np.int64]
    free: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Reply:
    """What came of the turns just taken.

    Attributes:
        reward: ``(B,)``.
        done: True where the conversation ended, ``(B,)``.
        success: True where the slate was accepted, ``(B,)``.
        obs: What the agent sees after the turn; where the conversation ended, its last observation.
        active: False where the row is no conversation of interest and must be ignored, ``(B,)``.
    """

    reward: NDArray[np.float64]
    done: NDArray[np.bool_]
    success: NDArray[np.bool_]
    obs: Observation
    active: NDArray[np.bool_]


@runtime_checkable
class ConversationAgent(Protocol):
    """A recommender that asks.

    Class attributes:
        Config: The pydantic model of its settings.
        conversations: True; tells it from an agent that recommends slates only.

    An agent may also have ``explain(row) -> str``: why it did what it did last in a conversation,
    in words for the user, and ``observe(reply)``, to learn from the turns it takes.
    """

    Config: ClassVar[type[AgentConfig]]
    conversations: ClassVar[bool]

    def __init__(self, config: Any, problem: ConversationProblem, seed: int) -> None: ...

    def fit(self, data: AttributeData) -> FitReport:
        """Learn from the train part; choose by the valid part. A second fit replaces the first."""
        ...

    def begin(self, batch_size: int) -> None:
        """Forget all conversations, and expect ``batch_size`` new ones."""
        ...

    def act(self, obs: Observation) -> Turn:
        """Ask or show, in every conversation."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a fresh agent of the same config needs to act the same way."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        ...
