"""The columns of a log, and what two logs need to have in common."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Bools, Floats, Floats32, Ints
from recsim.problem import Names, Problem

# Columns with one entry per row; all others describe the whole log.
ROW_COLUMNS = ("user", "session", "day", "step", "slate", "clicks")
OPTIONAL_ROW_COLUMNS = (
    *("propensity", "slate_propensity", "prefix_propensity"),
    *("position", "candidates", "time", "logger"),
    *("terminated", "truncated"),
)
# Mappings from names to such columns.
MAPPED_COLUMNS = ("feedback", "target_propensities")


@dataclass(frozen=True, eq=False)
class LogData:
    """M logged slates of K positions, as columns; rows are in the order of time.

    Attributes:
        problem: The catalogue that the item ids refer to, the reward weights, and the names of
            items and users.
        user: User of the row, ``(M,)``; indexes ``user_features``.
        session: The user's session, ``(M,)``.
        day: Day of the row, ``(M,)``.
        step: Step of the session, ``(M,)``.
        slate: Item ids shown, ``(M, K)``, padded with -1.
        clicks: 1 where the item was clicked, ``(M, K)`` int8.
        feedback: Named rewards, each ``(M,)`` float64; the names of ``problem.rewards``.
        user_features: What the system knows about each user, ``(U, F)`` float32.
        propensity: Probability that the logging policy put the item at its position,
            ``(M, K)``, or None if unknown. In (0, 1]; 1 at padding.
        slate_propensity: Probability of the whole ordered slate, ``(M,)``, or None.
        prefix_propensity: Probability of the first k items in this order, ``(M, K)``, or None; the
            last column is that of the whole slate.
        position: Position on the page of each slot, ``(M, K)``, or None for 0 ... K-1.
        candidates: Item ids that could have been shown, ``(M, C)``, or None for the catalogue.
        time: Time of the row in seconds since 1970 (UTC), ``(M,)`` float64, or None if unknown.
        logger: Which logging policy showed the row, an index of ``logger_names``, ``(M,)``; or None
            if there is only one.
        logger_names: Names of the logging policies.
        terminated: True where the user left for good after the row, ``(M,)``, or None if unknown.
            An episode ends there; later rows of the user are of another one.
        truncated: True where the episode was cut off after the row, ``(M,)``, or None: what the
            user would have done next is unknown. Rows before the last of an episode have neither.
        target_propensities: Probability that another policy puts the item at its position, by the
            name of the policy, each ``(M, K)`` in [0, 1]; for `recsim.estimators.evaluate`.
        anonymous: True if the log does not identify its users: every row is then a user of its
            own, ``user`` is 0 ... M-1, and no row has a history.
        adaptive: True if the logging policy learned from these users while it made the log.
            Its rows are then not independent, and off-policy values have a warning.
    """

    problem: Problem
    user: Ints
    session: Ints
    day: Ints
    step: Ints
    slate: Ints
    clicks: NDArray[np.int8]
    feedback: dict[str, Floats] = field(default_factory=dict)
    user_features: Floats32 = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))
    propensity: Floats | None = None
    slate_propensity: Floats | None = None
    prefix_propensity: Floats | None = None
    position: Ints | None = None
    candidates: Ints | None = None
    time: Floats | None = None
    logger: Ints | None = None
    logger_names: tuple[str, ...] = ()
    terminated: Bools | None = None
    truncated: Bools | None = None
    target_propensities: dict[str, Floats] = field(default_factory=dict)
    anonymous: bool = False
    adaptive: bool = False

    def __len__(self) -> int:
        """Return the number of rows M."""
        return len(self.user)

    @property
    def item_names(self) -> Names | None:
        """Name of each item of the catalogue, None if ids 0 ... I-1 are all there is."""
        return self.problem.item_names

    @property
    def user_names(self) -> Names | None:
        """Name of each user, in the order of ``user_features``, or None."""
        return self.problem.user_names

    @property
    def reward(self) -> Floats:
        """Scalar reward, ``(M,)``: the weighted sum of the named rewards."""
        total = np.zeros(len(self))
        for name, weight in self.problem.rewards.items():
            if weight:
                total += weight * self.feedback[name]
        return total

    @cached_property
    def by_user(self) -> Ints:
        """Row numbers sorted by user, in the order of the log within a user, ``(M,)``."""
        return np.argsort(self.user, kind="stable")


def difference(first: LogData, other: LogData) -> str:
    """Return why two logs cannot be concatenated; empty if they can."""
    for name in [item.name for item in fields(Problem) if item.name != "user_names"]:
        one, two = getattr(first.problem, name), getattr(other.problem, name)
        if not (np.array_equal(one, two) if isinstance(one, np.ndarray) else one == two):
            return f"they differ in problem.{name}"
    if (first.user_names is None) != (other.user_names is None):
        return "only one of them has names of users"
    if first.anonymous != other.anonymous:
        return "one is anonymous and the other is not"
    if first.logger_names != other.logger_names:
        return f"the logger_names are {other.logger_names}, not {first.logger_names}"
    for name in OPTIONAL_ROW_COLUMNS:
        if (getattr(first, name) is None) != (getattr(other, name) is None):
            return f"only one of them has the column {name!r}"
    if set(first.feedback) != set(other.feedback):
        return f"the feedback is {sorted(other.feedback)}, not {sorted(first.feedback)}"
    targets, others = sorted(first.target_propensities), sorted(other.target_propensities)
    if targets != others:
        return f"the target_propensities are {others}, not {targets}"
    return ""
