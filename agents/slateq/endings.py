"""What follows each row of a log: another row, nothing ever, or nobody knows what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recsim.log import SlateLog
from recsim.log.encode import rank_within

Ending = Literal["auto", "left", "cut"]


@dataclass(frozen=True, eq=False)
class Successors:
    """What follows each of M rows.

    Attributes:
        next: The same user's next row, ``(M,)``; -1 where there is none.
        left: True where there is none because the user has left for good, ``(M,)``. Where both are
            missing the log was cut off: nobody knows what followed.
    """

    next: NDArray[np.int64]
    left: NDArray[np.bool_]


def successors(log: SlateLog, ending: Ending) -> Successors:
    """Find what follows each row.

    A log does not say why a user's rows end. ``left`` reads every end as leaving for good, after
    which nothing is earned; ``cut`` reads none so. ``auto`` guesses: a user was cut off who has as
    many rows as the busiest user (a limit of slates), whose last row is on the last of several
    days of the log (a limit of days), or to whom the reward ``return`` of the last row, if there is
    such a reward, says that there was a return; anybody else has left. That is right for logs of
    ``SlateRec-v0`` but for users who leave in the very last slate or on the very last day.

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
