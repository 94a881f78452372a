"""Walking one tree at a time, and attributes without information."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

import agents
from recsim.conversation import planted_tastes

TREES = 5


@pytest.mark.parametrize("ranker", ["counts", "embedding"])
def test_no_tree_is_walked_again_after_a_rejection(tastes, ranker):
    env = gym.make_vec("recsim:ConvRec-v0", num_envs=32, data=tastes, slate_size=2)
    settings = {"walk": "tree", "stop": "unique_items", "early_stop": 10_000}  # shows at once
    agent = agents.make("fact_crs", env.unwrapped.problem, trees=TREES, ranker=ranker, **settings)
    agent.fit(env.unwrapped.training_data)
    obs, info = env.reset(seed=0, options={"index": np.arange(32)})
    agent.begin(32)
    going, walked = np.ones(32, dtype=bool), []
    for _ in range(TREES):
        turn = agent.act({**obs, "action_mask": info["action_mask"]})
        assert (turn.ask[going] == -1).all()
        walked.append([agent.reason(row).tree if going[row] else -1 for row in range(32)])
        action = {"type": np.ones(32), "attribute": np.zeros(32), "slate": turn.slates}
        action = {name: part.astype(np.int64) for name, part in action.items()}
        obs, _, terminated, truncated, info = env.step(action)
        going &= ~(terminated | truncated)
    trees = np.array(walked)[:, going]  # conversations in which every slate was rejected
    assert trees.shape[1] >= 5
    assert (np.sort(trees, axis=0) == np.arange(TREES)[:, None]).all()


def test_attributes_without_information_gain_nothing(play):
    gains = []
    for seed in range(5):
        data = planted_tastes(num_items=120, num_attributes=12, users=200, seed=seed)
        # Every item has every attribute, and users care about attributes independently of taste.
        others = np.random.default_rng(seed).permutation(data.num_users)
        data = replace(
            data,
            item_attributes=np.ones_like(data.item_attributes),
            user_attributes=data.user_attributes[others],
        )
        success = play(data, seed=seed, slate=5)["success_rate"]
        gains.append(success - play(data, "conv_popularity", slate=5)["success_rate"])
    error = np.std(gains, ddof=1) / np.sqrt(len(gains))
    assert abs(np.mean(gains)) < 0.02 + 3 * error, gains
