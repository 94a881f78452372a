"""Reviews, observations, and success rates of agents."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from recsim.critiquing import AspectReviews, CritiquingProblem, planted_reviews
from recsim.play.critiquing import critique_metrics, play_critiquing


@pytest.fixture(scope="module")
def data() -> AspectReviews:
    """A small set of planted reviews."""
    return planted_reviews(users=80, num_items=60, num_aspects=10, reviews=12, seed=1)


@pytest.fixture
def problem_of() -> Callable[[AspectReviews], CritiquingProblem]:
    """Return the problem for reviews."""
    return _problem


@pytest.fixture
def observe() -> Callable[..., dict[str, Any]]:
    """Return an observation of random users with critiques of random aspects."""
    return _observe


@pytest.fixture
def success() -> Callable[..., float]:
    """Return the fraction of test items that an agent finds with the popular seeker."""
    return _success


def _problem(data: AspectReviews) -> CritiquingProblem:
    return CritiquingProblem(
        num_users=data.num_users,
        num_items=data.num_items,
        num_aspects=data.num_aspects,
        max_turns=10,
        item_aspects=data.item_aspects,
        aspect_names=data.aspect_names,
        item_names=data.item_names,
    )


def _observe(data: AspectReviews, sessions: int, critiques: int = 2, seed: int = 0) -> dict:
    rng = np.random.default_rng(seed)
    user = rng.integers(data.num_users, size=sessions)
    user[0] = -1  # an unknown user
    order = np.argsort(rng.random((sessions, data.num_aspects)), axis=1)
    critiqued = np.zeros(order.shape, dtype=np.int8)
    np.put_along_axis(critiqued, order[:, :critiques], -1, axis=1)
    counts = np.where(user[:, None] >= 0, data.user_counts[user], 0)
    shown = np.full((sessions, 10), -1)
    shown[:, 0] = rng.integers(data.num_items, size=sessions)
    mask = ~data.taken(user)
    mask[np.arange(sessions), shown[:, 0]] = False
    return {
        "user": user[:, None],
        "preferences": counts - (critiqued < 0) * np.maximum(counts, 1.0),
        "critiqued": critiqued,
        "shown": shown,
        "turn": np.full((sessions, 1), critiques),
        "action_mask": mask.astype(np.int8),
    }


def _success(agent, data: AspectReviews, *, critiques: bool = True) -> float:
    number = "one" if critiques else "none"
    env = gym.make_vec("recsim:CritiqueRec-v0", num_envs=256, data=data, critiques=number)
    return critique_metrics(play_critiquing(env, agent, seed=0))["sr_final@1"]
