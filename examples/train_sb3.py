"""Train an agent of stable-baselines3 on simulated users, and compare it with random slates.

    python examples/train_sb3.py [--steps 20000]

`SB3VecEnv` makes the native vector environment, which steps all users at once, one that
stable-baselines3 can train on. The network gets the user's features and the slates of the past; the
world has few items, as the action names each of them.
"""

from __future__ import annotations

import argparse

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor

from envs.sb3 import SB3VecEnv

USERS = 64
WORLD = {"catalogue": {"num_items": 10}}


def users() -> VecMonitor:
    """Return a batch of users who see one item at a time, 20 times."""
    env = gymnasium.make_vec(
        "recsim:SlateRec-v0",
        num_envs=USERS,
        preset="interest_exploration",
        world=WORLD,
        slate_size=1,
        max_steps=20,
        history=1,
    )
    return VecMonitor(SB3VecEnv(env))


def reward_per_step(act) -> float:
    """Let a function from observations to actions, both with leading axis B, serve 100 steps."""
    env = users()
    env.seed(1000)
    obs, total = env.reset(), 0.0
    for _ in range(100):
        obs, reward, _, _ = env.step(act(obs))
        total += reward.mean() / 100
    return total


def main() -> None:
    """Train and print the reward per step of both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=20_000, help="steps of all users together")
    steps = parser.parse_args().steps
    torch.set_num_threads(1)  # the networks are small: more threads cost more than they give
    model = PPO("MultiInputPolicy", users(), n_steps=32, batch_size=256, learning_rate=1e-3, seed=0)
    model.learn(steps)
    rng = np.random.default_rng(0)
    print(f"random {reward_per_step(lambda obs: rng.integers(0, 10, (USERS, 1))):.3f}")
    print(f"PPO    {reward_per_step(lambda obs: model.predict(obs)[0]):.3f}")


if __name__ == "__main__":
    main()
