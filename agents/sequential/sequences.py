"""Sequences of events from logs and observations.

Token 0 is padding, item i is token i + 1, and two special tokens follow; see `special_tokens`.
"""

from __future__ import annotations

import numpy as np

from agents.sequential.config import Events
from recsim.arrays import Ints
from recsim.contracts.slates import Observation
from recsim.log import SlateLog, encode

PADDING = 0


def special_tokens(num_items: int) -> tuple[int, int]:
    """Return the start token and the mask token."""
    return num_items + 1, num_items + 2


def windows(log: SlateLog, events: Events, length: int) -> tuple[Ints, Ints]:
    """Cut every user's events into windows of at most ``length``, counted from the last event.

    Args:
        log: The log; its rows are in order of time, the items of a slate in order of position.
        events: Which items count as events.
        length: L.

    Returns:
        Tokens ``(W, L)``, oldest first, padded on the right; and the user of each window, ``(W,)``.
        The windows of a user are in order of time.
    """
    order = log.by_user
    slate = log.slate[order]
    counts = slate >= 0
    if events == "clicked":
        counts &= log.clicks[order] > 0
    row, slot = np.nonzero(counts)
    items, user = slate[row, slot], log.user[order][row]  # (N,), sorted by user, then by time
    later = encode.rank_within(user[::-1])[::-1]  # number of later events of the same user
    window = later // length
    new = np.ones(len(items), dtype=np.bool_)
    new[1:] = (user[1:] != user[:-1]) | (window[1:] != window[:-1])
    index = np.cumsum(new) - 1
    tokens = np.full((int(new.sum()), length), PADDING)
    tokens[index, encode.rank_within(index)] = items + 1
    return tokens, user[new]


def observed(obs: Observation, events: Events) -> Ints:
    """Return the tokens of the events in the history of every user, ``(B, T)``, T <= H*K.

    Oldest first, padded on the right, wherever the history itself is padded.
    """
    items = obs.get("history_items")
    if items is None:
        return np.full((len(obs["candidates"]), 0), PADDING)
    counts = items >= 0
    if events == "clicked":
        counts = counts & (obs["history_clicks"] > 0)
    order = np.argsort(~counts, axis=1, kind="stable")
    most = int(counts.sum(axis=1).max(initial=0))
    tokens: Ints = np.take_along_axis(np.where(counts, items + 1, PADDING), order, axis=1)
    return tokens[:, :most].astype(np.int64, copy=False)


def last_events(tokens: Ints, count: int) -> Ints:
    """Keep the last ``count`` events of every row, padded on the right, ``(B, min(count, T))``."""
    width = min(count, tokens.shape[1])
    skip = np.maximum((tokens != PADDING).sum(axis=1, keepdims=True) - count, 0)
    return np.take_along_axis(tokens, skip + np.arange(width), axis=1)
