"""Histories: what an agent would have seen before each row of a log."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Ints
from recsim.log import encode
from recsim.log.data import LogData

TARGET_KEY = "target_propensity."
"""Begins the keys of the probabilities of other policies in the observations of a log."""


def earlier_rows(log: LogData, rows: Ints, count: int) -> Ints:
    """Return the last ``count`` rows of the same user before each of ``rows``.

    Args:
        log: The log; its rows are in the order of time.
        rows: Row numbers, ``(B,)``.
        count: Rows of history, H.

    Returns:
        Row numbers ``(B, H)``, oldest first and aligned to the right, -1 for missing ones.
    """
    if log.anonymous:
        return np.full((len(rows), count), -1)
    order = log.by_user
    index = np.empty(len(log), dtype=np.int64)  # index of each row in `order`
    index[order] = np.arange(len(log))
    start = np.searchsorted(log.user[order], log.user[rows])  # (B,) the user's first index
    earlier = index[rows][:, None] - np.arange(count, 0, -1)  # (B, H)
    exists = earlier >= start[:, None]
    return np.where(exists, order[np.where(exists, earlier, 0)], -1)


def last_rows(log: LogData, count: int) -> Ints:
    """Return the last ``count`` rows of every user, in the order of the log."""
    from_end = encode.rank_within(log.user[::-1])[::-1]
    return np.flatnonzero(from_end < count)


def observations(log: LogData, rows: Ints, slates: int) -> dict[str, NDArray[Any]]:
    """Build the observation before every row; see `recsim.log.SlateLog.observations`."""
    return _seen(log, rows, earlier_rows(log, rows, max(slates, 1)), slates)


def observations_after(log: LogData, rows: Ints, slates: int) -> dict[str, NDArray[Any]]:
    """Build the observation after every row.

    It is that before the user's next row. After their last row the time is one step later in the
    same session, and ``candidates`` and ``position`` are those of the row, as no others are known.
    """
    count = max(slates, 1)
    past = np.concatenate([earlier_rows(log, rows, count)[:, 1:], rows[:, None]], axis=1)  # (B, H)
    following = next_rows(log)[rows]
    last = following < 0
    found = _seen(log, np.where(last, rows, following), past, slates)
    found["time"][last, 2] += 1
    return found


def next_rows(log: LogData) -> Ints:
    """Return the next row of the same user after each row, ``(M,)``; -1 if there is none."""
    following = np.full(len(log), -1)
    if not log.anonymous:
        order = log.by_user
        same = log.user[order][1:] == log.user[order][:-1]
        following[order[:-1][same]] = order[1:][same]
    return following


def _seen(log: LogData, rows: Ints, past: Ints, slates: int) -> dict[str, NDArray[Any]]:
    """Return observations of B users at the time of ``rows`` ``(B,)`` after ``past`` ``(B, H)``."""
    problem, size = log.problem, len(rows)
    last = past[:, -1]
    feedback = np.zeros((size, len(problem.rewards)), dtype=np.float32)
    for column, name in enumerate(problem.rewards):
        feedback[:, column] = np.where(last >= 0, log.feedback[name][last], 0.0)
    past = past[:, :slates]
    width = slates * problem.slate_size
    empty = (past < 0)[:, :, None]
    items = np.where(empty, -1, log.slate[past])  # (B, H, K)
    clicks = np.where(empty, 0, log.clicks[past])
    if log.candidates is None:
        catalogue = np.arange(problem.num_items)
        candidates = np.broadcast_to(catalogue, (size, problem.num_items))
    else:
        candidates = log.candidates[rows]
    observation = {
        "user_features": log.user_features[log.user[rows]],
        "history_items": items.reshape(size, width),  # (B, H, K) -> (B, H*K)
        "history_clicks": clicks.astype(np.int8).reshape(size, width),
        "history_length": (past >= 0).sum(axis=1, keepdims=True),
        "feedback": feedback,
        "candidates": candidates,
        "time": np.stack([log.day[rows], log.session[rows], log.step[rows]], axis=1),
    }
    if not log.anonymous:
        observation["user"] = log.user[rows]
    if log.position is not None:
        observation["position"] = log.position[rows]
    for name, target in log.target_propensities.items():
        observation[TARGET_KEY + name] = target[rows]
    return observation
