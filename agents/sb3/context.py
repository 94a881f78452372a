"""What the policy is told of a user, as one vector."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsim.contracts.slates import Observation
from recsim.problem import Problem

Floats = NDArray[np.float32]


def context_size(problem: Problem) -> int:
    """Return the length P of the vector that `context` gives."""
    items = int(problem.item_features.shape[1])
    return problem.user_feature_dim + 2 * items + 2 + 3 + len(problem.rewards)


def context(obs: Observation, problem: Problem) -> Floats:
    """Return the context of every user, ``(B, P)``.

    The user's features; of the observed history the mean features of the items clicked and of those
    passed over, and how many there were; day, session and step; the rewards of the last step.
    Numbers without a bound are compressed, ``sign(x) log(1 + |x|)``. What an observation leaves out
    counts as 0.
    """
    batch = len(obs["candidates"])
    empty = np.full((batch, 0), -1)
    items = np.asarray(obs.get("history_items", empty))
    clicked = np.asarray(obs.get("history_clicks", empty)) > 0
    shown = items >= 0
    parts = [np.asarray(obs["user_features"])]
    for chosen in (shown & clicked, shown & ~clicked):
        parts += _summary(items, chosen, problem.item_features)
    parts.append(_compressed(obs.get("time", np.zeros((batch, 3)))))
    parts.append(_compressed(obs.get("feedback", np.zeros((batch, len(problem.rewards))))))
    return np.concatenate(parts, axis=1).astype(np.float32)


def _summary(
    items: NDArray[np.int64], chosen: NDArray[np.bool_], features: Floats
) -> list[NDArray[np.floating]]:
    """Return the mean features of the chosen items, ``(B, D)``, and their number, ``(B, 1)``."""
    number = chosen.sum(axis=1, keepdims=True)
    vectors = np.where(chosen[:, :, None], features[items], 0.0)  # (B, H * K, D)
    return [vectors.sum(axis=1) / np.maximum(number, 1), _compressed(number)]


def _compressed(values: NDArray[np.floating]) -> NDArray[np.floating]:
    values = np.asarray(values, dtype=np.float64)
    compressed: NDArray[np.float64] = np.sign(values) * np.log1p(np.abs(values))
    return compressed
