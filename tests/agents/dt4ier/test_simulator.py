"""Returns follow the prompt in a world where clicks now cost returns later."""

import gymnasium
import numpy as np
import pytest

import agents
from recsim.play.rollout import rollout
from recsim.statistics import mean_interval

pytestmark = pytest.mark.xdist_group("dt4ier_simulator")  # they share `outcome`

SEEDS = range(5)
LONG = (0.2, 0.6, 0.8)
QUALITY = {
    "members": (
        {"name": "random", "weight": 2.0},
        {"name": "oracle"},
        {"name": "oracle", "config": {"objective": "long_term"}},
    )
}
TRAINING = {
    "context": 10,
    "history": 20,
    "embed_dim": 32,
    "steps": 300,
    "batch_size": 64,
    "learning_rate": 0.005,
}


def play(name, seed, users, *, state=None, record=False, **config):
    """Run an agent for 30 days with at most one slate per user and day."""
    env = gymnasium.make_vec(
        "recsim:SlateRec-v0",
        num_envs=users,
        preset="retention",
        world={"session": {"minutes": 1.0, "spread": 0.0, "step_minutes": 1.0}},
        max_days=30,
        history=20,
        reveal_state=True,
    )
    agent = agents.make(name, env.unwrapped.problem, seed=seed, **config)
    if state is not None:
        agent.load_state_dict(state)
    return rollout(env, agent, seed=seed, max_steps=1000, record=record)


def rewards(played):
    summary = played.summary()
    return summary["click_per_user"], summary["return_per_user"]


def trained(log, seed, **config):
    agent = agents.make("dt4ier", log.problem, seed=seed, **TRAINING, **config)
    agent.fit(log)
    return agent.state_dict()


@pytest.fixture(scope="module")
def outcome():
    """Immediate and long-term reward of every policy, ``(seeds, 2)``."""
    outcome = {}
    for seed in SEEDS:
        log = play("mixture", 100 + seed, 1000, record=True, **QUALITY).to_log()
        prompted, cloning = trained(log, seed), trained(log, seed, rtg="zero")
        policies = {
            "behaviour": play("mixture", seed, 300, **QUALITY),
            "cloning": play(
                "dt4ier", seed, 300, state=cloning, **TRAINING, rtg="zero", temperature=1.0
            ),
        } | {
            long: play(
                "dt4ier", seed, 300, state=prompted, **TRAINING, prompt=(0.8, long), temperature=0.3
            )
            for long in LONG
        }
        for name, played in policies.items():
            outcome.setdefault(name, []).append(rewards(played))
    return {name: np.array(rows) for name, rows in outcome.items()}


def gain(one, other):
    """Return the interval of a paired difference over seeds."""
    return mean_interval(one - other)


@pytest.mark.slow
def test_returns_follow_the_long_prompt(outcome):
    returns = np.stack([outcome[long][:, 1] for long in LONG])  # (prompts, seeds)
    assert (np.diff(returns.mean(axis=1)) > 0).all()
    assert gain(returns[-1], returns[0])[0] > 0


@pytest.mark.slow
def test_both_rewards_are_above_those_of_the_logging_policy(outcome):
    prompted, behaviour = outcome[0.8], outcome["behaviour"]
    assert gain(prompted[:, 0], behaviour[:, 0])[0] > 0, "more clicks per user"
    assert gain(prompted[:, 1], behaviour[:, 1])[0] > 0, "more returns"


@pytest.mark.slow
def test_behaviour_cloning_is_close_to_the_logging_policy(outcome):
    """Not equal: the first slates do not show which agent of the mixture serves a user."""
    cloning, behaviour = outcome["cloning"].mean(axis=0), outcome["behaviour"].mean(axis=0)
    np.testing.assert_allclose(cloning, behaviour, rtol=0.25)
