"""Questions and slates of the baselines, by hand."""

import gymnasium as gym
import numpy as np
import pytest

import agents
from agents.conversation.dqn import ReplayBuffer
from agents.conversation.max_entropy import attribute_rates, binary_entropy
from recsim.conversation import AttributeData, planted_codes
from recsim.conversation.ranking import filled
from recsim.play.conversations import conversation_metrics, play_conversations, practise


@pytest.fixture
def data() -> AttributeData:
    """Six items, split 3 : 3 by attribute 0 and 5 : 1 by attribute 1; item 5 is most popular."""
    having = np.array([[1, 1], [1, 1], [1, 1], [0, 1], [0, 1], [0, 0]], dtype=bool)
    taken = [5, 5, 5, 4, 4, 0]
    return AttributeData(
        user=np.zeros(7, dtype=int),
        item=np.array([*taken, 1]),
        part=np.array([0] * 6 + [2], dtype=np.int8),
        user_attributes=np.ones((1, 2), dtype=bool),
        item_attributes=having,
        attribute_names=("rock", "pop"),
        item_names=tuple("abcdef"),
        user_names=("x",),
    )


def first_turn(data, name, answers=None, **settings):
    """Return the first turn of an agent, given some answers."""
    env = gym.make_vec("recsim:ConvRec-v0", num_envs=1, data=data, slate_size=2, **settings)
    agent = agents.make(name, env.unwrapped.problem)
    agent.fit(data)
    obs, info = env.reset(seed=0)
    if answers is not None:
        obs["answers"] = np.array([answers], dtype=np.int8)
        info["action_mask"] = np.array([[*(np.array(answers) == 0), 1]], dtype=np.int8)
    agent.begin(1)
    return agent.act({**obs, "action_mask": info["action_mask"]})


def test_popularity_shows_the_most_popular_items(data):
    turn = first_turn(data, "conv_popularity", [1, 0])
    assert turn.ask.tolist() == [-1]
    assert turn.slates.tolist() == [[5, 4]]


def test_greedy_shows_consistent_items(data):
    assert first_turn(data, "conv_abs_greedy", [1, 0]).slates.tolist() == [[0, 1]]
    assert first_turn(data, "conv_abs_greedy", [0, 1]).slates.tolist() == [[4, 0]]
    # A no rules out items only if users answer for the item alone.
    assert first_turn(data, "conv_abs_greedy", [2, 0]).slates.tolist() == [[5, 4]]
    item_only = first_turn(data, "conv_abs_greedy", [0, 2], answer_model="item")
    assert item_only.slates.tolist() == [[5, 4]], "one fits, the other fills the slate"


def test_max_entropy_halves_the_candidates(data):
    asked = {int(first_turn(data, "conv_max_entropy").ask[0])}
    assert asked <= {0, -1}
    everything = np.ones((1, 6), dtype=bool)
    assert attribute_rates(everything, data.item_attributes).tolist() == [[0.5, 5 / 6]]
    # The three items with attribute 0 all have attribute 1: no informative question is left.
    assert first_turn(data, "conv_max_entropy", [1, 0]).ask.tolist() == [-1]


def test_entropy_of_a_yes():
    entropy = binary_entropy(np.array([0.0, 0.5, 1.0, 0.25]))
    assert entropy == pytest.approx([0, np.log(2), 0, 0.5623351], abs=1e-6)


def test_bayes_asks_about_the_least_certain_attribute(data):
    # The interactions are split 1 : 5 by attribute 0 and 3 : 3 by attribute 1.
    turn = first_turn(data, "conv_bayes")
    assert turn.ask.tolist() == [1]
    # A yes to attribute 1 rules out item 5.
    assert first_turn(data, "conv_bayes", [0, 1]).slates[0].tolist() == [4, 0]


def test_slates_are_filled_up():
    slates = np.array([[3, -1, -1], [0, 1, 2], [-1, -1, -1]])
    free = np.array([[True] * 5, [True] * 5, [False, True, False, False, False]])
    full = filled(slates, np.array([3, 4, 0, 1, 2]), free)
    assert full.tolist() == [[3, 4, 0], [0, 1, 2], [1, -1, -1]]


@pytest.mark.slow
def test_a_network_learns_to_ask():
    gains = []
    for seed in range(3):
        data = planted_codes(bits=3, group_size=5, users=200, interactions=20, seed=seed)
        rules = {"data": data, "max_turns": 5, "slate_size": 5, "num_envs": 64}
        env = gym.make_vec("recsim:ConvRec-v0", **rules)
        training = gym.make_vec("recsim:ConvRec-v0", split="train", **rules)
        rates = []
        for name in ("conv_dqn", "conv_popularity"):
            agent = agents.make(name, env.unwrapped.problem, seed=seed)
            agent.fit(env.unwrapped.training_data)
            practise(training, agent, seed=seed, rounds=40)
            rates.append(
                conversation_metrics(play_conversations(env, agent, seed=0), 5)["success_rate"]
            )
        gains.append(rates[0] - rates[1])
    assert min(gains) > 0.2


def test_a_full_replay_buffer_is_overwritten_from_the_beginning():
    buffer = ReplayBuffer(3)
    buffer.add(np.array([1.0, 2.0]), np.array([1, 2]))
    assert len(buffer) == 2
    buffer.add(np.array([3.0, 4.0]), np.array([3, 4]))
    assert len(buffer) == 3
    values, same = buffer.draw(np.random.default_rng(0), 200, "cpu")
    assert set(values.tolist()) == {2.0, 3.0, 4.0}
    assert values.tolist() == same.tolist()
