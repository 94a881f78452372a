"""An agent's next slate for every row of a log, each user's own past being told as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.contracts.slates import Agent
from recsim.log import SlateLog
from recsim.log.readers.sessions import arrived_returns

__all__ = ["next_slates"]

# Users at a time: bounds memory, as every one of them is offered the whole catalogue.
_USERS = 256


def next_slates(
    agent: Agent, log: SlateLog, *, history: int, return_days: int | None = None
) -> NDArray[np.int64]:
    """Return what an agent would have shown in place of each row, as item ids ``(M, K)``.

    Users are met some at a time, those with the most rows first: at step t each of them is at their
    t-th row. The agent learns what happened from the observation alone, in the history and in
    ``feedback``; `Agent.observe` is never called. A user whose rows are over is shown to the agent
    at their last row again, and what it does there is ignored.

    Args:
        agent: The agent.
        log: Whole users, whose rows are in the order of time.
        history: Past slates that it sees, H.
        return_days: Where the reward ``return`` of a row is the share of so many later days, which
            nobody can know at the next row: ``feedback`` tells it as it arrives, see
            `recsim.log.readers.sessions.arrived_returns`. None where the log's own ``feedback`` is
            told.
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
