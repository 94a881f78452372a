"""Agents hold one conversation about every interaction, or practise."""

import gymnasium as gym
import numpy as np
import pandas as pd
import pytest

import agents
from recsim.contracts.conversations import Turn
from recsim.errors import UserError
from recsim.play.conversations import (
    conversation_curves,
    conversation_metrics,
    play_conversations,
    practise,
)

PLANTED = {"num_items": 120, "users": 60, "interactions": 8}
CONVERSATIONS = (
    *("conv_abs_greedy", "conv_bayes", "conv_dqn", "conv_max_entropy", "conv_popularity"),
    "fact_crs",
)


def make_env(num_envs=7, **settings):
    options = {"planted": PLANTED, "slate_size": 5, "max_turns": 6} | settings
    return gym.make_vec("recsim:ConvRec-v0", num_envs=num_envs, **options)


def fitted(name, env, seed=0, **config):
    agent = agents.make(name, env.unwrapped.problem, seed=seed, **config)
    agent.fit(env.unwrapped.training_data)
    return agent


@pytest.mark.parametrize("name", CONVERSATIONS)
class TestEveryAgent:
    def test_turns_are_questions_and_slates(self, name):
        env = make_env()
        table = play_conversations(env, fitted(name, env), seed=0)
        assert len(table) == env.unwrapped.num_episodes == 48
        np.testing.assert_array_equal(table["turn"], table["n_questions"] + table["n_recs"])
        assert (table["turn"] <= 6).all()
        assert (table["turn"][~table["success"]] == 6).all()
        assert (table["success"] == (table["rank"] > 0)).all()
        assert (table["items_shown"] == 5 * table["n_recs"]).all()
        numbers = conversation_metrics(table, 6)
        rates = [numbers[f"success_at_{turn}"] for turn in range(1, 7)]
        assert rates == sorted(rates)
        assert rates[-1] == numbers["success_rate"]

    def test_the_batch_size_has_no_effect(self, name):
        settings = {"noise": 0.1, "opening": "free"}
        small, large = make_env(5, **settings), make_env(64, **settings)
        one = play_conversations(small, fitted(name, small), seed=3)
        other = play_conversations(large, fitted(name, large), seed=3)
        pd.testing.assert_frame_equal(one, other)

    def test_same_seed_same_conversations(self, name):
        env = make_env()
        pd.testing.assert_frame_equal(
            play_conversations(env, fitted(name, env, seed=4), seed=0),
            play_conversations(env, fitted(name, env, seed=4), seed=0),
        )

    def test_a_new_agent_continues_from_the_saved_state(self, name, tmp_path):
        from recsim.files import load_state, save_state

        env = make_env()
        agent = fitted(name, env, seed=4)
        save_state(tmp_path / "agent.pt", agent.state_dict())
        fresh = agents.make(name, env.unwrapped.problem, seed=5)
        fresh.load_state_dict(load_state(tmp_path / "agent.pt"))
        pd.testing.assert_frame_equal(
            play_conversations(env, agent, seed=0), play_conversations(env, fresh, seed=0)
        )

    def test_it_must_be_fitted(self, name):
        env = make_env()
        with pytest.raises(UserError, match="must be fitted"):
            play_conversations(env, agents.make(name, env.unwrapped.problem), seed=0)

    def test_it_explains_its_turns(self, name):
        env = make_env(3)
        agent = fitted(name, env)
        obs, info = env.reset(seed=0)
        agent.begin(3)
        turn = agent.act({**obs, "action_mask": info["action_mask"]})
        for row in range(3):
            text = agent.explain(row)
            assert text.startswith("Asked about 'attribute" if turn.ask[row] >= 0 else "Showed")


class Oracle:
    """Shows the target at once in even episodes, and only asks questions in odd ones."""

    def __init__(self, env):
        self.env = env
        self.replies = []

    def begin(self, size):
        self.size = size

    def act(self, obs):
        world = self.env.unwrapped.simulation.conversations
        odd = world.episode % 2 == 1
        asks = odd & (obs["turn"][:, 0] < 5)
        slates = np.full((self.size, 5), -1)
        slates[:, 2] = np.where(odd, -1, world.targets[:, 0])
        return Turn(np.where(asks, np.argmax(obs["action_mask"], axis=1), -1), slates)

    def observe(self, reply):
        self.replies.append(reply)


def test_conversations_by_hand():
    env = make_env(10)
    table = play_conversations(env, Oracle(env), seed=0)
    even = np.arange(48) % 2 == 0
    np.testing.assert_array_equal(table["success"], even)
    np.testing.assert_array_equal(table["turn"], np.where(even, 1, 6))
    np.testing.assert_array_equal(table["rank"], np.where(even, 3, 0))
    np.testing.assert_array_equal(table["n_questions"], np.where(even, 0, 5))
    np.testing.assert_array_equal(table["user"], env.unwrapped.episode_users)
    assert (table["reward"][even] == 1.0).all()
    numbers = conversation_metrics(table, 6)
    assert numbers["success_rate"] == 0.5
    assert numbers["average_turns"] == 3.5
    assert numbers["questions"] == 2.5
    curves = conversation_curves(table, 6)
    assert curves["success_rate"].tolist() == [0.0] + [0.5] * 6
    assert curves["active"].tolist() == [1.0, 1.0] + [0.5] * 5
    assert curves.index.name == "turn"


def test_an_agent_observes_every_turn_of_its_practice():
    env = make_env(10, split="train")
    agent = Oracle(env)
    practise(env, agent, seed=0, rounds=2)
    active = np.stack([reply.active for reply in agent.replies])
    assert active[0].all()
    ends = sum(int((reply.done & reply.active).sum()) for reply in agent.replies)
    assert ends == 20, "every conversation ends once"
    for reply in agent.replies:
        lasting = reply.done & reply.active & ~reply.success
        assert (reply.obs["turn"][lasting] == 6).all(), "of this conversation"
    without_observe = fitted("conv_popularity", make_env())
    practise(env, without_observe, seed=0, rounds=2)  # does nothing


def test_agents_of_another_kind_are_refused():
    problem = make_env().unwrapped.problem
    with pytest.raises(UserError, match="'linucb' recommends slates to users; this environment h"):
        agents.make("linucb", problem)
    slates = gym.make_vec("recsim:SlateRec-v0", num_envs=1).unwrapped.problem
    with pytest.raises(
        UserError, match=r"'fact_crs' holds conversations .* Agents for it: .*linucb"
    ):
        agents.make("fact_crs", slates)
