"""What a sound log is: the checks behind `SlateLog.validate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recsim.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from recsim.log.slate_log import SlateLog


def validate(log: SlateLog, *, where: str = "Log", first_row: int = 0) -> None:
    """Raise a `UserError` that names the first row and column that cannot be right.

    Args:
        log: The log, or a piece of one.
        where: How the message names the log.
        first_row: Row number of the log's first row, for a piece of a longer log.
    """
    try:
        _check_shapes(log)
        _check_rewards(log)
        _check_entries(log)
    except _BadEntryError as bad:
        row = f"user {bad.row}" if bad.of_users else f"row {bad.row + first_row}"
        raise UserError(f"{where}, {row}{bad}") from None
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


class _BadEntryError(Exception):
    """An entry that cannot be right; ``row`` counts from the start of the piece."""

    def __init__(self, row: int, of_users: bool, message: str) -> None:
        super().__init__(message)
        self.row = row
        self.of_users = of_users


def _check_entries(log: SlateLog) -> None:
    items = log.problem.num_items
    outside = (log.slate < -1) | (log.slate >= items)
    _refuse(outside, log.slate, f"is outside the catalogue (0 ... {items - 1}, -1 where empty)")
    _refuse((log.clicks != 0) & (log.clicks != 1), log.clicks, "is not a click: 0 or 1", "clicks")
    _refuse((log.slate < 0) & (log.clicks != 0), log.clicks, "is on an empty position", "clicks")
    if log.propensity is not None:
        # At padding nothing was drawn, so nothing can be wrong there.
        wrong = ~((log.propensity > 0) & (log.propensity <= 1)) & (log.slate >= 0)
        _refuse(wrong, log.propensity, "is not a probability in (0, 1]", "propensity")
    if log.slate_propensity is not None:
        wrong = ~((log.slate_propensity > 0) & (log.slate_propensity <= 1))
        _refuse(wrong, log.slate_propensity, "is not a probability in (0, 1]", "slate_propensity")
    if log.prefix_propensity is not None:
        wrong = ~((log.prefix_propensity > 0) & (log.prefix_propensity <= 1))
        message = "is not a probability in (0, 1]"
        _refuse(wrong, log.prefix_propensity, message, "prefix_propensity")
    if log.candidates is not None:
        outside = (log.candidates < 0) | (log.candidates >= items)
        message = f"is outside the catalogue (0 ... {items - 1})"
        _refuse(outside, log.candidates, message, "candidates")
        offered = (log.slate[:, :, None] == log.candidates[:, None, :]).any(axis=2)  # (M, K, C)
        _refuse(~offered & (log.slate >= 0), log.slate, "is not among the row's candidates")
    same = log.slate[:, :, None] == log.slate[:, None, :]  # (M, K, K), slot by earlier slot
    repeated = np.tril(same, k=-1).any(axis=2) & (log.slate >= 0)
    _refuse(
        repeated, log.slate, "stands earlier in the slate (an item that repeats shows nothing: -1)"
    )
    users = len(log.user_features)
    _refuse((log.user < 0) | (log.user >= users), log.user, f"is not one of {users} users", "user")
    if log.anonymous:
        strays = log.user != np.arange(len(log))
        _refuse(strays, log.user, "is not the number of its row, in an anonymous log", "user")
    for name, column in log.feedback.items():
        _refuse(~np.isfinite(column), column, "is not a finite number", f"feedback {name!r}")
    wrong = ~np.isfinite(log.user_features)
    _refuse(wrong, log.user_features, "is not a finite number", "user_features", of_users=True)


def _check_shapes(log: SlateLog) -> None:
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
        "candidates": (log.candidates, (rows, problem.num_candidates)),
        "user_features": (log.user_features, (len(log.user_features), problem.user_feature_dim)),
        **{f"feedback {name!r}": (column, (rows,)) for name, column in log.feedback.items()},
    }
    for name, (column, shape) in shapes.items():
        if column is not None and column.shape != shape:
            raise UserError(f"Log column {name} has shape {column.shape}; it must be {shape}.")
    items = problem.num_items
    if len(problem.item_features) != items or problem.item_groups.shape != (items,):
        raise UserError(
            f"The catalogue has {items} items, but features of {len(problem.item_features)} and "
            f"groups of {len(problem.item_groups)}."
        )
    faulty = ~np.isfinite(problem.item_features.reshape(items, -1)).all(axis=1)
    faulty |= problem.item_groups < 0
    if faulty.any():
        raise UserError(
            f"Item {int(np.argmax(faulty))} of the catalogue has a feature that is not a finite "
            "number, or a negative group."
        )


def _check_rewards(log: SlateLog) -> None:
    for name in log.problem.rewards:
        if name not in log.feedback:
            near = did_you_mean(name, log.feedback)
            raise UserError(f"The log has no feedback column for the reward {name!r}.{near}")
    for name in log.feedback:
        if name not in log.problem.rewards:
            near = did_you_mean(name, log.problem.rewards)
            raise UserError(f"Feedback column {name!r} is not a reward of the problem.{near}")


def _refuse(
    wrong: NDArray[np.bool_],
    values: NDArray[Any],
    message: str,
    column: str = "slate",
    *,
    of_users: bool = False,
) -> None:
    """Raise for the first True of ``wrong``; the second axis, if any, is the position."""
    if not wrong.any():
        return
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    second = f", position {place[1]}" if len(place) > 1 else ""
    count = int(wrong.sum())
    more = f" ({count} such entries in all.)" if count > 1 else ""
    text = f"{second}: {column} {values[place]} {message}.{more}"
    raise _BadEntryError(place[0], of_users, text)
