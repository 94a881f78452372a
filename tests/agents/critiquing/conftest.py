"""Sessions without an environment."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from agents.critiquing.filtering import best_allowed
from recsim.critique import AspectReviews, CritiqueProblem, planted_reviews
from recsim.critique.seeker import criticisable, criticised, picked


@pytest.fixture(scope="module")
def data() -> AspectReviews:
    """Planted reviews, small."""
    return planted_reviews(users=80, num_items=60, num_aspects=10, reviews=12, seed=1)


@pytest.fixture
def problem_of() -> Callable[[AspectReviews], CritiqueProblem]:
    """Return the public facts of reviews."""
    return _problem


@pytest.fixture
def observe() -> Callable[..., dict[str, Any]]:
    """Return what an agent sees of random users who criticised random aspects."""
    return _observe


@pytest.fixture
def success() -> Callable[..., float]:
    """Return the share of test items that an agent finds, the seeker naming popular aspects."""
    return _success


def _problem(data: AspectReviews) -> CritiqueProblem:
    return CritiqueProblem(
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
    user[0] = -1  # somebody unknown
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


def _success(agent, data: AspectReviews, *, critiques: bool = True, turns: int = 10) -> float:
    test = data.rows("test")
    user, target, row = data.user[test], data.item[test], np.arange(len(test))
    counts, aspects = torch.from_numpy(data.item_counts), torch.from_numpy(data.item_aspects)
    own = torch.from_numpy(data.user_counts[user])
    preferences = own.double()
    done = torch.zeros((len(test), data.num_aspects), dtype=torch.bool)
    taken = data.taken(user)
    shown, found = np.full((len(test), turns), -1), np.zeros(len(test), dtype=bool)
    agent.begin(row)
    for turn in range(turns):
        obs = {
            "user": user[:, None],
            "preferences": preferences.numpy(),
            "critiqued": -done.numpy().astype(np.int8),
            "shown": shown,
            "turn": np.full((len(test), 1), turn),
            "action_mask": (~taken).astype(np.int8),
        }
        showing = agent.act(obs)
        item = best_allowed(showing.scores, obs["action_mask"])
        shown[:, turn] = item
        taken[row, item] = True
        found |= item == target
        pool = criticisable(torch.from_numpy(showing.justification), aspects[target], done)
        pick = picked(
            "popular",
            pool & critiques,
            popularity=torch.from_numpy(data.aspect_popularity),
            shown_counts=counts[item],
            target_counts=counts[target],
            chance=torch.zeros(done.shape),
        )
        done |= pick
        preferences = criticised(preferences, pick, own)
    return float(found.mean())
