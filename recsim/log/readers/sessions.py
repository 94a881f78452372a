"""One slate per user and day, made of items that were logged one a row, and the user's return.

The day is the session: its slate is what was shown on that day, and its return is the share of the
next days on which the user was active again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Bools, Floats, Ints
from recsim.errors import LogError
from recsim.log import encode
from recsim.log.readers.times import whole_days

Censored = Literal["drop", "keep"]


@dataclass(frozen=True, eq=False)
class DailySessions:
    """S sessions, one per user and day, in the order of time.

    Attributes:
        user: ``(S,)``.
        session: Number of earlier days of the user, ``(S,)``.
        day: ``(S,)``; the earliest is 0.
        slate: Distinct items in the order of their first impression, ``(S, K)``, padded with -1.
        clicks: 1 where an item was clicked at least once that day, ``(S, K)``.
        feedback: ``click``, the number of items clicked; the named amounts, summed over all
            impressions of the items in the slate; and ``return``, see `return_shares`; each
            ``(S,)``.
        complete: Whether the return window lies inside the log, ``(S,)``.
        truncated: Rows left out because the slate of their day was full.
    """

    user: Ints
    session: Ints
    day: Ints
    slate: Ints
    clicks: NDArray[np.int8]
    feedback: dict[str, Floats]
    complete: Bools
    truncated: int

    def columns(self, censored: Censored) -> dict[str, Any]:
        """Return the columns of a `SlateLog`, with or without the censored sessions.

        Sessions are censored by their day, so every session that stays keeps all earlier ones of
        its user: dropping never shortens a history.

        Args:
            censored: ``drop`` or ``keep``.

        Raises:
            LogError: If no session would stay.
        """
        if censored == "drop" and not self.complete.any():
            raise LogError(
                "the log ends before the return window of its first day does, so no return is "
                "fully observed: use a smaller return_days, or censored=keep."
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

    def counts(self, rows: int, duplicates: int = 0) -> dict[str, int]:
        """Return what became of the rows of a log.

        Args:
            rows: Rows of the files.
            duplicates: Rows left out because they repeat an earlier row in all columns.

        Returns:
            ``rows``, ``duplicates`` and ``truncated`` (left out because the slate of their day was
            full); ``users`` and ``sessions``, including censored ones; and ``censored``, the
            sessions whose return window passes the end of the log.
        """
        return {
            "rows": rows,
            "duplicates": duplicates,
            "truncated": self.truncated,
            "users": len(np.unique(self.user)),
            "sessions": len(self.user),
            "censored": int((~self.complete).sum()),
        }


def days_and_steps(user: Ints, seconds: Floats) -> dict[str, Any]:
    """Return ``user``, ``session``, ``day`` and ``step`` of a log in which a day is a session.

    Args:
        user: User of each row, in the order of time, ``(M,)``.
        seconds: Seconds since 1970, ``(M,)``.
    """
    day = whole_days(seconds)
    days, of_day = np.unique(np.stack([user, day], axis=1), axis=0, return_inverse=True)
    of_day = of_day.reshape(-1)  # (M,) which user and day
    session = encode.rank_within(days[:, 0])[of_day]
    return {"user": user, "session": session, "day": day, "step": encode.rank_within(of_day)}


def daily_sessions(
    *,
    user: Ints,
    item: Ints,
    day: Ints,
    seconds: Floats,
    clicked: Bools,
    amounts: Mapping[str, Floats],
    slate_size: int,
    return_days: int,
) -> DailySessions:
    """Make one slate per user and day.

    An item shown again on the same day keeps its first position. Of more than ``slate_size`` items
    the later ones are left out, with all feedback on them.

    Args:
        user: ``(N,)``, in any order.
        item: ``(N,)``, 0 or more.
        day: ``(N,)`` whole days.
        seconds: Time within the day, ``(N,)``; rows of the same time keep their order.
        clicked: ``(N,)``.
        amounts: Other feedback by name, ``(N,)`` each.
        slate_size: K.
        return_days: Days of the return window.
    """
    order = np.lexsort((seconds, day, user))
    user, item, day = user[order], item[order], day[order]
    new = np.ones(len(user), dtype=np.bool_)
    new[1:] = (np.diff(user) != 0) | (np.diff(day) != 0)
    session = np.cumsum(new) - 1  # (N,) sorted by user, then day
    first = np.flatnonzero(new)  # (S,)

    # A slot is an item of a session; slots are ranked by the item's first impression.
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
    """Return the share of the next days on which the user of each row is active, ``(M,)``.

    Args:
        user: ``(M,)``, in any order.
        day: ``(M,)``; several rows of one day count as one.
        days: Days of the window, which starts on the day after the row.
    """
    active, keys = _active_days(user, day, days)
    later = np.searchsorted(keys, keys + days, side="right") - np.arange(len(keys)) - 1
    shares: Floats = later[active] / days
    return shares


def arrived_returns(user: Ints, day: Ints, days: int) -> Floats:
    """Return how much of earlier returns becomes known on the day of each row, ``(M,)``.

    An active day adds ``1 / days`` to the return of each earlier active day of the user in the
    window. Over a user's whole log these sum to what `return_shares` gives, but each part appears
    only on the day on which it happens.

    Args:
        user: ``(M,)``, in any order.
        day: ``(M,)``; rows of one day have the same value.
        days: Days of the window.
    """
    active, keys = _active_days(user, day, days)
    earlier = np.arange(len(keys)) - np.searchsorted(keys, keys - days, side="left")
    arrived: Floats = earlier[active] / days
    return arrived


def _active_days(user: Ints, day: Ints, days: int) -> tuple[Ints, Ints]:
    """Return the active day (user and day) of each row, ``(M,)``, and the sorted active days.

    Active days are numbers that differ by the days between them, and by more than ``days`` from
    those of other users.
    """
    start = int(day.min(initial=2**62)) if len(day) else 0
    span = int(day.max(initial=start)) - start + days + 1
    keys, active = np.unique(user * span + (day - start), return_inverse=True)
    return active.reshape(-1), keys
