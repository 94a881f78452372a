"""The bounds of observation spaces are real ones: finite, and no observation is outside."""

import numpy as np
import pytest

from envs.slates.env import SlateRecVectorEnv
from envs.world.bounds import Bounds, box
from envs.world.presets import PRESETS
from envs.world.retention import Retention
from recsim.draws import MAX_NORMAL, Draws, Purpose
from tests.envs.families import MANY, ONE, stacked

WIDE = 1e7  # wider than any range of these worlds


def assert_inside(space, observations):
    for name, part in space.items():
        values = observations[name]
        assert values.dtype == part.dtype, name
        assert (values >= part.low).all(), name
        assert (values <= part.high).all(), name


def assert_narrow(space):
    for name, part in space.items():
        assert np.abs(np.array([part.low, part.high], dtype=float)).max(initial=0) < WIDE, name
        assert (part.low < part.high).all(), name


VARIANTS = [
    {},
    {"num_candidates": 30, "slate_size": 3, "history": 2},
    {"max_steps": 7},
    {"world": {"session": {"minutes": 5.0, "step_minutes": 1.0, "spread": 1.0}}},
    {"world": {"population": {"feature_noise": 3.0}, "catalogue": {"length_spread": 1.0}}},
]


@pytest.mark.parametrize("settings", VARIANTS)
@pytest.mark.parametrize("preset", PRESETS)
def test_observations_of_random_rollouts_are_inside(preset, settings):
    env = SlateRecVectorEnv(100, preset=preset, reveal_state=True, **settings)
    space = env.single_observation_space
    assert_narrow(space)
    rng = np.random.default_rng(0)
    obs, info = env.reset(seed=1)
    assert_inside(space, obs)
    for step in range(40):
        random = rng.integers(env.problem.num_candidates, size=env.action_space.shape)
        # The best slates, and the worst, reach farther than random ones.
        action = info["long_term_slate"] if step % 3 else random
        obs, _, _, _, info = env.step(action)
        assert_inside(space, obs)
        if "final_obs" in info:
            assert_inside(space, info["final_obs"])


@pytest.mark.parametrize("name", MANY)
def test_observations_of_every_environment_are_inside(name):
    env = MANY[name](5)
    space = env.single_observation_space
    assert_narrow(space)
    env.reset(seed=0)
    for _ in range(20):
        action = stacked([env.single_action_space.sample() for _ in range(5)])
        obs, *_, info = env.step(action)
        assert_inside(space, obs)
        if "final_obs" in info:
            assert_inside(space, info["final_obs"])


def test_observations_of_a_log_are_inside():
    env = ONE["replay"]()
    assert_narrow(env.observation_space)
    for episode in range(env.num_episodes):
        obs, _ = env.reset(options={"episode": episode})
        over = False
        while not over:
            assert env.observation_space.contains(obs)
            row = int(env._rows[env._step])
            obs, _, terminated, truncated, _ = env.step(env.log.slate[row])
            over = terminated or truncated
        assert env.observation_space.contains(obs)


def test_a_box_contains_its_bounds_and_is_wide():
    space = box([0.0, -0.1, 3.0], [1.0, 0.1, 3.0])
    assert space.low.tolist() == [0.0, np.float32(-0.1), 3.0]
    assert (space.low <= [0.0, -0.1, 3.0]).all()
    assert (space.high >= [1.0, 0.1, 4.0]).all()
    assert box([0], [0], np.int64).high.tolist() == [1]


def test_bounds_of_time_by_hand():
    bounds = Bounds(np.zeros((2, 1)), np.zeros((2, 1)), gap=5, session=8)
    # Day 9 is the last on which a session may end; the user is back on day 14 at the latest.
    assert bounds.time(20, 10) == [14, 10, 8]
    # Three sessions of one step each, and five days after each of them.
    assert bounds.time(3, 10) == [14, 3, 3]
    assert bounds.time(2, None) == [10, 2, 2]
    assert bounds.time(None, None) == [None, None, 8]
    without = Bounds(np.zeros((2, 1)), np.zeros((2, 1)), gap=0, session=None)
    assert without.time(60, None) == [0, 0, 60]
    assert without.time(None, None) == [0, 0, None]


def test_the_longest_gap_is_hardly_longer_than_gaps_get():
    part = Retention(churn=-50, hazard=-1.0, hazard_slope=2.0)
    satisfaction = np.zeros(1, dtype=np.float32)

    class Largest:
        def uniform(self, purpose, width):
            return np.full((1, width), 1 - 2**-24, dtype=np.float32)

    (gap,), _ = part.draw(np, Largest(), satisfaction)
    assert gap <= part.longest_gap() <= gap + 2
    # Hazard 1 / (1 + e^2) = 0.1192 on each day: (1 - 0.1192)^d < 2^-24 from d = 131.1 on.
    assert gap == 132


def test_the_largest_normal_number():
    assert pytest.approx(6.7637, abs=1e-4) == MAX_NORMAL
    draws = Draws(np.arange(20_000, dtype=np.uint64))
    numbers = draws.normal(Purpose("bound"), 20)
    assert 4.5 < np.abs(numbers).max() <= MAX_NORMAL
