"""Train DQN of Tianshou.

    python examples/train_tianshou.py [--epochs 4]

It needs ``pip install 'tianshou>=2'``. Observations are flattened to one vector, and the slate is
chosen slot by slot, so that an action is one number.
"""

from __future__ import annotations

import argparse

import gymnasium
import numpy as np
import torch
from tianshou.algorithm import DQN
from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.trainer import OffPolicyTrainerParams
from tianshou.utils.net.common import Net

USERS = 10


class WithoutInfo(gymnasium.Wrapper):
    """Leaves infos out: Tianshou stores them in a class in which no key may be called ``items``."""

    def reset(self, **options):
        """Reset the environment."""
        obs, _ = self.env.reset(**options)
        return obs, {}

    def step(self, action):
        """Step the environment."""
        return *self.env.step(action)[:4], {}


def user() -> gymnasium.Env:
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
    env = gymnasium.wrappers.FlattenObservation(env)
    return WithoutInfo(gymnasium.wrappers.DtypeObservation(env, np.float32))


def users(seed: int) -> DummyVectorEnv:
    """Return several of them."""
    envs = DummyVectorEnv([user] * USERS)
    envs.seed(seed)
    return envs


def main() -> None:
    """Train and print the reward per user of both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=4, help="of 5,000 slates each")
    epochs = parser.parse_args().epochs
    torch.set_num_threads(1)  # the networks are small: more threads cost more than they give
    np.random.seed(0)  # noqa: NPY002  (Tianshou draws from it)
    torch.manual_seed(0)
    env = user()
    network = Net(
        state_shape=env.observation_space.shape,
        action_shape=env.action_space.n,
        hidden_sizes=[64, 64],
    )
    policy = DiscreteQLearningPolicy(
        model=network,
        action_space=env.action_space,
        observation_space=env.observation_space,
        eps_training=0.2,
    )
    algorithm = DQN(
        policy=policy,
        optim=AdamOptimizerFactory(lr=1e-3),
        gamma=0.9,
        target_update_freq=200,
    )
    training = Collector(algorithm, users(0), VectorReplayBuffer(20_000, USERS))
    test = Collector(algorithm, users(1000))
    test.reset()
    random = test.collect(n_episode=200, random=True).returns_stat.mean
    algorithm.run_training(
        OffPolicyTrainerParams(
            training_collector=training,
            test_collector=test,
            max_epochs=epochs,
            epoch_num_steps=5_000,
            collection_step_num_env_steps=100,
            update_step_num_gradient_steps_per_sample=0.2,
            test_step_num_episodes=50,
            batch_size=128,
            verbose=False,
            show_progress=False,
        )
    )
    test.reset()
    learned = test.collect(n_episode=200).returns_stat.mean
    print(f"random {random:.2f}")
    print(f"DQN    {learned:.2f}")


if __name__ == "__main__":
    main()
