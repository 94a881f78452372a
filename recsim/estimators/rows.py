"""Reading a log for estimation: blocks of rows, with the observations that a policy has there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Bools, Floats, Ints
from recsim.errors import EstimationError, did_you_mean
from recsim.estimators.units import Unit, Units
from recsim.log import SlateLog
from recsim.log.history import last_rows
from recsim.problem import Problem
from recsim.problem.names import differing

Log = SlateLog | Iterable[SlateLog] | str | Path

_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class Rows:
    """B rows of a log.

    Attributes:
        log: The rows themselves.
        obs: Observations, as `SlateLog.observations` returns them.
        units: Independent unit of each row, ``(B,)``.
        whole: Whether no unit of these rows has further rows.
        first: Number of the first row in the log.
    """

    log: SlateLog
    obs: dict[str, NDArray[Any]]
    units: Ints
    whole: bool
    first: int

    def __len__(self) -> int:
        """Return B."""
        return len(self.log)

    @property
    def items(self) -> Ints:
        """Item ids, ``(B, K)``, -1 where a position is empty."""
        return self.log.slate

    @property
    def shown(self) -> Bools:
        """True where an item was shown, ``(B, K)``."""
        return self.log.slate >= 0

    @property
    def item_units(self) -> Ints:
        """Independent unit of each item, ``(B, K)``."""
        return np.broadcast_to(self.units[:, None], self.items.shape)

    @property
    def positions(self) -> Ints:
        """Position of each item on the page, ``(B, K)``."""
        return positions_of(self.log)

    @property
    def problem(self) -> Problem:
        """The catalogue, and the weights of the rewards."""
        return self.log.problem


def read_rows(
    log: Log,
    *,
    unit: Unit = "user",
    history_slates: int = 5,
    most: int = 8192,
    cells: int | None = None,
    first: int = 0,
    policies: Sequence[Any] = (),
) -> Iterator[Rows]:
    """Yield a log in blocks of rows.

    Args:
        log: The log, its pieces in order, or the folder of a saved one, which is read in pieces.
        unit: What is independent of the rest: the user with all their rows, a session, or the row.
        history_slates: Slates of history that observations hold.
        most: Most rows of a block.
        cells: Most entries of a table ``(B, K, C)`` of every candidate; None if no such table is
            computed.
        first: Number of the log's first row, where ``log`` is a share of a longer one.
        policies: Policies that are evaluated on it; see `check_items`.

    Raises:
        EstimationError: If there is no such unit, or a policy was built for items of other names.
    """
    units = Units(unit)
    for chunk, joined, start in with_past(chunks(log), history_slates):
        for policy in policies:
            check_items(policy, chunk.problem)
        of_rows = units.of(chunk, first)
        step = most
        if cells is not None:
            table = chunk.problem.slate_size * chunk.problem.num_candidates
            step = max(1, min(most, cells // table))
        for begin in range(0, len(chunk), step):
            rows = slice(begin, min(begin + step, len(chunk)))
            numbers = np.arange(start + rows.start, start + rows.stop)
            obs = joined.observations(numbers, history_slates=history_slates)
            whole = unit == "row" or chunk.anonymous
            yield Rows(chunk.select(rows), obs, of_rows[rows], whole, first + begin)
        first += len(chunk)


def check_items(policy: Any, problem: Problem) -> None:
    """Refuse a policy that was built for items of other names, which have the same numbers.

    Args:
        policy: An agent or another policy; one without ``problem`` cannot be checked.
        problem: The problem of the log.

    Raises:
        EstimationError: Says how the names differ.
    """
    own = getattr(getattr(policy, "problem", None), "item_names", None)
    if difference := differing(own, problem.item_names):
        raise EstimationError(
            f"the policy was built for other items than the log has: {difference}. Build it for "
            "log.problem, or read both logs with one table of items."
        )


def chunks(log: Log) -> Iterable[SlateLog]:
    """Return the pieces of a log, which may be a single one.

    Raises:
        EstimationError: If it is a table that was not read as a log.
    """
    if hasattr(log, "__arrow_c_stream__"):
        raise EstimationError(
            f"a log is needed, not a {type(log).__name__}: read it with "
            "read_log('table', data=..., columns={...})."
        )
    if isinstance(log, str | Path):
        return SlateLog.scan(log)
    return [log] if isinstance(log, SlateLog) else log


def check_read_twice(log: Log, why: str) -> None:
    """Refuse a log that can be read only once.

    Args:
        log: The log.
        why: What needs the log before the estimate is made, for the message.

    Raises:
        EstimationError: If it is an iterator, such as `SlateLog.scan` returns.
    """
    if isinstance(log, Iterator):
        raise EstimationError(
            f"{why}, so the log must be read more than once, and an iterator cannot be: give the "
            "folder itself in place of SlateLog.scan(folder), or a list of pieces."
        )


def positions_of(log: SlateLog) -> NDArray[np.int64]:
    """Return the position on the page of every slot, ``(M, K)``."""
    if log.position is not None:
        return log.position
    return np.broadcast_to(np.arange(log.problem.slate_size), log.slate.shape)


def slate_rewards(log: SlateLog, reward: str | None) -> Floats:
    """Return the reward of every slate, ``(M,)``.

    Args:
        log: The log.
        reward: Name of the reward; None for the weighted sum of the log's problem.

    Raises:
        EstimationError: If the log has no such reward.
    """
    if reward is None:
        return log.reward
    if reward not in log.feedback:
        raise EstimationError(
            f"The log has no reward {reward!r}.{did_you_mean(reward, log.feedback)}"
        )
    return log.feedback[reward]


def item_rewards(log: SlateLog, reward: str | None) -> Floats:
    """Return the reward of every item shown, ``(M, K)``.

    Args:
        log: The log.
        reward: Name of the reward; None for the weighted sum of the log's problem.

    Raises:
        EstimationError: If the log has no such reward, or only whole slates have it.
    """
    of_slates = slate_rewards(log, reward)
    if log.problem.slate_size == 1:
        return of_slates[:, None]
    counted = {name for name, weight in log.problem.rewards.items() if weight}
    if reward == "click" or (reward is None and counted == {"click"}):
        weight = 1.0 if reward else log.problem.rewards["click"]
        return weight * log.clicks.astype(np.float64)
    raise EstimationError(
        f"The reward {reward or ' + '.join(sorted(counted))!r} belongs to a slate of several items "
        "and cannot be divided among them: use reward='click'."
    )


def with_past(
    pieces: Iterable[SlateLog], history_slates: int
) -> Iterator[tuple[SlateLog, SlateLog, int]]:
    """Yield every piece, the piece with the past of its users before it, and where it starts."""
    past: SlateLog | None = None
    for chunk in pieces:
        if chunk.anonymous:
            yield chunk, chunk, 0
            continue
        joined, others = chunk, []
        if past is not None:
            # Only users who return, so that the work grows with the piece and not with the log.
            back = np.zeros(len(chunk.user_features), dtype=np.bool_)
            back[chunk.user] = True
            here = back[past.user]
            joined = SlateLog.concat([past.select(here), chunk], same_users=True)
            others = [past.select(~here)]
        yield chunk, joined, len(joined) - len(chunk)
        own = joined.select(last_rows(joined, max(history_slates, 1)))
        past = SlateLog.concat([*others, own], same_users=True)


class Fingerprint:
    """Number of rows, and a sum of hashes of their numbers, users, sessions and slates.

    It identifies a log that is read again, however it is cut. Two different logs have the same one
    by chance with probability 2^-64; it does not protect from logs made to be mistaken.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def watch(self, log: Log) -> Iterator[SlateLog]:
        """Yield the pieces of a log, and add each to the fingerprint."""
        for chunk in chunks(log):
            numbers = np.arange(self.rows, self.rows + len(chunk), dtype=np.uint64)
            hashed = _mixed(numbers)
            if not chunk.anonymous:  # there users are numbered within a piece
                hashed = _mixed(hashed ^ chunk.user.astype(np.uint64))
                hashed = _mixed(hashed ^ chunk.session.astype(np.uint64))
            for items in chunk.slate.T:
                hashed = _mixed(hashed ^ items.astype(np.uint64))
            self.rows += len(chunk)
            self._sum = (self._sum + int(hashed.sum(dtype=np.uint64))) % 2**64
            yield chunk

    @property
    def value(self) -> tuple[int, int]:
        """What equal logs have in common."""
        return self.rows, self._sum


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return numbers, ``(N,)``, in which every bit depends on all of those given."""
    mixed = numbers + _ODD
    for shift in (30, 27):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * _ODD
    return mixed ^ (mixed >> np.uint64(31))
