"""Train PPO of stable-baselines3 on simulated users, and compare it with random slates.

    python examples/train_sb3.py [--steps 20480]

``observation="features"`` gives a learner the features of the user, of the history and of all
items, and `ScoringPolicy` scores every item by them with one network. `SB3VecEnv` makes the native
vector environment, which steps all users at once, one that stable-baselines3 can train on.
"""

from __future__ import annotations

import argparse

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO

from agents.sb3.scoring import ScoringPolicy
from envs.sb3 import SB3VecEnv

USERS = 64


def users():
    """Return users who see up to 120 slates of 5 out of 200 items."""
    return gymnasium.make_vec(
        "recsim:SlateRec-v0",
        num_envs=USERS,
        preset="long_term_satisfaction",
        observation="features",
    )


def reward_per_user(act) -> float:
    """Let a function from observations to slates serve one episode of every user."""
    env = users()
    obs, _ = env.reset(seed=1000)
    total, running = 0.0, np.ones(USERS, dtype=bool)
    while running.any():
        obs, reward, terminated, truncated, _ = env.step(act(obs))
        total += reward[running].sum() / USERS
        running &= ~(terminated | truncated)
    return total


def main() -> None:
    """Train and print the reward per user of both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=20_480, help="slates shown in training")
    steps = parser.parse_args().steps
    torch.set_num_threads(1)  # the networks are small: more threads cost more than they give
    env = users()
    model = PPO(
        ScoringPolicy,
        SB3VecEnv(env),
        policy_kwargs={"layout": env.unwrapped.feature_layout},
        n_steps=16,
        batch_size=256,
        n_epochs=5,
        learning_rate=lambda left: 3e-3 * left,  # falls to 0 at the end of training
        gamma=0.0,  # the immediate reward: rewards to come add more noise than they tell
        seed=0,
        device="cpu",
    )
    model.learn(steps)
    rng = np.random.default_rng(0)
    random = reward_per_user(lambda obs: rng.integers(0, 200, (USERS, 5)))
    learned = reward_per_user(lambda obs: model.predict(obs, deterministic=True)[0])
    print(f"random {random:.2f}")
    print(f"PPO    {learned:.2f}")


if __name__ == "__main__":
    main()
