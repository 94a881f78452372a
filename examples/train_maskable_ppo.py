"""Train MaskablePPO of sb3-contrib, which never shows an item twice in a slate.

    python examples/train_maskable_ppo.py [--steps 20000]

With ``action="slot"`` a slate is chosen item by item, and ``action_masks()`` rules out the items
that the slate already has. It needs ``pip install sb3-contrib``.
"""

from __future__ import annotations

import argparse

import gymnasium
import numpy as np
import torch
from sb3_contrib import MaskablePPO

SLATE = 3


def user() -> gymnasium.Env:
    """Return an environment of one user who sees slates of three out of ten items, 20 times."""
    return gymnasium.make(
        "recsim:SlateRec-v0",
        preset="interest_exploration",
        world={"catalogue": {"num_items": 10}},
        slate_size=SLATE,
        action="slot",
        max_steps=20,
        history=1,
    )


def reward_per_user(act) -> float:
    """Let a function from observation and mask to an action serve 100 users."""
    env, total = user(), 0.0
    for seed in range(100):
        obs, _ = env.reset(seed=seed)
        over = False
        while not over:
            obs, reward, terminated, truncated, _ = env.step(act(obs, env.unwrapped.action_masks()))
            total += reward / 100
            over = terminated or truncated
    return total


def main() -> None:
    """Train and print the reward per user of both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=20_000, help="items chosen in training")
    steps = parser.parse_args().steps
    torch.set_num_threads(1)  # the networks are small: more threads cost more than they give
    model = MaskablePPO("MultiInputPolicy", user(), n_steps=600, batch_size=200, seed=0)
    model.learn(steps)
    rng = np.random.default_rng(0)
    random = reward_per_user(lambda obs, mask: rng.choice(np.flatnonzero(mask)))
    learned = reward_per_user(lambda obs, mask: int(model.predict(obs, action_masks=mask)[0]))
    print(f"random      {random:.2f}")
    print(f"MaskablePPO {learned:.2f}")


if __name__ == "__main__":
    main()
