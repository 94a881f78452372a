"""The adapter for training with stable-baselines3 on a vector environment."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor

from envs.sb3 import SB3VecEnv
from envs.slates.env import SlateRecEnv, SlateRecVectorEnv
from recsim.errors import UserError

torch.set_num_threads(1)


def test_ends_of_episodes_are_reported_as_stable_baselines3_expects():
    twin = SlateRecVectorEnv(num_envs=64, preset="retention", max_steps=10)
    env = SB3VecEnv(SlateRecVectorEnv(num_envs=64, preset="retention", max_steps=10))
    env.seed(4)
    first = env.reset()
    expected, _ = twin.reset(seed=4)
    assert np.array_equal(first["user_features"], expected["user_features"])
    action = np.tile(np.arange(5), (64, 1))
    limits = set()
    for _ in range(30):
        obs, reward, done, infos = env.step(action)
        twin_obs, twin_reward, terminated, truncated, twin_info = twin.step(action)
        assert reward.dtype == np.float32
        assert reward == pytest.approx(twin_reward)
        assert np.array_equal(done, terminated | truncated)
        assert np.array_equal(obs["time"], twin_obs["time"])
        for row, info in enumerate(infos):
            assert bool(info) == done[row]
            if info:
                limits.add(info["TimeLimit.truncated"])
                assert info["TimeLimit.truncated"] == truncated[row]
                last = twin_info["final_obs"]["history_items"][row]
                assert np.array_equal(info["terminal_observation"]["history_items"], last)
    assert limits == {True, False}


def test_the_last_observation_may_be_a_vector():
    settings = {"preset": "retention", "max_steps": 3, "observation": "features"}
    twin, env = SlateRecVectorEnv(8, **settings), SB3VecEnv(SlateRecVectorEnv(8, **settings))
    env.seed(4)
    assert np.array_equal(env.reset(), twin.reset(seed=4)[0])
    action, ends = np.tile(np.arange(5), (8, 1)), 0
    for _ in range(7):
        obs, _, done, infos = env.step(action)
        expected, *_, info = twin.step(action)
        assert np.array_equal(obs, expected)
        for row in np.flatnonzero(done):
            assert np.array_equal(infos[row]["terminal_observation"], info["final_obs"][row])
            ends += 1
    assert ends >= 16
    assert env.get_attr("feature_layout")[0] == twin.feature_layout


def test_ppo_learns_on_it():
    """Five items, one of which every user clicks: PPO must learn to show it."""
    world = {
        "catalogue": {"num_items": 5, "num_groups": 5, "seed": 4},  # item 4 is the only good one
        "affinity": 0.1,
        "quality_appeal": 30.0,
        "choice": {"no_click": 6.0},
        "session": None,
        "drift": None,
    }
    env = SlateRecVectorEnv(
        num_envs=32,
        world=world,
        rewards={"click": 1, "watch": 0},
        slate_size=1,
        max_steps=20,
        history=1,
    )
    vec_env = VecMonitor(SB3VecEnv(env))
    model = PPO("MultiInputPolicy", vec_env, n_steps=32, batch_size=256, learning_rate=3e-3, seed=0)

    def score(act):
        obs = vec_env.reset()
        total = 0.0
        for _ in range(40):
            obs, reward, _, _ = vec_env.step(act(obs))
            total += reward.mean() / 40
        return total

    rng = np.random.default_rng(0)
    assert score(lambda obs: rng.integers(0, 5, (32, 1))) < 0.4
    model.learn(20_000)
    assert score(lambda obs: model.predict(obs)[0]) > 0.9


def test_other_autoreset_modes_are_refused():
    env = SyncVectorEnv([SlateRecEnv], autoreset_mode=AutoresetMode.NEXT_STEP)
    with pytest.raises(UserError, match="SAME_STEP"):
        SB3VecEnv(env)


def test_masks_reach_every_row():
    env = SB3VecEnv(gym.make_vec("recsim:SlateRec-v0", num_envs=3, action="slot"))
    env.reset()
    env.step(np.array([7, 8, 9]))
    masks = env.env_method("action_masks")
    assert [np.flatnonzero(~mask).tolist() for mask in masks] == [[7], [8], [9]]
    assert env.get_attr("problem", indices=[0])[0].slate_size == 5
    assert env.env_is_wrapped(gym.Wrapper) == [False] * 3
