"""The contract of agents that recommend slates.

Everything is batched over users; a batch of one is a batch. An agent never sees an environment: it
receives observations and feedback, and returns decisions.

An observation is a mapping from name to array, with a leading user axis. The keys are those of
``SlateRec-v0``:

======================  =============  ==================================================
key                     shape          content
======================  =============  ==================================================
``user_features``       (B, F)         what the system knows about the user
``history_items``       (B, H*K)       the last H slates shown, oldest first, padded with -1
``history_clicks``      (B, H*K)       1 where the shown item was clicked
``history_length``      (B, 1)         slates in the history, at most H
``feedback``            (B, R)         rewards of the last step, in the order of Problem.rewards
``candidates``          (B, C)         item ids that may be shown
``time``                (B, 3)         day, session of the user, step of the session
======================  =============  ==================================================

Observations of a log with user ids also have ``user``, (B,): the row of the log's table of users.
Agents with ``privileged = True`` also get ``oracle_slate`` and ``long_term_slate``, both (B, K)
indices into ``candidates``, which no real system has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from recsim.arrays import Bools, Floats, Ints
from recsim.problem import Problem
from recsim.settings import limited

if TYPE_CHECKING:  # a contract must not cost the import of the log readers
    from recsim.log import SlateLog

Observation = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Decision:
    """The slates that an agent shows.

    Attributes:
        slates: Indices into ``obs["candidates"]``, ``(B, K)`` integers.
        propensities: Probability that the policy puts this item at this position, given the
            observation, ``(B, K)``; None if it is not known exactly.
        slate_propensities: Probability of the whole ordered slate, ``(B,)``, or None.
        prefix_propensities: Probability of the first k items in this order, ``(B, K)``, or None.
    """

    slates: Ints
    propensities: Floats | None = None
    slate_propensities: Floats | None = None
    prefix_propensities: Floats | None = None


@dataclass(frozen=True, eq=False)
class Feedback:
    """The outcome of the slates just shown.

    Attributes:
        items: Item ids shown, ``(B, K)``.
        clicks: 1 where the item was clicked, ``(B, K)``.
        rewards: Named rewards, each ``(B,)``.
        reward: Their weighted sum, ``(B,)``.
        done: True where the user's episode ended with this step, ``(B,)``.
        active: False where the row is padding and must be ignored: its user has left, ``(B,)``.
    """

    items: Ints
    clicks: NDArray[np.int8]
    rewards: Mapping[str, Floats]
    reward: Floats
    done: Bools
    active: Bools


@dataclass(frozen=True)
class FitReport:
    """What offline training did.

    Attributes:
        rows: Number of log rows used.
        losses: One row per epoch or step, e.g. ``{"step": 0, "loss": 0.7}``; may be empty.
    """

    rows: int
    losses: list[dict[str, float]] = field(default_factory=list)


OnlyWith = Mapping[str, tuple[str, Sequence[Any]]]


class AgentConfig(BaseModel):
    """Base of every agent's settings: frozen, with unknown keys refused.

    Class attributes:
        only_with: For each setting that depends on another one, the name of that one and the values
            with which it has an effect. It may not be given with other values.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    only_with: ClassVar[OnlyWith] = {}

    @model_validator(mode="after")
    def _refuse_settings_without_effect(self) -> Self:
        for key, (other, values) in self.only_with.items():
            value = getattr(self, other)
            if key in self.model_fields_set and value not in values:
                raise ValueError(
                    f"{key!r} has no effect with {other} {value!r}, only with "
                    f"{' or '.join(map(repr, values))}: remove it"
                )
        return self

    @field_validator("*")
    @classmethod
    def _within_float32(cls, value: Any) -> Any:
        return limited(value)


def loss_rows(losses: Iterable[Mapping[str, float]]) -> Iterator[tuple[int, dict[str, float]]]:
    """Return the step and the named numbers of every row of `FitReport.losses`.

    Names begin with the stage, if there are several: ``stage 2/loss``. The step is that of the
    row, or else its epoch, or its position.
    """
    for position, row in enumerate(losses):
        step = int(row.get("step", row.get("epoch", position)))
        stage = f"stage {row['stage']:g}/" if "stage" in row else ""
        values = {key: v for key, v in row.items() if key not in ("step", "epoch", "stage")}
        yield step, {f"{stage}{key}": value for key, value in values.items()}


@runtime_checkable
class Agent(Protocol):
    """A recommendation policy.

    Class attributes:
        Config: The pydantic model of its settings.
        privileged: Whether it needs the oracle's slate, which no real system has.
        needs_log: Whether it must be fitted on a log before it can act.
    """

    Config: ClassVar[type[AgentConfig]]
    privileged: ClassVar[bool]
    needs_log: ClassVar[bool]

    def __init__(self, config: Any, problem: Problem, seed: int) -> None: ...

    def fit(self, log: SlateLog) -> FitReport:
        """Learn from a log; may do nothing.

        An agent that stops training early may also have the parameter ``validation``, a log of
        later rows of the same users: hold-out trials by time give it, and training may be stopped,
        but nothing learned, from it.

        An agent may also have ``refit(log) -> FitReport``. It gets a log that contains the rows of
        the last one and more, and continues from the present state. Without it, a new agent is
        fitted on the whole log instead.
        """
        ...

    def begin(self, batch_size: int) -> None:
        """Forget the memory of single users and start with ``batch_size`` new ones.

        An agent whose random numbers for a user do not depend on the rest of the batch may also
        have ``begin_users(users)``, with the numbers of the users, ``(B,)``: a block of users is
        then served as in a larger batch. See `agents.shared.randomised.Randomised`.
        """
        ...

    def act(self, obs: Observation) -> Decision:
        """Choose a slate for every user."""
        ...

    def propensities(self, obs: Observation, items: Ints) -> Floats | None:
        """Return the probability that the policy puts each of ``items`` (B, K) at its position.

        Used to evaluate the policy on a log. None if it is not known exactly.

        An agent may also have ``action_probabilities(obs) -> (B, K, C) | None``, the probability
        of every candidate at every position, for estimators that need all of them; without it they
        call `propensities` for one candidate at a time, if there are not too many. Estimators of
        whole slates use ``prefix_propensities(obs, items) -> (B, K)`` and
        ``slate_distribution(obs)``, if the agent has them; see `recsim.estimators.slates.policies`.

        An agent that ranks items one by one may also have ``scores(obs) -> (B, C)``, the score of
        every candidate, the higher the better, whether the user has seen the item or not. Where all
        items of a catalogue are ranked, ties in score are then known; an agent without it is ranked
        by its slates. Hold-out trials call it with all items as candidates.
        """
        ...

    def observe(self, feedback: Feedback) -> None:
        """Learn online; may do nothing."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return all that a fresh agent of the same settings needs to act the same way.

        Nested mappings and lists of arrays, tensors, numbers and text; random generators included.
        """
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        ...


def begin_users(agent: Agent, users: Ints) -> None:
    """Let an agent begin with users who have these numbers, or just with as many.

    Args:
        agent: The agent; with ``begin_users`` if it has it.
        users: Numbers of the users, ``(B,)``.
    """
    begin = getattr(agent, "begin_users", None)
    if begin is None:
        agent.begin(len(users))
    else:
        begin(users)
