"""Logs as transitions: the arrays that libraries of offline reinforcement learning take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Bools, Floats32, Ints
from recsim.errors import LogError, did_you_mean
from recsim.log.data import LogData
from recsim.log.history import next_rows, observations, observations_after
from recsim.problem import Problem

Layout = Literal["d3rlpy", "torchrl"]
Encoder = Callable[[Mapping[str, NDArray[Any]]], NDArray[Any]]


def ends_of_episodes(log: LogData) -> tuple[Bools, Bools]:
    """Return where episodes are terminated and truncated, ``(M,)`` each.

    A user's last row that is neither is truncated: what came next is not in the log.

    Raises:
        LogError: If the log is anonymous, as its rows then belong to no episodes.
    """
    if log.anonymous:
        raise LogError(
            "The log is anonymous: no row follows another, so there are no episodes. Name the "
            "column of the user to read it with sequences."
        )
    terminated = np.zeros(len(log), dtype=np.bool_) if log.terminated is None else log.terminated
    truncated = terminated & False if log.truncated is None else log.truncated
    return terminated, truncated | (~terminated & (next_rows(log) < 0))


def transitions(
    log: LogData, layout: Layout, history_slates: int, encode: Encoder | None
) -> dict[str, Any]:
    """Return the transitions of a log; see `recsim.log.SlateLog.to_transitions`."""
    if layout not in ("d3rlpy", "torchrl"):
        raise LogError(
            f"layout must be 'd3rlpy' or 'torchrl', not {layout!r}."
            f"{did_you_mean(str(layout), ('d3rlpy', 'torchrl'))}"
        )
    terminated, truncated = (ends[log.by_user] for ends in ends_of_episodes(log))
    rows = log.by_user
    before = _encoded(log, observations(log, rows, history_slates), encode)
    after = _encoded(log, observations_after(log, rows, history_slates), encode)
    reward, action = log.reward[rows].astype(np.float32), log.slate[rows]
    if layout == "d3rlpy":
        return {
            "observations": before,
            "actions": action,
            "rewards": reward,
            "next_observations": after,
            "terminals": terminated.astype(np.float32),
            "timeouts": truncated.astype(np.float32),
        }
    ends = {"terminated": terminated, "truncated": truncated, "done": terminated | truncated}
    columns = {"reward": reward, **ends}
    return {
        "observation": before,
        "action": action,
        "next": {"observation": after, **{name: v[:, None] for name, v in columns.items()}},
    }


def _encoded(
    log: LogData, observation: Mapping[str, NDArray[Any]], encode: Encoder | None
) -> NDArray[Any]:
    if encode is None:
        return flat_observations(observation, log.problem)
    encoded = np.asarray(encode(observation))
    if encoded.ndim < 1 or len(encoded) != len(log):
        raise LogError(
            f"encode must return one row per observation, {len(log)} rows; it returned an array of "
            f"shape {encoded.shape}."
        )
    return encoded


def flat_observations(observation: Mapping[str, NDArray[Any]], problem: Problem) -> Floats32:
    """Return observations as vectors in which items are given by what they are, not by number.

    One after the other: the features of the user; for each slot of the history, oldest first, 1 if
    an item was shown there, 1 if it was clicked, and the item's features, or if items have none,
    its group one-hot (zeros where nothing was shown); the named rewards of the last slate; day,
    session and step.

    Args:
        observation: Arrays of B rows, see `recsim.log.SlateLog.observations`.
        problem: The catalogue.

    Returns:
        float32 array ``(B, F + H*K*(2 + D) + R + 3)``.

    Raises:
        LogError: If items have neither features nor groups, by which they could be told apart.
    """
    known: Floats32 = problem.item_features
    if not known.shape[1]:
        groups = problem.item_groups
        if groups.max(initial=0) == groups.min(initial=0):
            raise LogError(
                "The items of this log have neither features nor groups, so a vector cannot tell "
                "them apart: give encode=, a function from observations to vectors, or read the "
                "log with features of items."
            )
        known = np.eye(int(groups.max()) + 1, dtype=np.float32)[groups]
    shown: Ints = observation["history_items"]  # (B, H*K)
    there = (shown >= 0)[:, :, None]
    items = np.where(there, known[shown], 0)  # (B, H*K, D)
    slots = np.concatenate([there, observation["history_clicks"][:, :, None], items], axis=2)
    parts = (
        observation["user_features"],
        slots.reshape(len(shown), -1),
        observation["feedback"],
        observation["time"],
    )
    return np.concatenate([np.asarray(part, dtype=np.float32) for part in parts], axis=1)
