"""The Plackett-Luce policy: exact propensities, by enumeration and by counting."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest

import agents
from agents.shared.plackett_luce import slate_propensities, softmax


@pytest.fixture
def fitted(make_problem):
    """A policy over five items whose scores are set by hand."""

    def build(slate_size, temperature=0.5, seed=0):
        problem = make_problem(num_items=5, slate_size=slate_size)
        agent = agents.make("softmax", problem, seed=seed, temperature=temperature)
        rng = np.random.default_rng(3)
        agent._moment = rng.normal(size=agent._moment.shape)
        return agent, problem

    return build


def observation(problem, users):
    features = np.random.default_rng(1).normal(size=(1, problem.user_feature_dim))
    return {
        "user_features": np.repeat(features.astype(np.float32), users, axis=0),
        "candidates": np.tile(np.arange(problem.num_items), (users, 1)),
    }


def test_softmax_by_hand():
    assert softmax(np.log([[1.0, 3.0]])) == pytest.approx(np.array([[0.25, 0.75]]))
    assert softmax(np.array([[1e4, 1e4 - math.log(3)]])) == pytest.approx(np.array([[0.75, 0.25]]))


def test_plackett_luce_by_hand():
    logits = np.log([[1.0, 2.0, 3.0]])
    # 3/6 then 1/3
    assert slate_propensities(logits, np.array([[2, 0]])) == pytest.approx([1 / 6])
    assert slate_propensities(logits, np.array([[0, 1, 2]])) == pytest.approx([1 / 6 * 2 / 5])


def test_probabilities_of_all_slates_sum_to_one():
    logits = np.random.default_rng(0).normal(size=(1, 5))
    every = np.array(list(itertools.permutations(range(5), 3)))
    chance = slate_propensities(np.repeat(logits, len(every), axis=0), every)
    assert chance.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("slate_size", [1, 2])
def test_frequencies_of_slates_match_their_propensities(fitted, slate_size):
    agent, problem = fitted(slate_size)
    users = 40_000
    decision = agent.act(observation(problem, users))
    assert all(len(set(slate)) == slate_size for slate in decision.slates[:100].tolist())
    counts = Counter(map(tuple, decision.slates.tolist()))
    chance = dict(
        zip(
            map(tuple, decision.slates.tolist()),
            decision.slate_propensities.tolist(),
            strict=True,
        )
    )
    # Slates with a total probability of 10 / users all stay away in one case of e^10.
    assert 1 - 10 / users < sum(chance.values()) < 1 + 1e-9
    for slate, count in counts.items():
        error = math.sqrt(chance[slate] * (1 - chance[slate]) / users)
        assert abs(count / users - chance[slate]) < 5 * error


def test_propensities_of_single_items_are_those_of_its_decisions(fitted):
    agent, problem = fitted(1)
    obs = observation(problem, 50)
    decision = agent.act(obs)
    items = np.take_along_axis(obs["candidates"], decision.slates, axis=1)
    assert agent.propensities(obs, items) == pytest.approx(decision.propensities)
    assert decision.propensities[:, 0] == pytest.approx(decision.slate_propensities)
    assert agent.propensities(obs, np.full((50, 1), -1)) == pytest.approx(np.ones((50, 1)))
    assert agent.propensities(obs, np.full((50, 1), 99)) == pytest.approx(np.zeros((50, 1)))


def test_marginals_of_longer_slates_are_unknown(fitted):
    agent, problem = fitted(2)
    obs = observation(problem, 3)
    assert agent.act(obs).propensities is None
    assert agent.propensities(obs, np.zeros((3, 2), dtype=np.int64)) is None


def test_cold_is_greedy_and_hot_is_uniform(fitted):
    cold, problem = fitted(2, temperature=1e-6)
    obs = observation(problem, 200)
    assert len({tuple(slate) for slate in cold.act(obs).slates.tolist()}) == 1
    hot, problem = fitted(1, temperature=1e6)
    assert hot.act(obs).propensities == pytest.approx(np.full((200, 1), 0.2), abs=1e-4)


def test_a_loaded_agent_continues_where_the_saved_one_stopped(fitted):
    agent, problem = fitted(2)
    obs = observation(problem, 20)
    agent.act(obs)
    other, _ = fitted(2, seed=9)
    other.load_state_dict(agent.state_dict())
    assert np.array_equal(agent.act(obs).slates, other.act(obs).slates)
