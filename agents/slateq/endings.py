"""The successor of each row of a log: another row, none, or unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from recsim.arrays import Bools, Ints
from recsim.log import SlateLog
from recsim.log.encode import rank_within

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

    A log does not say why a user's rows end. With ``left``, every user has left for good at the end
    of their rows and earns nothing more; with ``cut``, every user was cut off. ``auto`` guesses: a
    user was cut off if they have as many rows as the busiest user (a limit on slates), if their
    last row is on the last of several days of the log (a limit on days), or if the reward
    ``return`` of their last row, where it exists, is positive; all others have left. This is right
    for logs of ``SlateRec-v0``, except for users who leave in the very last slate or on the very
    last day.

    Args:
        log: The log.
        ending: See above.
    """
    order = log.by_user
    following = np.full(len(log), -1)
    same = log.user[order][1:] == log.user[order][:-1]
    if not log.anonymous:
        following[order[:-1][same]] = order[1:][same]
    last = following < 0
    if ending == "cut":
        return Successors(following, np.zeros(len(log), dtype=bool))
    if ending == "left":
        return Successors(following, last)
    rows = rank_within(log.user) + 1
    cut = rows == rows.max(initial=0)
    latest = log.day.max(initial=0)
    if latest > log.day.min(initial=latest):
        cut |= log.day == latest
    if "return" in log.feedback:
        cut |= log.feedback["return"] > 0
    return Successors(following, last & ~cut)
