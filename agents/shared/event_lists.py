"""Events of users as flat lists from a log, and as short lists from an observation."""

from __future__ import annotations

from typing import Literal

import numpy as np

from recsim.arrays import Bools, Floats, Ints
from recsim.contracts.slates import Observation
from recsim.log import SlateLog

Events = Literal["clicked", "shown"]


def logged_events(log: SlateLog, events: Events) -> tuple[Ints, Ints]:
    """Return the events of a log, sorted by user and then by time.

    Args:
        log: The log; its rows are in order of time, the items of a slate in order of position.
        events: Which items count as events.

    Returns:
        Item and user of each event, ``(N,)``.
    """
    order = log.by_user
    slate = log.slate[order]
    counts = slate >= 0
    if events == "clicked":
        counts &= log.clicks[order] > 0
    row, slot = np.nonzero(counts)
    return slate[row, slot], log.user[order][row]


def latest_events(obs: Observation, events: Events) -> Ints:
    """Return the events in the history of every user, the latest first, ``(B, T)``.

    T is the number of events of the user with most; -1 is padding.
    """
    items = obs.get("history_items")
    if items is None:
        return np.full((len(obs["candidates"]), 0), -1)
    counts = items >= 0
    if events == "clicked":
        counts = counts & (obs["history_clicks"] > 0)
    back = np.where(counts, items, -1)[:, ::-1]
    most = int(counts.sum(axis=1).max(initial=0))
    order = np.argsort(back < 0, axis=1, kind="stable")[:, :most]
    latest: Ints = np.take_along_axis(back, order, axis=1).astype(np.int64, copy=False)
    return latest


def seen_candidates(obs: Observation, events: Events, num_items: int) -> Bools:
    """Return which candidates are among the events in the history of their user, ``(B, C)``.

    Args:
        obs: See `recsim.contracts.slates`.
        events: Which items count as events.
        num_items: I.
    """
    seen = np.zeros((len(obs["candidates"]), num_items + 1), dtype=np.bool_)
    np.put_along_axis(seen, latest_events(obs, events) + 1, True, axis=1)  # column 0 is padding
    return np.take_along_axis(seen, obs["candidates"] + 1, axis=1)


def below_others(scores: Floats, seen: Bools) -> Floats:
    """Return scores in which some candidates are below all others, in their order, ``(B, C)``.

    They stay candidates, because a slate must be filled all the same.

    Args:
        scores: Scores of the candidates, ``(B, C)``.
        seen: Which of them go below the others, ``(B, C)``.
    """
    lowered: Floats = scores - seen * (np.ptp(scores, axis=1, keepdims=True) + 1)
    return lowered
