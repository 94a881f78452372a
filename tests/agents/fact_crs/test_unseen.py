"""If users answer for the item alone, answers are certain and items without interactions count."""

import gymnasium as gym
import numpy as np
import pytest
from scipy.sparse import csr_array

import agents
from agents.shared.item_posterior import AnsweredInteractions, Likelihood
from recsim.conversation import planted_tastes
from recsim.play.conversations import play_conversations


@pytest.fixture(scope="module")
def sparse():
    """Few users and many items."""
    return planted_tastes(num_items=400, num_attributes=16, users=60, interactions=8, seed=3)


def test_a_yes_is_certain_if_the_item_has_the_attribute():
    yes = csr_array(np.array([[1.0, 0.0, 0.0]], dtype=np.float32))
    having = np.array([[True], [True], [False]])
    chances = Likelihood(
        yes, np.array([4.0, 0.5, 2.0]), having, smoothing=5, slip=0.01, certain=True
    )
    np.testing.assert_allclose(chances.chances(np.array([0]))[0], [0.99, 0.99, 0.01], rtol=1e-6)


def test_items_without_interactions_come_last_with_the_given_count(sparse):
    total = sparse.counts("train")
    some = AnsweredInteractions.of(sparse, caring=False)
    every = AnsweredInteractions.of(sparse, caring=False, unseen=0.5)
    assert some.num_known == np.count_nonzero(total) < every.num_known == sparse.num_items
    np.testing.assert_array_equal(every.known[: some.num_known], some.known)
    np.testing.assert_array_equal(every.counts[some.num_known :], 0.5)


def run(data, answer_model, **config):
    env = gym.make_vec("recsim:ConvRec-v0", num_envs=128, data=data, answer_model=answer_model)
    agent = agents.make("fact_crs", env.unwrapped.problem, seed=0, **config)
    agent.fit(env.unwrapped.training_data)
    return agent, play_conversations(env, agent, seed=0)


def test_items_without_interactions_can_be_the_target(sparse):
    agent, results = run(sparse, "item")
    _, without = run(sparse, "item", unseen=0.0)
    assert len(agent.model.known) == sparse.num_items
    new = sparse.counts("train")[sparse.item[sparse.rows("test")]] == 0
    assert new.sum() >= 5
    assert not without["success"][new].any()
    assert results["success"][new].mean() > 0.2


def test_if_users_may_not_care_such_items_have_no_posterior(sparse):
    agent, _ = run(sparse, "user_and_item")
    assert len(agent.model.known) == np.count_nonzero(sparse.counts("train"))
