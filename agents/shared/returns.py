"""Returns of the users of a log: in total, and from each slate on."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from agents.shared.targets import outcomes
from recsim.arrays import Floats
from recsim.log import SlateLog
from recsim.log.encode import rank_within


def slate_rewards(log: SlateLog, target: str) -> Floats:
    """Return the reward of every slate, ``(M,)``; clicks are summed over the items shown.

    Args:
        log: The log.
        target: ``click``, a named reward, or ``reward`` for the scalar one.

    Raises:
        AgentError: If the log lacks the named reward.
    """
    earned = outcomes(log, target)
    if earned.values.ndim == 1:
        return earned.values
    total: Floats = np.where(earned.items >= 0, earned.values, 0.0).sum(axis=1)
    return total


def returns_to_go(log: SlateLog, rewards: Floats, gamma: float = 1.0) -> Floats:
    """Return the discounted sum of a user's rewards from each slate to their last, ``(M,)``.

    ``G_t = sum_{k >= 0} gamma^k r_{t+k}``; gamma counts slates, not days. What the log does not
    show, because a user was cut off, counts 0.

    Args:
        log: The log, in the order of time.
        rewards: r, ``(M,)``.
        gamma: Discount, in [0, 1].
    """
    to_go = np.array(rewards, dtype=np.float64)
    if log.anonymous:
        return to_go
    slates_left = rank_within(log.user[::-1])[::-1]  # (M,)
    # Rows by the number of slates that follow: a step of the loop serves all users.
    order = np.lexsort((log.user, slates_left))
    ends = np.searchsorted(slates_left[order], np.arange(int(slates_left.max(initial=0)) + 2))
    following = np.zeros(int(log.user.max(initial=0)) + 1)  # G of the user's next slate
    for start, end in pairwise(ends):
        rows = order[start:end]
        to_go[rows] += gamma * following[log.user[rows]]
        following[log.user[rows]] = to_go[rows]
    return to_go


def total_returns(log: SlateLog, rewards: Floats) -> Floats:
    """Return the sum of the rewards of each row's user, ``(M,)``.

    Args:
        log: The log.
        rewards: ``(M,)``.
    """
    totals = np.bincount(log.user, weights=rewards.astype(np.float64))
    return totals[log.user].astype(np.float64, copy=False)
