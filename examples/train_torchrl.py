"""Train PPO of TorchRL.

    python examples/train_torchrl.py [--steps 40000]

It needs ``pip install torchrl``. Observations are flattened to one vector, and the slate is chosen
slot by slot, so that an action is one number.
"""

from __future__ import annotations

import argparse

import gymnasium
import numpy as np
import torch
from tensordict.nn import TensorDictModule
from torch import nn
from torchrl.collectors import Collector
from torchrl.envs import GymWrapper, SerialEnv
from torchrl.modules import OneHotCategorical, ProbabilisticActor, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

ITEMS, EPISODE, USERS = 10, 20, 8


def user() -> GymWrapper:
    """Return an environment of one user who sees one of ten items at a time, 20 times."""
    env = gymnasium.make(
        "recsim:SlateRec-v0",
        preset="interest_exploration",
        world={"catalogue": {"num_items": ITEMS}},
        slate_size=1,
        action="slot",
        max_steps=EPISODE,
        history=1,
    )
    env = gymnasium.wrappers.FlattenObservation(env)
    return GymWrapper(gymnasium.wrappers.DtypeObservation(env, np.float32))


def network(inputs: int, outputs: int) -> nn.Module:
    """Return a network that normalises its inputs."""
    return nn.Sequential(
        nn.LayerNorm(inputs), nn.Linear(inputs, 64), nn.Tanh(), nn.Linear(64, outputs)
    )


def main() -> None:
    """Train and print the reward per user of random items and of the last training batches."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=40_000, help="slates, whole batches of 1,600")
    steps = parser.parse_args().steps
    torch.set_num_threads(1)  # the networks are small: more threads cost more than they give
    torch.manual_seed(0)
    env = SerialEnv(USERS, user)
    env.set_seed(0)
    width = env.observation_spec["observation"].shape[-1]
    scores = TensorDictModule(network(width, ITEMS), ["observation"], ["logits"])
    actor = ProbabilisticActor(
        scores,
        in_keys=["logits"],
        spec=env.full_action_spec_unbatched,
        distribution_class=OneHotCategorical,
        return_log_prob=True,
    )
    critic = ValueOperator(network(width, 1), in_keys=["observation"])
    loss = ClipPPOLoss(actor, critic, entropy_coeff=0.01)
    advantage = GAE(gamma=0.99, lmbda=0.95, value_network=critic)
    optimiser = torch.optim.Adam(loss.parameters(), lr=1e-3)
    batch = USERS * EPISODE * 10  # 1,600 slates
    random = env.rollout(EPISODE * 10, break_when_any_done=False)["next", "reward"]
    learned = []
    collector = Collector(env, actor, frames_per_batch=batch, total_frames=steps)
    for data in collector:
        for _ in range(10):
            advantage(data)
            rows = data.reshape(-1)
            for part in torch.randperm(len(rows)).split(400):
                terms = loss(rows[part])
                total = terms["loss_objective"] + terms["loss_critic"] + terms["loss_entropy"]
                optimiser.zero_grad()
                total.backward()
                optimiser.step()
        learned.append(data["next", "reward"].mean().item() * EPISODE)
    collector.shutdown()
    last = learned[-5:]
    print(f"random {random.mean().item() * EPISODE:.2f}")
    print(f"PPO    {sum(last) / len(last):.2f}")


if __name__ == "__main__":
    main()
