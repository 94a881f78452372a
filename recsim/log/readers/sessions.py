"""From items shown one a row to one slate per user and day, and when the user came back.

The day is the session: its slate is what was shown on it, and its return is the share of the next
days on which the user was there again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recsim.errors import UserError
from recsim.log import encode

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

Censored = Literal["drop", "keep"]


@dataclass(frozen=True)
class SessionCounts:
    """What became of the rows of a log.

    Attributes:
        rows: Rows of the files.
        duplicates: Rows left out because all their columns are those of an earlier row.
        truncated: Rows left out because the slate of their day was full.
        users: Users with a session, censored ones included.
        sessions: Users' days, censored ones included.
        censored: Sessions whose return window passes the end of the log.
    """

    rows: int
    duplicates: int
    truncated: int
    users: int
    sessions: int
    censored: int

    def to_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, eq=False)
class DailySessions:
    """S sessions, one per user and day, in the order of time.

    Attributes:
        user: ``(S,)``.
        session: How many earlier days the user has, ``(S,)``.
        day: ``(S,)``; the earliest is 0.
        slate: Distinct items in the order in which they were first shown, ``(S, K)``, padded with
            -1.
        clicks: 1 where an item was clicked at least once that day, ``(S, K)``.
        feedback: The named amounts, summed over what was shown of the items in the slate, each
            ``(S,)``; ``click``, the items clicked; ``return``, as `return_shares` gives it.
        complete: Whether the return window lies inside the log, ``(S,)``.
        truncated: Rows that belong to no slate because it was full.
    """

    user: Ints
    session: Ints
    day: Ints
    slate: Ints
    clicks: NDArray[np.int8]
    feedback: dict[str, Floats]
    complete: NDArray[np.bool_]
    truncated: int

    def columns(self, censored: Censored) -> dict[str, Any]:
        """Return the columns of a `SlateLog`, without or with the censored sessions.

        Sessions are censored by their day, so none of those that stay follows one that does not:
        dropping takes nothing from anybody's history.

        Raises:
            UserError: If no session would stay.
        """
        if censored == "drop" and not self.complete.any():
            raise UserError(
                "the log ends before the return window of its first day does, so that nobody's "
                "return is known in full: give a smaller return_days, or censored=keep."
            )
        rows = np.ones(len(self.user), dtype=np.bool_) if censored == "keep" else self.complete
        return {
            "user": self.user[rows],
            "session": self.session[rows],
            "day": self.day[rows],
            "step": np.zeros(int(rows.sum()), dtype=np.int64),
            "slate": self.slate[rows],
            "clicks": self.clicks[rows],
            "feedback": {name: values[rows] for name, values in self.feedback.items()},
        }

    def counts(self, rows: int, duplicates: int = 0) -> SessionCounts:
        """Return what became of so many rows."""
        return SessionCounts(
            rows=rows,
            duplicates=duplicates,
            truncated=self.truncated,
            users=len(np.unique(self.user)),
            sessions=len(self.user),
            censored=int((~self.complete).sum()),
        )


def daily_sessions(
    *,
    user: Ints,
    item: Ints,
    day: Ints,
    seconds: Floats,
    clicked: NDArray[np.bool_],
    amounts: Mapping[str, Floats],
    slate_size: int,
    return_days: int,
) -> DailySessions:
    """Make a slate of every user's day.

    An item shown again on the same day stays where it was first shown. Where more than
    ``slate_size`` items were shown, the later ones are left out, and all that was done with them.

    Args:
        user: Who saw it, ``(N,)``, in any order.
        item: What, ``(N,)``, 0 or more.
        day: When, ``(N,)`` whole days.
        seconds: Order within the day, ``(N,)``; what was shown at once stays in the given order.
        clicked: ``(N,)``.
        amounts: What else is known of each row, ``(N,)`` each.
        slate_size: K.
        return_days: Days of the return window.
    """
    order = np.lexsort((seconds, day, user))
    user, item, day = user[order], item[order], day[order]
    new = np.ones(len(user), dtype=np.bool_)
    new[1:] = (np.diff(user) != 0) | (np.diff(day) != 0)
    session = np.cumsum(new) - 1  # (N,) sorted by user, then day
    first = np.flatnonzero(new)  # (S,)

    # A slot is an item of a session; slots are ranked by when the item was first shown.
    keys = session * (int(item.max(initial=0)) + 1) + item
    _, shown, slot_of = np.unique(keys, return_index=True, return_inverse=True)
    rank = np.empty(len(shown), dtype=np.int64)
    in_time = np.argsort(shown)
    rank[in_time] = encode.rank_within(session[shown][in_time])
    place = rank[slot_of.reshape(-1)]  # (N,)
    kept = place < slate_size

    slate = np.full((len(first), slate_size), -1, dtype=np.int64)
    slate[session[kept], place[kept]] = item[kept]
    clicks = np.zeros(slate.shape, dtype=np.int8)
    np.maximum.at(clicks, (session[kept], place[kept]), clicked[order][kept].astype(np.int8))
    feedback = {"click": clicks.sum(axis=1).astype(np.float64)}
    for name, values in amounts.items():
        weights = values[order][kept]
        feedback[name] = np.bincount(session[kept], weights=weights, minlength=len(first))
    returns = return_shares(user[first], day[first], return_days)
    rows = np.lexsort((user[first], seconds[order][first], day[first]))
    start, end = (int(day.min()), int(day.max())) if len(day) else (0, 0)
    return DailySessions(
        user=user[first][rows],
        session=encode.rank_within(user[first])[rows],
        day=day[first][rows] - start,
        slate=slate[rows],
        clicks=clicks[rows],
        feedback={name: values[rows] for name, values in (feedback | {"return": returns}).items()},
        complete=day[first][rows] + return_days <= end,
        truncated=int((~kept).sum()),
    )


def return_shares(user: Ints, day: Ints, days: int) -> Floats:
    """Return on which share of the next days each row's user is there again, ``(M,)``.

    Args:
        user: ``(M,)``, in any order.
        day: ``(M,)``; several rows of one day count as one.
        days: Days of the window, after the row's own.
    """
    visit, keys = _visits(user, day, days)
    later = np.searchsorted(keys, keys + days, side="right") - np.arange(len(keys)) - 1
    shares: Floats = later[visit] / days
    return shares


def arrived_returns(user: Ints, day: Ints, days: int) -> Floats:
    """Return what becomes known of earlier returns on the day of each row, ``(M,)``.

    Being there is a return of ``1 / days`` to each of the user's earlier days in the window. Over
    a user's whole log these add up to what `return_shares` gives, but nothing is told before it
    happens.

    Args:
        user: ``(M,)``, in any order.
        day: ``(M,)``; several rows of one day are told the same.
        days: Days of the window.
    """
    visit, keys = _visits(user, day, days)
    earlier = np.arange(len(keys)) - np.searchsorted(keys, keys - days, side="left")
    arrived: Floats = earlier[visit] / days
    return arrived


def _visits(user: Ints, day: Ints, days: int) -> tuple[Ints, Ints]:
    """Return which visit (user and day) each row belongs to, ``(M,)``, and the sorted visits.

    Visits are numbers that differ by the days between them, and by more than ``days`` from those
    of other users.
    """
    start = int(day.min(initial=2**62)) if len(day) else 0
    span = int(day.max(initial=start)) - start + days + 1
    keys, visit = np.unique(user * span + (day - start), return_inverse=True)
    return visit.reshape(-1), keys
