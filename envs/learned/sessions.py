"""What a log tells of sessions: where they end, and when the user is there again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsim.log import SlateLog
from recsim.log.encode import rank_within

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

RETURN = "return"


@dataclass(frozen=True, eq=False)
class Sessions:
    """What is known of the session of each row, ``(M,)`` each.

    Attributes:
        step: Rows of the session before this one.
        end: True at the last row of a session that is known to have ended.
        gap: At the last row of a session, days until the user's next one, at least 1; 0 where
            there is none in the log.
        unseen: Days from the row to the end of the log.
        before: Days since the user's session before; 0 in the first.
    """

    step: Ints
    end: Bools
    gap: Ints
    unseen: Ints
    before: Ints

    @classmethod
    def of(cls, log: SlateLog, window: int) -> Sessions:
        """Read the sessions off a log whose order is the order of time.

        A log does not say whether a user's last session came to its end. It did if all sessions
        are single rows, if the row has a return, or if the log has none; otherwise it counts as
        ended, without a return, where the log goes on for at least ``window`` days.
        """
        order = log.by_user
        user, session, day = log.user[order], log.session[order], log.day[order]
        new_user = np.diff(user, prepend=-1) != 0
        new = new_user | (np.diff(session, prepend=-1) != 0)  # first row of a session
        number = np.cumsum(new) - 1
        first = np.flatnonzero(new)
        last = np.append(first[1:], len(user))[: len(first)] - 1  # of each session
        follows = np.zeros(len(first), dtype=np.bool_)  # the same user has a next session
        follows[:-1] = ~new_user[first[1:]]
        pause = np.zeros(len(first), dtype=np.int64)
        pause[:-1] = np.maximum(day[first[1:]] - day[last[:-1]], 1)
        pause = np.where(follows, pause, 0)
        previous = np.concatenate([[0], pause[:-1]])[: len(first)]
        unseen = day.max(initial=0) - day
        ended = follows | (unseen[last] >= window)
        returns = log.feedback.get(RETURN)
        if returns is None or bool(new.all()):
            ended[:] = True
        else:
            ended |= returns[order][last] > 0
        end = np.zeros(len(user), dtype=np.bool_)
        end[last] = ended
        gap = np.zeros(len(user), dtype=np.int64)
        gap[last] = pause
        back = np.argsort(order, kind="stable")
        return cls(
            step=rank_within(number)[back],
            end=end[back],
            gap=gap[back],
            unseen=unseen[back],
            before=previous[number][back],
        )


def life_table(durations: Ints, ended: Bools) -> Floats:
    """Return the probability that something ends after 1, 2, ... steps, ``(T,)``.

    The discrete Kaplan-Meier estimate: what was cut off counts as long as it was seen. What would
    have lasted longer than anything seen to end is taken to end last.

    Args:
        durations: Steps until the end, or until it was cut off, ``(N,)``, at least 0.
        ended: Whether it was the end, ``(N,)``; one at least, after at least one step.
    """
    last = int(durations[ended].max())
    events = np.bincount(durations[ended], minlength=last + 1)[1:]  # (T,)
    seen = np.bincount(np.minimum(durations, last), minlength=last + 1)
    at_risk = np.cumsum(seen[::-1])[::-1][1:]
    hazard = events / at_risk
    hazard[-1] = 1.0
    alive = np.concatenate([[1.0], np.cumprod(1 - hazard)[:-1]])
    probability: Floats = alive * hazard
    return probability
