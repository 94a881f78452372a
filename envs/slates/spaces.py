"""The spaces of environments that show slates."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from envs.world.bounds import Bounds, box
from recsim.problem import Problem


def observation_space(
    problem: Problem,
    bounds: Bounds,
    *,
    history: int,
    slots: bool,
    max_steps: int | None,
    max_days: int | None,
) -> spaces.Dict:
    """Return the observation space of one user.

    Args:
        problem: The public facts.
        bounds: Of the users' world.
        history: Slates kept, H.
        slots: Whether items are chosen one at a time.
        max_steps: Limit of an episode, or None.
        max_days: Limit of an episode, or None.
    """
    last, width = problem.num_items - 1, history * problem.slate_size

    def integers(low: int, high: int, dim: int, dtype: Any = np.int64) -> spaces.Box:
        return box(np.full(dim, low), np.full(dim, high), dtype)

    far = np.iinfo(np.int64).max
    times = [far if limit is None else limit for limit in bounds.time(max_steps, max_days)]
    keys: dict[str, spaces.Space[Any]] = {
        "user_features": box(*bounds.features),
        "history_items": integers(-1, last, width),
        "history_clicks": integers(0, 1, width, np.int8),
        "history_length": integers(0, history, 1),
        "feedback": box(*bounds.rewards),
        "candidates": integers(0, last, problem.num_candidates),
        "time": box(np.zeros(3, dtype=np.int64), np.array(times), np.int64),
    }
    if slots:
        keys["partial_slate"] = integers(-1, last, problem.slate_size)
        keys["action_mask"] = integers(0, 1, problem.num_candidates, np.int8)
    return spaces.Dict(keys)


def action_space(problem: Problem, slots: bool) -> spaces.MultiDiscrete | spaces.Discrete:
    """Return the action space of one user; arguments as in `observation_space`."""
    if slots:
        return spaces.Discrete(problem.num_candidates)
    return spaces.MultiDiscrete([problem.num_candidates] * problem.slate_size)
