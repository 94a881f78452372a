"""Train PPO of RLlib.

    python examples/train_rllib.py [--iterations 15]

It needs ``pip install 'ray[rllib]'``. RLlib takes vectors as observations and a number as the
action, so observations are flattened, and the slate is chosen slot by slot.
"""

from __future__ import annotations

import argparse

import gymnasium
import numpy as np
import ray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.tune.registry import register_env


def user(config: dict | None = None) -> gymnasium.Env:
    """Return an environment of one user who sees one of ten items at a time, 20 times."""
    env = gymnasium.make(
        "recsim:SlateRec-v0",
        preset="interest_exploration",
        world={"catalogue": {"num_items": 10}},
        slate_size=1,
        action="slot",
        max_steps=20,
        history=1,
    )
    return gymnasium.wrappers.FlattenObservation(env)


def random_reward(users: int = 200) -> float:
    """Return the reward per user of random items."""
    env, total = user(), 0.0
    env.action_space.seed(0)
    for seed in range(users):
        env.reset(seed=seed)
        over = False
        while not over:
            _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
            total += reward / users
            over = terminated or truncated
    return total


def main() -> None:
    """Train and print the reward per user of both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--iterations", type=int, default=15, help="of 4,000 slates each")
    iterations = parser.parse_args().iterations
    register_env("users", user)
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    config = (
        PPOConfig()
        .environment("users")
        .env_runners(num_env_runners=0, num_envs_per_env_runner=8)
        .training(train_batch_size_per_learner=4000, minibatch_size=400, num_epochs=10, lr=1e-3)
        .debugging(seed=0, log_level="ERROR")
    )
    algorithm = config.build_algo()
    for _ in range(iterations):
        result = algorithm.train()
    learned = float(np.mean(result["env_runners"]["episode_return_mean"]))
    algorithm.stop()
    ray.shutdown()
    print(f"random {random_reward():.2f}")
    print(f"PPO    {learned:.2f}")


if __name__ == "__main__":
    main()
