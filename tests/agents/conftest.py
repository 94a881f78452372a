from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

import agents
from recsim.contracts.slates import Feedback
from recsim.log import SlateLog
from recsim.play.rollout import rollout
from recsim.problem import Problem


@pytest.fixture(autouse=True)
def one_thread():
    """Small matrices: threads cost more than they give."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def quick() -> dict[str, dict[str, Any]]:
    """Return settings with which agents learn little, but fast; others are fast by default."""
    bpr = {"base": {"bpr": {"dim": 4, "epochs": 2}}}
    return {
        "bayes_critiquing": {**bpr, "draws": 2},
        "bert4rec": {"dim": 8, "steps": 5},
        "bot_play": {"bpr": {"dim": 4, "epochs": 2}, "fine_tuning": "none"},
        "ce_vae": {"dim": 6, "epochs": 5},
        "clone": {"steps": 5, "batch_size": 16},
        "conv_dqn": {"hidden": 8},
        "dt4ier": {"long": "watch", "steps": 3, "embed_dim": 8, "context": 3, "balance_steps": 3},
        "fact_crs": {"trees": 2, "depth": 3},
        "gru4rec": {"dim": 8, "steps": 5},
        "gru_thompson": {"policy": "epsilon_greedy", "dim": 3, "steps": 4},
        "linear_critiquing": {**bpr},
        "ppo": {"n_steps": 2, "n_epochs": 2},
        "rel_mf": {"steps": 5, "batch_size": 16},
        "sasrec": {"dim": 8, "steps": 5},
        "slate_mf": {"steps": 5, "batch_size": 16},
        "slateq": {
            **{"ending": "left", "epsilon": 0.3},
            **{"steps": 5, "choice_steps": 5, "batch_size": 16},
        },
    }


@pytest.fixture
def make_problem() -> Callable[..., Problem]:
    """Build a problem of I items with K slots, whose items have random features."""

    def build(num_items=4, slate_size=2, num_candidates=None, users=3, items=2) -> Problem:
        rng = np.random.default_rng(7)
        return Problem(
            num_items=num_items,
            slate_size=slate_size,
            num_candidates=num_candidates or num_items,
            user_feature_dim=users,
            item_features=rng.normal(size=(num_items, items)).astype(np.float32),
            rewards={"click": 1.0, "watch": 0.5},
        )

    return build


@pytest.fixture
def observe_users() -> Callable[..., dict]:
    """Build the observation of B users, who see the whole catalogue or C random items of it."""

    def build(problem: Problem, batch: int, seed: int = 0) -> dict:
        rng = np.random.default_rng(seed)
        order = np.argsort(rng.random((batch, problem.num_items)), axis=1)
        features = rng.normal(size=(batch, problem.user_feature_dim)).astype(np.float32)
        return {"user_features": features, "candidates": order[:, : problem.num_candidates]}

    return build


@pytest.fixture
def make_log() -> Callable[..., SlateLog]:
    """Build a log of M random slates with random outcomes, one user a row."""

    def build(problem: Problem, rows: int, seed: int = 0, **columns) -> SlateLog:
        rng = np.random.default_rng(seed)
        keys = rng.random((rows, problem.num_items))
        slate = np.argsort(keys, axis=1)[:, : problem.slate_size]
        clicks = (rng.random(slate.shape) < 0.3).astype(np.int8)
        zeros = np.zeros(rows, dtype=np.int64)
        features = rng.normal(size=(rows, problem.user_feature_dim)).astype(np.float32)
        watch = rng.random(rows)
        defaults = {
            "user": np.arange(rows),
            **dict.fromkeys(("session", "day", "step"), zeros),
            "slate": slate,
            "clicks": clicks,
            "feedback": {"click": clicks.sum(axis=1).astype(float), "watch": watch},
            "user_features": features,
        }
        return SlateLog(problem=problem, **(defaults | columns))

    return build


@pytest.fixture
def make_feedback() -> Callable[..., Feedback]:
    """Build feedback from nested lists; named rewards by keyword."""

    def build(items, clicks, reward=None, active=None, **rewards) -> Feedback:
        items, clicks = np.array(items), np.array(clicks, dtype=np.int8)
        total = clicks.sum(axis=1).astype(float)
        return Feedback(
            items=items,
            clicks=clicks,
            rewards={"click": total} | {k: np.array(v, dtype=float) for k, v in rewards.items()},
            reward=total if reward is None else np.array(reward, dtype=float),
            done=np.zeros(len(items), dtype=bool),
            active=np.ones(len(items), dtype=bool) if active is None else np.array(active),
        )

    return build


def _late(name, seed, world, **config) -> tuple[float, float]:
    """Play 50 users for 90 slates; return the expected clicks of the last 30, and the oracle's."""
    still = {"session": None, "retention": None, "drift": None}
    env = gymnasium.make_vec(
        "recsim:SlateRec-v0",
        num_envs=50,
        preset="interest_exploration",
        world=still | world,
        reveal_state=True,
        max_steps=90,
    )
    agent = agents.make(name, env.unwrapped.problem, seed=seed, **config)
    run = rollout(env, agent, seed=seed, max_steps=90)
    assert run.expected_reward is not None
    assert run.oracle_reward is not None
    return float(run.expected_reward[60:].mean()), float(run.oracle_reward[60:].mean())


@pytest.fixture
def play_alike() -> Callable[..., tuple[float, float]]:
    """Let an agent learn in a world where all users like the same items."""

    def play(name, choice, seed, **config):
        alike = {"affinity": 0.01, "quality_appeal": 3.0, "catalogue": {"num_items": 30}}
        return _late(name, seed, alike | {"choice": choice}, **config)

    return play


@pytest.fixture
def play_personal() -> Callable[..., tuple[float, float]]:
    """Let an agent learn in a world of multinomial logit where users like different items."""

    def play(name, seed, **config):
        world = {
            "catalogue": {"num_items": 60, "feature_noise": 0.1},
            "population": {"feature_noise": 0.1},
            "choice": {"kind": "multinomial_logit", "no_click": 3.0},
        }
        return _late(name, seed, world, **config)

    return play
