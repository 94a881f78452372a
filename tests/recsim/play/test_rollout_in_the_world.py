"""Rollouts in `SlateRec-v0`, compared with its exact rewards and oracle."""

import re

import gymnasium
import numpy as np
import pandas as pd
import pytest

import agents
from recsim.play.rollout import rollout


def play(name, *, seed=3, users=40, max_steps=400, record=False, preset="retention", **config):
    env = gymnasium.make_vec(
        "recsim:SlateRec-v0",
        num_envs=users,
        preset=preset,
        max_days=20 if preset == "retention" else None,
        reveal_state=True,
    )
    agent = agents.make(name, env.unwrapped.problem, seed=1, **config)
    return rollout(env, agent, seed=seed, max_steps=max_steps, record=record)


@pytest.fixture(scope="module")
def by_random():
    return play("random", record=True)


def test_the_oracle_has_no_regret(by_random):
    run = play("oracle")
    np.testing.assert_allclose(run.immediate_regret[run.active], 0, atol=1e-6)
    assert by_random.summary()["immediate_regret_per_step"] > 0.1


def test_the_long_term_oracle_keeps_its_users(by_random):
    long_term = play("oracle", objective="long_term").summary()
    greedy = play("oracle").summary()
    assert long_term["sessions_per_user"] > by_random.summary()["sessions_per_user"]
    assert long_term["churned_share"] < greedy["churned_share"]
    assert long_term["click_per_step"] < greedy["click_per_step"]


def test_all_days_are_known_and_agree_with_the_steps(by_random):
    by_day, by_step = by_random.curves("day"), by_random.curves("step")
    assert len(by_random.reward) < 400  # all episodes have ended
    full = by_random.curves("day", length=20)
    assert full.notna().all(axis=None)
    numbers = by_random.summary()
    # On the step axis, rows are known until the first user reaches the last day.
    last = np.flatnonzero((by_random.truncated & by_random.active).any(axis=1))[0]
    assert len(by_step) == last + 1
    total = (by_random.reward * by_random.active)[: last + 1].sum() / 40
    assert by_step["cumulative_reward"].iloc[-1] == pytest.approx(total)
    for frame in (by_day, full):
        for name in ("reward", "click", "watch", "return"):
            total = numbers[f"{name}_per_user"]
            assert frame[f"cumulative_{name}"].iloc[-1] == pytest.approx(total)
        assert frame["cumulative_immediate_regret"].iloc[-1] == pytest.approx(
            numbers["immediate_regret_per_user"]
        )
        assert frame["active"].is_monotonic_decreasing
    left_before = (by_random.day < 19) & by_random.churned & by_random.active
    assert full["active"].iloc[-1] == pytest.approx(1 - left_before.sum() / 40)


def test_the_log_is_valid_and_has_every_active_step(by_random):
    log = by_random.to_log().validate()
    assert len(log) == by_random.active.sum()
    np.testing.assert_allclose(log.propensity, 1 / by_random.problem.num_candidates)
    assert log.reward.sum() == pytest.approx(by_random.reward[by_random.active].sum())
    seen = log.observations(slice(0, 50))
    again = agents.make("random", log.problem).propensities(seen, log.slate[:50])
    np.testing.assert_allclose(again, log.propensity[:50])


def test_same_seeds_give_the_same_rollout():
    one, two = (play("epsilon_greedy", users=8, max_steps=60) for _ in range(2))
    pd.testing.assert_frame_equal(one.curves(), two.curves())
    np.testing.assert_array_equal(one.items, two.items)
    other = play("epsilon_greedy", users=8, max_steps=60, seed=4)
    assert one.items.shape != other.items.shape or (one.items != other.items).any()


def test_a_cohort_can_be_followed_in_a_torch_environment():
    pytest.importorskip("torch")
    env = gymnasium.make_vec(
        "recsim:SlateRec-v0", num_envs=6, preset="retention", reveal_state=True, backend="torch"
    )
    run = rollout(env, agents.make("linucb", env.unwrapped.problem), seed=0, max_steps=30)
    assert all(
        type(column) is np.ndarray for column in (run.reward, run.items, run.immediate_regret)
    )
    assert run.active[0].all()
    assert (run.immediate_regret[run.active] > -1e-5).all()


def test_linucb_learns_in_a_rollout(by_random):
    learned = play("linucb", preset="interest_exploration", users=60).summary()
    random = play("random", preset="interest_exploration", users=60).summary()
    assert learned["reward_per_step"] > 1.3 * random["reward_per_step"]


def test_the_guide_makes_a_log_from_a_rollout(root):
    text = (root / "docs" / "logs.md").read_text()
    (code,) = [
        part for part in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if ".to_log" in part
    ]
    made: dict = {}
    exec(code, made)
    log = made["log"].validate()
    assert log.propensity is not None
    assert agents.make("linucb", log.problem).fit(log).rows == len(log)
