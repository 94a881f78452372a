"""Environments can be pickled and copied in the middle of an episode, and say when to reset."""

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from envs.slates.env import SlateRecVectorEnv
from tests.envs.families import CONVERSATIONS, CRITIQUES, MANY, ONE, SLATES, flat, stacked


def dumped(env):
    return pickle.loads(pickle.dumps(env))


def trace(env, actions):
    """Numbers of some steps; episodes that end are followed by others."""
    numbers = []
    for action in actions:
        obs, reward, terminated, truncated, info = env.step(action)
        numbers.append(flat({"obs": obs, "info": info, "reward": np.asarray(reward)}))
        if isinstance(env, gym.Env) and (terminated or truncated):
            env.reset()
    return numbers


def assert_equal(left, right):
    for one, other in zip(left, right, strict=True):
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert np.array_equal(value, other[name]), name


@pytest.mark.parametrize("duplicate", [copy.deepcopy, dumped])
@pytest.mark.parametrize("name", ONE)
def test_a_copy_of_one_user_goes_on_with_the_same_numbers(name, duplicate):
    env = ONE[name]()
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(15)]
    duplicate(env).reset(seed=0)  # before the first reset
    env.reset(seed=3)
    trace(env, actions[:3])
    twin = duplicate(env)
    assert_equal(trace(env, actions[3:]), trace(twin, actions[3:]))
    assert env.observation_space == twin.observation_space


@pytest.mark.parametrize("duplicate", [copy.deepcopy, dumped])
@pytest.mark.parametrize("name", MANY)
def test_a_copy_of_many_users_goes_on_with_the_same_numbers(name, duplicate):
    env = MANY[name](3)
    env.single_action_space.seed(0)
    actions = [stacked([env.single_action_space.sample() for _ in range(3)]) for _ in range(15)]
    env.reset(seed=3)
    trace(env, actions[:3])
    twin = duplicate(env)
    assert_equal(trace(env, actions[3:]), trace(twin, actions[3:]))
    assert_equal([flat(env.reset()[0])], [flat(twin.reset()[0])])


def test_a_copy_is_independent_of_the_original():
    env = ONE["slates"]()
    env.reset(seed=3)
    twin, third = copy.deepcopy(env), copy.deepcopy(env)
    trace(env, [[0, 1]] * 5)
    assert_equal(trace(twin, [[2, 3]] * 5), trace(third, [[2, 3]] * 5))


def test_wrapped_environments_and_torch_can_be_copied():
    for env_id, settings in (
        ("SlateRec-v0", SLATES),
        ("ConvRec-v0", CONVERSATIONS),
        ("CritiqueRec-v0", CRITIQUES),
    ):
        env = gym.make(f"recsim:{env_id}", **settings)
        env.reset(seed=0)
        env.action_space.seed(0)
        actions = [env.action_space.sample() for _ in range(3)]
        twins = dumped(env), copy.deepcopy(env)
        for twin in twins:
            assert twin.spec == env.spec
        first = trace(env, actions[:1])
        for twin in twins:
            assert_equal(first, trace(twin, actions[:1]))
    env = SlateRecVectorEnv(3, backend="torch", **SLATES)
    env.reset(seed=0)
    actions = [env.simulation.backend.asarray(np.array([[0, 1]] * 3))] * 5
    assert_equal(trace(dumped(env), actions), trace(env, actions))


@pytest.mark.parametrize("name", ONE)
def test_a_step_needs_a_running_episode(name):
    env = ONE[name]()
    env.action_space.seed(0)
    with pytest.raises(ResetNeeded, match="Call reset before the next step: no episode is running"):
        env.step(env.action_space.sample())
    env.reset(seed=0)
    over = False
    while not over:
        *_, terminated, truncated, _ = env.step(env.action_space.sample())
        over = terminated or truncated
    with pytest.raises(ResetNeeded, match="Call reset before the next step: no episode is running"):
        env.step(env.action_space.sample())
    env.reset()
    env.step(env.action_space.sample())


def structure(tree):
    """Keys, types, shapes and dtypes of an info."""
    if isinstance(tree, dict):
        return {name: structure(value) for name, value in tree.items()}
    array = np.asarray(tree)
    return type(tree), array.shape, array.dtype


@pytest.mark.parametrize("name", ONE)
def test_the_info_of_a_reset_is_like_that_of_a_step(name):
    env = ONE[name]()
    env.action_space.seed(0)
    for _ in range(3):
        _, info = env.reset()
        wanted, over = structure(info), False
        while not over:
            *_, terminated, truncated, info = env.step(env.action_space.sample())
            assert structure(info) == wanted
            over = terminated or truncated


@pytest.mark.parametrize("name", MANY)
def test_the_info_of_a_reset_of_many_is_like_that_of_a_step(name):
    env = MANY[name](3)
    env.single_action_space.seed(0)
    _, info = env.reset(seed=0)
    wanted = structure(info)
    for _ in range(8):
        action = stacked([env.single_action_space.sample() for _ in range(3)])
        *_, info = env.step(action)
        final = {"final_obs", "_final_obs", "final_info", "_final_info"}
        assert structure({key: info[key] for key in info.keys() - final}) == wanted
