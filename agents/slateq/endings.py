"""The successor of each row of a log: another row, none, or unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from recsim.arrays import Bools, Ints
from recsim.log import SlateLog
from recsim.log.encode import rank_within
from recsim.log.history import next_rows

Ending = Literal["auto", "left", "cut"]


@dataclass(frozen=True, eq=False)
class Successors:
    """The successors of M rows.

    Attributes:
        next: The same user's next row, ``(M,)``; -1 if there is none.
        left: True if there is none because the user has left for good, ``(M,)``. With neither, the
            log was cut off, and the successor is unknown.
    """

    next: Ints
    left: Bools


def successors(log: SlateLog, ending: Ending) -> Successors:
    """Return the successors of the rows of a log.

    A log with the columns ``terminated`` and ``truncated``, such as those of rollouts, says why a
    user's rows end, and ``auto`` follows it: an episode ends at either, and the successor of a
    truncated row is unknown, as is that of a last row with neither. Another log does not say it.
    With ``left``, every user has left for good at the end of their rows and earns nothing more;
    with ``cut``, every user was cut off. ``auto`` then guesses: a user was cut off if they have as
    many rows as the busiest user (a limit on slates), if their last row is on the last of several
    days of the log (a limit on days), or if the reward ``return`` of their last row, where it
    exists, is positive; all others have left.

    Args:
        log: The log.
        ending: See above.
    """
    following = next_rows(log)
    last = following < 0
    if ending == "cut":
        return Successors(following, np.zeros(len(log), dtype=bool))
    if ending == "left":
        return Successors(following, last)
    if log.terminated is not None and log.truncated is not None:
        return Successors(np.where(log.truncated | log.terminated, -1, following), log.terminated)
    rows = rank_within(log.user) + 1
    cut = rows == rows.max(initial=0)
    latest = log.day.max(initial=0)
    if latest > log.day.min(initial=latest):
        cut |= log.day == latest
    if "return" in log.feedback:
        cut |= log.feedback["return"] > 0
    return Successors(following, last & ~cut)
