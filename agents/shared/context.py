"""The context of a user, as one vector: the input of a policy network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Bools, Floats32, Ints
from recsim.contracts.slates import Observation
from recsim.problem import Problem


def context_size(problem: Problem) -> int:
    """Return P, the length of the vectors that `context` returns."""
    items = int(problem.item_features.shape[1])
    return problem.user_feature_dim + 2 * items + 2 + 3 + len(problem.rewards)


def context(obs: Observation, problem: Problem) -> Floats32:
    """Return the context of every user, ``(B, P)``.

    It consists of the user's features; the mean features and the number of items clicked in the
    observed history, and of those not clicked; day, session and step; and the rewards of the last
    step. Unbounded numbers x become ``sign(x) log(1 + |x|)``. Missing entries of an observation
    count as 0.
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


def _summary(items: Ints, chosen: Bools, features: Floats32) -> list[NDArray[np.floating]]:
    """Return the mean features of the chosen items, ``(B, D)``, and their number, ``(B, 1)``."""
    number = chosen.sum(axis=1, keepdims=True)
    vectors = np.where(chosen[:, :, None], features[items], 0.0)  # (B, H * K, D)
    return [vectors.sum(axis=1) / np.maximum(number, 1), _compressed(number)]


def _compressed(values: NDArray[np.floating]) -> NDArray[np.floating]:
    values = np.asarray(values, dtype=np.float64)
    compressed: NDArray[np.float64] = np.sign(values) * np.log1p(np.abs(values))
    return compressed
