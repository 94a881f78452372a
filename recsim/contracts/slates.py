"""The contract between an agent and whoever runs it.

Everything is batched over users; a batch of one is a batch. An agent never sees an environment:
it sees observations, gives decisions and hears feedback.

Observation: a mapping from name to array, all with a leading user axis. The keys are those of
``SlateRec-v0``:

======================  =============  ==================================================
key                     shape          content
======================  =============  ==================================================
``user_features``       (B, F)         what the system knows of the user
``history_items``       (B, H*K)       the last H slates shown, oldest first, padded with -1
``history_clicks``      (B, H*K)       1 where the shown item was clicked
``history_length``      (B, 1)         slates in the history, at most H
``feedback``            (B, R)         rewards of the last step, in the order of Problem.rewards
``candidates``          (B, C)         item ids that may be shown
``time``                (B, 3)         day, session of the user, step of the session
======================  =============  ==================================================

Observations of a log that knows its users also have ``user``, (B,): the row of the log's table of
users. Agents with ``privileged = True`` also get ``oracle_slate`` and ``long_term_slate``, both
(B, K) indices into ``candidates``, which no real system has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from recsim.log import SlateLog
from recsim.problem import Problem

Observation = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Decision:
    """What the agent shows.

    Attributes:
        slates: Indices into ``obs["candidates"]``, ``(B, K)`` integers.
        propensities: Probability that the policy puts this item at this position, given the
            observation, ``(B, K)``; None where it is not known exactly.
        slate_propensities: Probability of the whole ordered slate, ``(B,)``, or None.
        prefix_propensities: Probability of the first k items in this order, ``(B, K)``, or None.
    """

    slates: NDArray[np.int64]
    propensities: NDArray[np.float64] | None = None
    slate_propensities: NDArray[np.float64] | None = None
    prefix_propensities: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Feedback:
    """What happened to the slates just shown.

    Attributes:
        items: Item ids shown, ``(B, K)``.
        clicks: 1 where the item was clicked, ``(B, K)``.
        rewards: Named rewards, each ``(B,)``.
        reward: Their weighted sum, ``(B,)``.
        done: True where the user's episode ended with this step, ``(B,)``.
        active: False where the row is no longer a user of interest and must be ignored, ``(B,)``.
    """

    items: NDArray[np.int64]
    clicks: NDArray[np.int8]
    rewards: Mapping[str, NDArray[np.float64]]
    reward: NDArray[np.float64]
    done: NDArray[np.bool_]
    active: NDArray[np.bool_]


@dataclass(frozen=True)
class FitReport:
    """What offline training did.

    Attributes:
        rows: Log rows used.
        losses: One row per epoch or step, e.g. ``{"step": 0, "loss": 0.7}``; may be empty.
    """

    rows: int
    losses: list[dict[str, float]] = field(default_factory=list)


class AgentConfig(BaseModel):
    """Base of every agent's settings: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@runtime_checkable
class Agent(Protocol):
    """A recommendation policy.

    Class attributes:
        Config: The pydantic model of its settings.
        privileged: Whether it is given the oracle's slate, which no real system has.
        needs_log: Whether it must be fitted on a log before it can act.
    """

    Config: ClassVar[type[AgentConfig]]
    privileged: ClassVar[bool]
    needs_log: ClassVar[bool]

    def __init__(self, config: Any, problem: Problem, seed: int) -> None: ...

    def fit(self, log: SlateLog) -> FitReport:
        """Learn from a log; may do nothing.

        An agent may also have ``refit(log) -> FitReport``, which learns from a log that holds all
        that was learned before, and more, starting from what is known. Without it a fresh agent is
        fitted on the whole log in its place.
        """
        ...

    def begin(self, batch_size: int) -> None:
        """Forget per-episode memory and expect ``batch_size`` users."""
        ...

    def act(self, obs: Observation) -> Decision:
        """Choose a slate for every user."""
        ...

    def propensities(
        self, obs: Observation, items: NDArray[np.int64]
    ) -> NDArray[np.float64] | None:
        """Probability that the policy would put each of ``items`` (B, K) at its position.

        Used to evaluate the policy on a log. None where it is not known exactly.

        An agent may also have ``action_probabilities(obs) -> (B, K, C) | None``, the probability
        of every candidate at every position, for estimators that need them all; without it they ask
        for one candidate at a time, or give up if there are many. What the estimators of whole
        slates ask, if the agent has it: ``prefix_propensities(obs, items) -> (B, K)`` and
        ``slate_distribution(obs)``, see `recsim.estimators.slates.policies`.
        """
        ...

    def observe(self, feedback: Feedback) -> None:
        """Learn online; may do nothing."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that a fresh agent of the same config needs to act the same way."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        ...
