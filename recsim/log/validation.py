"""The checks behind `SlateLog.validate`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Bools, Floats
from recsim.errors import LogError, did_you_mean
from recsim.log.data import LogData

# Largest feedback or feature: agents see them as float32, where the square must not overflow.
LARGEST_VALUE = 1e19
TOO_LARGE = f"is too large to compute with in float32 (at most {LARGEST_VALUE:.0e})"
# Least propensity: a reward divided by it, squared, must not overflow.
LEAST_PROPENSITY = 1e-150
NOT_PROPENSITY = f"is not a probability in (0, 1] (at least {LEAST_PROPENSITY:.0e})"
NOT_TARGET = "is not a probability in [0, 1]"


def not_propensities(values: Floats) -> Bools:
    """Return where a value is not in (0, 1] or too small to divide by; NaN is not."""
    wrong: Bools = ~((values >= LEAST_PROPENSITY) & (values <= 1))
    return wrong


def too_large(values: NDArray[Any]) -> Bools:
    """Return where a value is too large to compute with in float32."""
    wrong: Bools = np.abs(values) > LARGEST_VALUE
    return wrong


def validate(log: LogData, *, where: str = "Log", first_row: int = 0) -> None:
    """Check the shapes and entries of a log.

    Args:
        log: The log, or a piece of one.
        where: How the message names the log.
        first_row: Row number of the log's first row, for a piece of a longer log.

    Raises:
        LogError: If a column has the wrong shape or an entry is malformed; the message names the
            first such row and column.
    """
    try:
        _check_shapes(log)
        _check_rewards(log)
        _check_entries(log)
    except _EntryError as error:
        row = f"user {error.row}" if error.of_users else f"row {error.row + first_row}"
        raise LogError(f"{where}, {row}{error}") from None
    except LogError as error:
        raise LogError(f"{where}: {error}") from None


class _EntryError(Exception):
    """A malformed entry; ``row`` counts from the start of the piece."""

    def __init__(self, row: int, of_users: bool, message: str) -> None:
        super().__init__(message)
        self.row = row
        self.of_users = of_users


def _check_entries(log: LogData) -> None:
    items = log.problem.num_items
    outside = (log.slate < -1) | (log.slate >= items)
    _refuse(outside, log.slate, f"is outside the catalogue (0 ... {items - 1}, -1 where empty)")
    _refuse((log.clicks != 0) & (log.clicks != 1), log.clicks, "is not a click: 0 or 1", "clicks")
    _refuse((log.slate < 0) & (log.clicks != 0), log.clicks, "is on an empty position", "clicks")
    for name in ("propensity", "slate_propensity", "prefix_propensity"):
        values = getattr(log, name)
        if values is not None:
            wrong = not_propensities(values)
            if name == "propensity":
                wrong &= log.slate >= 0  # nothing was drawn at padding
            _refuse(wrong, values, NOT_PROPENSITY, name)
    for name, column in log.target_propensities.items():
        wrong = ~((column >= 0) & (column <= 1)) & (log.slate >= 0)
        _refuse(wrong, column, NOT_TARGET, f"target_propensities {name!r}")
    if log.logger is not None:
        known = len(log.logger_names)
        outside = (log.logger < 0) | (log.logger >= known)
        _refuse(outside, log.logger, f"is not one of {known} logger_names", "logger")
    for name in ("terminated", "truncated"):
        ends = getattr(log, name)
        if ends is not None and ends.dtype != np.bool_:
            raise LogError(f"Log column {name} holds {ends.dtype}; it must be bool.")
    if (log.terminated is None) != (log.truncated is None):
        one, other = ("terminated", "truncated")[:: 1 if log.truncated is None else -1]
        raise LogError(f"The log has the column {one}, but not {other}: give both or neither.")
    if log.terminated is not None and log.truncated is not None:
        both = log.terminated & log.truncated
        _refuse(both, log.terminated, "and truncated are both set", "terminated")
    if log.candidates is not None:
        outside = (log.candidates < 0) | (log.candidates >= items)
        message = f"is outside the catalogue (0 ... {items - 1})"
        _refuse(outside, log.candidates, message, "candidates")
        offered = (log.slate[:, :, None] == log.candidates[:, None, :]).any(axis=2)  # (M, K, C)
        _refuse(~offered & (log.slate >= 0), log.slate, "is not among the row's candidates")
    same = log.slate[:, :, None] == log.slate[:, None, :]  # (M, K, K), slot by earlier slot
    repeated = np.tril(same, k=-1).any(axis=2) & (log.slate >= 0)
    _refuse(repeated, log.slate, "is in the slate already (write -1 for a repeated item)")
    users = len(log.user_features)
    _refuse((log.user < 0) | (log.user >= users), log.user, f"is not one of {users} users", "user")
    if log.anonymous:
        wrong = log.user != np.arange(len(log))
        message = "must be the number of the row, because the log is anonymous"
        _refuse(wrong, log.user, message, "user")
    if log.time is not None:
        _refuse(~np.isfinite(log.time), log.time, "is not a finite number", "time")
    for name, column in log.feedback.items():
        _refuse(~np.isfinite(column), column, "is not a finite number", f"feedback {name!r}")
        _refuse(too_large(column), column, TOO_LARGE, f"feedback {name!r}")
    wrong = ~np.isfinite(log.user_features)
    _refuse(wrong, log.user_features, "is not a finite number", "user_features", of_users=True)
    wrong = too_large(log.user_features)
    _refuse(wrong, log.user_features, TOO_LARGE, "user_features", of_users=True)


def _check_shapes(log: LogData) -> None:
    rows, problem = len(log), log.problem
    slots = (rows, problem.slate_size)
    shapes: dict[str, tuple[NDArray[Any] | None, tuple[int, ...]]] = {
        "session": (log.session, (rows,)),
        "day": (log.day, (rows,)),
        "step": (log.step, (rows,)),
        "slate": (log.slate, slots),
        "clicks": (log.clicks, slots),
        "propensity": (log.propensity, slots),
        "slate_propensity": (log.slate_propensity, (rows,)),
        "prefix_propensity": (log.prefix_propensity, slots),
        "position": (log.position, slots),
        "time": (log.time, (rows,)),
        "logger": (log.logger, (rows,)),
        "terminated": (log.terminated, (rows,)),
        "truncated": (log.truncated, (rows,)),
        "candidates": (log.candidates, (rows, problem.num_candidates)),
        "user_features": (log.user_features, (len(log.user_features), problem.user_feature_dim)),
        **{f"feedback {name!r}": (column, (rows,)) for name, column in log.feedback.items()},
        **{
            f"target_propensities {name!r}": (column, slots)
            for name, column in log.target_propensities.items()
        },
    }
    for name, (column, shape) in shapes.items():
        if column is not None and column.shape != shape:
            raise LogError(f"Log column {name} has shape {column.shape}; it must be {shape}.")
    if problem.user_names is not None:
        if log.anonymous:
            raise LogError("The log is anonymous, so it cannot have names of users.")
        names, users = len(problem.user_names), len(log.user_features)
        if names != users:
            raise LogError(f"There are {names} names of users, but features of {users} users.")
    items = problem.num_items
    if len(problem.item_features) != items or problem.item_groups.shape != (items,):
        raise LogError(
            f"The catalogue has {items} items, but features of {len(problem.item_features)} and "
            f"groups of {len(problem.item_groups)}."
        )
    features = problem.item_features.reshape(items, -1)
    wrong = (~np.isfinite(features) | too_large(features)).any(axis=1)
    wrong |= problem.item_groups < 0
    if wrong.any():
        raise LogError(
            f"Item {int(np.argmax(wrong))} of the catalogue has a feature that is not a finite "
            "number or too large, or a negative group."
        )


def _check_rewards(log: LogData) -> None:
    for name, weight in log.problem.rewards.items():
        if not np.isfinite(weight):
            raise LogError(f"The weight of the reward {name!r} is {weight}; it must be finite.")
        if name not in log.feedback:
            near = did_you_mean(name, log.feedback)
            raise LogError(f"The log has no feedback column for the reward {name!r}.{near}")
    for name in log.feedback:
        if name not in log.problem.rewards:
            near = did_you_mean(name, log.problem.rewards)
            raise LogError(f"Feedback column {name!r} is not a reward of the problem.{near}")


def _refuse(
    wrong: Bools,
    values: NDArray[Any],
    message: str,
    column: str = "slate",
    *,
    of_users: bool = False,
) -> None:
    """Raise for the first entry of ``wrong``, ``(M,)`` or ``(M, K)``."""
    if not wrong.any():
        return
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    second = f", position {place[1]}" if len(place) > 1 else ""
    count = int(wrong.sum())
    more = f" ({count} such entries in total.)" if count > 1 else ""
    text = f"{second}: {column} {values[place]} {message}.{more}"
    raise _EntryError(place[0], of_users, text)
