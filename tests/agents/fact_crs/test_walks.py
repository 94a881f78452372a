"""Walking one tree at a time, attributes that tell nothing, and free slates on real data."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

import agents
from agents.fact_crs.config import FactCRSConfig
from recsim.conversation import planted_tastes, read_attributes

TREES = 5


@pytest.mark.parametrize("ranker", ["counts", "embedding"])
def test_a_tree_that_was_shown_from_is_not_walked_again(tastes, ranker):
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
    trees = np.array(walked)[:, going]  # of conversations in which every slate was rejected
    assert trees.shape[1] >= 5
    assert (np.sort(trees, axis=0) == np.arange(TREES)[:, None]).all()


def test_attributes_that_tell_nothing_gain_nothing(play):
    gains = []
    for seed in range(5):
        data = planted_tastes(num_items=120, num_attributes=12, users=200, seed=seed)
        # Every item has every attribute, and who cares for what is drawn without regard to taste.
        others = np.random.default_rng(seed).permutation(data.num_users)
        data = replace(
            data,
            item_attributes=np.ones_like(data.item_attributes),
            user_attributes=data.user_attributes[others],
        )
        found = play(data, seed=seed, slate=5)
        gains.append(found["success_rate"] - play(data, "conv_popularity", slate=5)["success_rate"])
    error = np.std(gains, ddof=1) / np.sqrt(len(gains))
    assert abs(np.mean(gains)) < 0.02 + 3 * error, gains


@pytest.mark.slow
def test_free_slates_flatter_on_lastfm(data_dir, play):
    data = read_attributes(data_dir / "factcrs_lastfm")
    settings = FactCRSConfig.paper(trees=3).model_dump(exclude_unset=True)
    free = play(data, free=10, **settings)
    honest = play(data, **(settings | {"turn_accounting": "honest"}))
    assert free["recommendations"] > honest["recommendations"]
    assert free["success_rate"] > honest["success_rate"]
