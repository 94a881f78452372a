"""A ridge regression of the reward of an item for a user, which several agents act on.

With x the joint features of user and item and y the target, ``A = ridge I + sum x x^T``,
``b = sum y x``, ``theta = A^-1 b``: the mean of an item is ``theta^T x``, its variance (in units of
the noise's) ``x^T A^-1 x``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agents.bandits.linear_features import Concat, JointFeatures, Outer
from agents.shared.base import BaseSlateAgent
from agents.shared.targets import Outcomes, check_target, outcomes
from recsim.arrays import Floats, Ints
from recsim.contracts.slates import AgentConfig, Feedback, FitReport
from recsim.errors import AgentError
from recsim.log import SlateLog
from recsim.problem import Problem

Interactions = Literal["auto", "outer", "concat"]

# With more joint features than this, "auto" avoids products: inverting the matrix would dominate.
MAX_OUTER = 512
# Numbers in a block of rows (32 MiB of float64).
_BLOCK = 2**22


class LinearConfig(AgentConfig):
    """Settings of every agent over the linear model.

    Attributes:
        ridge: Penalty on the squared weights.
        target: What is predicted: ``click``, a named reward, or ``reward`` for the scalar one.
        interactions: ``outer`` multiplies user by item features, which makes the ranking personal;
            ``concat`` puts them side by side; ``auto`` is ``outer`` up to 512 products.
    """

    ridge: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    target: str = "click"
    interactions: Interactions = "auto"


class JointFeaturesAgent(BaseSlateAgent):
    """Base of agents that learn, also online, from joint features of user and item.

    It keeps the users of the last slates until there is feedback. A subclass sets ``_users`` when
    it acts, and adds ``_learn_online``.
    """

    _target = "click"
    _config: Any

    def __init__(self, config: Any, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._items = item_features(problem, self.name)  # (I, Q)
        if self.reads is not None and not problem.item_features.shape[1]:
            self.reads |= {"item_ids"}
        self._user_size = problem.user_feature_dim + 1
        self._joint = joint_features(self._items, self._user_size, config.interactions)
        self._users: Floats | None = None

    def begin(self, batch_size: int) -> None:
        """Forget the users of the last slates; what was learned stays."""
        self._users = None

    def observe(self, feedback: Feedback) -> None:
        """Learn from the slates just shown.

        Raises:
            RuntimeError: If `act` was not called before.
        """
        if self._users is None:
            raise RuntimeError("observe() must follow act(), which was not called")
        self._learn_online(self._users[feedback.active], outcomes(feedback, self._target))
        self._users = None

    def _learn_online(self, users: Floats, earned: Outcomes) -> None:
        """Learn from the outcomes of some users, ``(N, P)`` with a leading 1."""
        raise NotImplementedError


class LinearAgent(JointFeaturesAgent):
    """The model, learned from a log and from feedback; how to act on it is left to subclasses."""

    name: ClassVar[str] = "linear"
    Config: ClassVar[type[AgentConfig]] = LinearConfig
    _config: LinearConfig

    def __init__(self, config: LinearConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        check_target(config.target, problem)
        self._target = config.target
        self._square = config.ridge * np.eye(self._joint.size)  # A
        self._moment = np.zeros(self._joint.size)  # b
        self._solution: tuple[Floats, Floats] | None = None

    def fit(self, log: SlateLog) -> FitReport:
        """Add the log's slates to the model, in blocks; several logs, and feedback, add up.

        Raises:
            AgentError: If the log has another number of user features than the problem.
        """
        features = user_features(log, self)
        earned = outcomes(log, self._target)
        width = self._user_size**2 + self._items.shape[1] ** 2 + earned.items.shape[1] ** 2
        for rows in blocks(len(log), width):
            self._learn_online(with_one(features[log.user[rows]]), earned.select(rows))
        return FitReport(rows=len(log))

    def _learned(self) -> dict[str, Any]:
        return {"square": self._square.copy(), "moment": self._moment.copy()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        square = np.array(state["square"], dtype=np.float64)
        if square.shape != self._square.shape:
            raise self.misfit(
                f"it has {len(square)} joint features; here there are {self._joint.size}."
            )
        self._square = square
        self._moment = np.array(state["moment"], dtype=np.float64)
        self._solution = None

    def _learn_online(self, users: Floats, earned: Outcomes) -> None:
        """Add the slates of some users, ``(N, P)`` with a leading 1, and their outcomes."""
        shown = earned.items >= 0
        items = self._items[earned.items] * shown[:, :, None]  # (N, K) -> (N, K, Q)
        if earned.values.ndim == 2:
            gram = items.transpose(0, 2, 1) @ items  # (N, Q, Q)
            moment = np.einsum("nkq,nk->nq", items, earned.values)
        else:
            total = items.sum(axis=1)  # (N, K, Q) -> (N, Q): one observation per slate
            gram = total[:, :, None] * total[:, None, :]
            moment = total * earned.values[:, None]
        square, linear = self._joint.sums(users, gram, moment)
        self._square += square
        self._moment += linear
        self._solution = None

    def _posterior(self, users: Floats, candidates: Ints) -> tuple[Floats, Floats]:
        """Return ``theta^T x`` and ``x^T A^-1 x`` of every candidate, ``(B, C)`` each."""
        if self._solution is None:
            inverse = np.linalg.inv(self._square).astype(np.float64, copy=False)
            self._solution = inverse @ self._moment, inverse
        return self._joint.moments(users, candidates, *self._solution)


def item_features(problem: Problem, name: str) -> Floats:
    """Return the features of the items after a leading 1, ``(I, Q)``.

    Without features, every item gets an indicator column of its own.

    Args:
        problem: The problem.
        name: The agent, for the message.

    Raises:
        AgentError: If there are neither features nor few enough items for indicator columns.
    """
    if problem.item_features.shape[1]:
        return with_one(problem.item_features)
    if problem.num_items > MAX_OUTER:
        raise AgentError(
            f"agent {name!r} needs features of the items: without them it gives each item a "
            f"column of its own, which works for at most {MAX_OUTER} items; there are "
            f"{problem.num_items}."
        )
    return with_one(np.eye(problem.num_items))


def joint_features(items: Floats, user_size: int, interactions: Interactions) -> JointFeatures:
    """Join users of ``user_size`` entries P with ``items`` (I, Q); see `LinearConfig`."""
    outer = interactions == "outer" or (
        interactions == "auto" and user_size * items.shape[1] <= MAX_OUTER
    )
    return Outer(items, user_size) if outer else Concat(items, user_size)


def user_features(log: SlateLog, agent: BaseSlateAgent) -> NDArray[Any]:
    """Return the features of the users of a log, ``(U, F)``; without a column if F is 0.

    Raises:
        AgentError: If the log has another number of user features than the agent's problem.
    """
    if not agent.problem.user_feature_dim:
        return np.zeros((int(log.user.max(initial=0)) + 1, 0))
    agent.require_user_features(log)
    return log.user_features


def with_one(features: NDArray[Any]) -> Floats:
    """Prepend a 1 to the features of each row, ``(N, F)`` to ``(N, F + 1)``, in float64."""
    return np.concatenate([np.ones((len(features), 1)), features], axis=1)


def blocks(rows: int, width: int) -> list[slice]:
    """Split rows of ``width`` numbers into slices of at most `_BLOCK` numbers each."""
    size = max(1, _BLOCK // width)
    return [slice(start, start + size) for start in range(0, rows, size)]
