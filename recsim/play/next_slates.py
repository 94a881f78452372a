"""The slates that an agent would have shown in place of those of a log, given each user's past."""

from __future__ import annotations

from typing import Any

import numpy as np

from recsim.arrays import Ints
from recsim.contracts.slates import Agent
from recsim.log import SlateLog
from recsim.log.readers.sessions import arrived_returns

# Users per batch: bounds the memory, as each of them is offered the whole catalogue.
_USERS = 256


def next_slates(
    agent: Agent, log: SlateLog, *, history: int, return_days: int | None = None
) -> Ints:
    """Return the slate that an agent would have shown at each row, as item ids ``(M, K)``.

    Users are processed in batches, those with the most rows first; at step t each user of a batch
    is at their t-th row. The agent learns about the past only from the observation: its history and
    ``feedback``. `Agent.observe` is never called. A user without further rows stays in the batch
    with their last row, and the agent's slates for them are ignored.

    Args:
        agent: The agent.
        log: Rows in the order of time, with all rows of each user.
        history: Past slates per observation, H.
        return_days: Length in days of the window over which the reward ``return`` counts. Such a
            reward is not yet known at the next row, so ``feedback`` then has the returns that are
            known, see `recsim.log.readers.sessions.arrived_returns`. None to use the log's own
            ``feedback``.
    """
    arrived = None
    if return_days is not None:
        arrived = arrived_returns(log.user, log.day, return_days)
    column = list(log.problem.rewards).index("return") if arrived is not None else -1
    slates = np.full((len(log), log.problem.slate_size), -1, dtype=np.int64)
    order = log.by_user
    _, start, count = np.unique(log.user[order], return_index=True, return_counts=True)
    longest_first = np.argsort(-count, kind="stable")
    for begin in range(0, len(start), _USERS):
        chunk = longest_first[begin : begin + _USERS]
        first, rows_of = start[chunk], count[chunk]  # (B,)
        agent.begin(len(chunk))
        for step in range(int(rows_of.max())):
            rows = order[first + np.minimum(step, rows_of - 1)]  # (B,)
            obs: dict[str, Any] = log.observations(rows, history_slates=history)
            if arrived is not None:
                obs["feedback"][:, column] = arrived[rows]
            shown = np.take_along_axis(obs["candidates"], agent.act(obs).slates, axis=1)
            present = step < rows_of
            slates[rows[present]] = shown[present]
    return slates
