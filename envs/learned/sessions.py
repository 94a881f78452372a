"""Sessions of a log: where they end, and when their users return."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsim.arrays import Bools, Floats, Ints
from recsim.log import SlateLog
from recsim.log.encode import rank_within

RETURN = "return"


@dataclass(frozen=True, eq=False)
class Sessions:
    """The session of each row of a log, ``(M,)`` each.

    Attributes:
        step: Rows of the session before this one.
        end: True at the last row of a session that is known to have ended.
        gap: At the last row of a session, days until the user's next session, at least 1; 0 if
            there is none in the log.
        unseen: Days from the row to the end of the log.
        before: Days since the user's previous session; 0 in the first.
    """

    step: Ints
    end: Bools
    gap: Ints
    unseen: Ints
    before: Ints

    @classmethod
    def of(cls, log: SlateLog, window: int) -> Sessions:
        """Find the sessions of a log in chronological order.

        A log does not record whether a user's last session has ended. It has if all sessions are
        single rows, if the row has a return, or if the log has no return at all; otherwise it
        counts as ended, without a return, if the log continues for at least ``window`` days.
        """
        order = log.by_user
        user, session, day = log.user[order], log.session[order], log.day[order]
        new_user = np.diff(user, prepend=-1) != 0
        new = new_user | (np.diff(session, prepend=-1) != 0)  # first row of a session
        number = np.cumsum(new) - 1
        first = np.flatnonzero(new)
        last = np.append(first[1:], len(user))[: len(first)] - 1  # of each session
        follows = np.zeros(len(first), dtype=np.bool_)  # the user has another session
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
    """Return the probability of a duration of 1, 2, ... steps, ``(T,)``.

    The discrete Kaplan-Meier estimate: a censored duration counts for as long as it was observed.
    The remaining probability is put on the longest observed duration.

    Args:
        durations: Steps until the end or until censoring, ``(N,)``, at least 0.
        ended: False where the duration is censored, ``(N,)``; at least one is True, after at least
            one step.
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
