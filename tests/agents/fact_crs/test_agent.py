"""FacT-CRS in conversations: planted structure, special cases that equal popularity, real data."""

import gymnasium as gym
import numpy as np
import pytest

import agents
from recsim.conversation import planted_codes, planted_tastes, read_attributes
from recsim.errors import UserError
from recsim.files import load_state, save_state
from recsim.play.conversations import play_conversations

WALK = {"walk": "tree", "stop": "unique_items", "bootstrap": 1.0, "feature_keep": 1.0, "trees": 1}


def test_a_tree_finds_the_group_in_as_many_questions_as_bits(play):
    data = planted_codes(bits=3, group_size=5, users=200, interactions=20)
    metrics = play(data, turns=6, slate=5, depth=3, early_stop=5, leaf_candidates=True, **WALK)
    assert metrics["success_rate"] == 1.0
    assert metrics["average_turns"] == 4.0
    assert metrics["questions"] == 3.0


def test_without_questions_it_equals_popularity(play, tastes):
    assert play(tastes, depth=0) == play(tastes, "conv_popularity")


def test_counts_at_the_roots_equal_popularity_up_to_the_sample(play, tastes):
    popularity = play(tastes, "conv_popularity", turns=4)["success_rate"]
    counts = play(tastes, depth=0, ranker="counts", turns=4)["success_rate"]
    assert counts == pytest.approx(popularity, abs=0.05)


def test_if_no_user_cares_it_equals_popularity(play):
    data = planted_codes(users=50, caring=False)
    popularity = play(data, "conv_popularity", turns=6)
    metrics = play(data, turns=6)
    assert metrics == popularity
    assert metrics["questions"] == 0


def test_attributes_of_all_items_are_never_asked_about(play):
    data = planted_codes(bits=1, group_size=20, useless=5, users=50, interactions=10)
    env = gym.make_vec("recsim:ConvRec-v0", num_envs=8, data=data, slate_size=4)
    agent = agents.make("fact_crs", env.unwrapped.problem)
    agent.fit(env.unwrapped.training_data)
    asked = {int(a) for tree in agent.model.forest.trees for a in tree.attribute}
    assert asked == {-1, 0}


def test_questions_beat_popularity_and_entropy_and_are_level_with_bayes():
    """Its control without a forest, ``conv_bayes``, has the same posterior over items."""
    gains = []
    for seed in range(5):
        data = planted_tastes(seed=seed)
        rates = {}
        for name in ("fact_crs", "conv_popularity", "conv_max_entropy", "conv_bayes"):
            env = gym.make_vec("recsim:ConvRec-v0", num_envs=256, data=data)
            agent = agents.make(name, env.unwrapped.problem, seed=seed)
            agent.fit(env.unwrapped.training_data)
            rates[name] = play_conversations(env, agent, seed=seed)["success"].mean()
        gains.append([rates["fact_crs"] - rates[n] for n in list(rates)[1:]])
    gains = np.array(gains)  # (5, 3)
    error = gains.std(axis=0, ddof=1) / np.sqrt(len(gains))
    assert (gains.mean(axis=0) > 0.03 + 3 * error)[:2].all()
    assert gains[:, 2].mean() > -0.05


def session(data, **config):
    env = gym.make_vec("recsim:ConvRec-v0", num_envs=16, data=data, slate_size=2, max_turns=8)
    agent = agents.make("fact_crs", env.unwrapped.problem, **config)
    agent.fit(env.unwrapped.training_data)
    obs, info = env.reset(seed=0, options={"index": np.arange(16)})
    agent.begin(16)
    return env, agent, obs, info


def test_answers_count_for_every_tree(tastes):
    env, agent, obs, info = session(tastes, walk="tree", trees=4)
    asked = np.zeros((16, env.unwrapped.problem.num_attributes), dtype=int)
    for _ in range(6):
        turn = agent.act({**obs, "action_mask": info["action_mask"]})
        asks = np.flatnonzero(turn.ask >= 0)
        np.add.at(asked, (asks, turn.ask[asks]), 1)
        action = {
            "type": np.where(turn.ask >= 0, 0, 1),
            "attribute": np.maximum(turn.ask, 0),
            "slate": np.where((turn.ask >= 0)[:, None], -1, turn.slates),
        }
        obs, _, terminated, truncated, info = env.step(action)
        if (terminated | truncated).any():
            break
    assert asked.max() == 1, "no attribute is asked about twice, even by different trees"


def test_the_reason_of_a_question(tastes):
    _, agent, obs, info = session(tastes)
    turn = agent.act({**obs, "action_mask": info["action_mask"]})
    assert (turn.ask >= 0).all()
    reason = agent.reason(0)
    having = tastes.item_attributes[agent.model.known]
    assert reason.items == len(agent.model.known)
    assert reason.items_after_yes == having[:, turn.ask[0]].sum()
    assert reason.gain_of_asking > reason.gain_of_showing
    text = agent.explain(0)
    assert f"'{tastes.attribute_names[turn.ask[0]]}'" in text
    assert f"leaves {reason.items_after_yes} of {reason.items} items" in text


def test_a_loaded_agent_acts_in_the_same_way(tastes, tmp_path):
    env, agent, *_ = session(tastes, split_score="nll", ranker="embedding")
    save_state(tmp_path / "agent.pt", agent.state_dict())
    config = {"split_score": "nll", "ranker": "embedding"}
    fresh = agents.make("fact_crs", env.unwrapped.problem, seed=9, **config)
    fresh.load_state_dict(load_state(tmp_path / "agent.pt"))
    one, other = play_conversations(env, agent, seed=0), play_conversations(env, fresh, seed=0)
    assert one.equals(other)


@pytest.mark.parametrize(
    "config",
    [
        {"walk": "forest", "stop": "unique_items"},
        {"walk": "forest", "leaf_candidates": True},
        {"trees": 0},
    ],
)
def test_wrong_settings_are_rejected(config):
    with pytest.raises(UserError):
        agents.configure("fact_crs", **config)


@pytest.mark.slow
def test_lastfm(data_dir, play):
    data = read_attributes(data_dir / "factcrs_lastfm")
    popular = play(data, "conv_popularity")
    assert popular["success_rate"] == pytest.approx(0.5339, abs=5e-5)
    assert popular["average_turns"] == pytest.approx(7.174, abs=5e-4)
    metrics = play(data)
    assert metrics["success_rate"] >= 0.70
    assert metrics["average_turns"] <= 8.0
    assert metrics["questions"] + metrics["recommendations"] <= 10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("questions", "success", "turns"),
    [(2, 0.636, 7.05), (5, 0.703, 8.06), (8, 0.615, 9.57)],
)
def test_bayes_on_lastfm_agrees_with_an_independent_run(data_dir, play, questions, success, turns):
    data = read_attributes(data_dir / "factcrs_lastfm")
    metrics = play(data, "conv_bayes", questions=questions)
    assert metrics["success_rate"] == pytest.approx(success, abs=0.015)
    assert metrics["average_turns"] == pytest.approx(turns, abs=0.1)
