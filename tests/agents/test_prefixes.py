"""What agents say of the beginning of a slate, and of whole slates, adds up."""

import itertools

import numpy as np
import pytest

import agents
from recsim.estimators.slates import policies as ask
from recsim.estimators.slates.pseudo_inverse import pseudo_inverse_weights

AGENTS = {
    "random": {},
    "epsilon_greedy": {"epsilon": 0.3},
    "softmax": {"temperature": 0.5},
    "clone": {"temperature": 0.5, "steps": 20},
}


@pytest.fixture(params=AGENTS)
def case(request, make_problem, make_log, observe_users):
    problem = make_problem(num_items=5, slate_size=3, num_candidates=4)
    agent = agents.make(request.param, problem, seed=0, **AGENTS[request.param])
    agent.fit(make_log(make_problem(num_items=5, slate_size=3), 40))
    return agent, observe_users(problem, 2)


def every_slate(obs, row):
    """Return all ordered slates of a user as item ids, and the observation of each, ``(S, K)``."""
    items = np.array(list(itertools.permutations(obs["candidates"][row], 3)))
    return items, {name: np.repeat(c[row : row + 1], len(items), 0) for name, c in obs.items()}


def place(obs, items, k):
    return ask.candidate_index(obs["candidates"], items)[:, k]


def test_prefixes_are_sums_over_slates_with_that_prefix(case):
    agent, obs = case
    for row in range(2):
        items, same = every_slate(obs, row)
        prefixes = agent.prefix_propensities(same, items)
        assert prefixes[:, -1].sum() == pytest.approx(1.0)
        for k in range(3):
            begins = (items[:, None, : k + 1] == items[None, :, : k + 1]).all(axis=2)
            np.testing.assert_allclose(begins @ prefixes[:, -1], prefixes[:, k], atol=1e-12)
        # And an item's own probability is the sum over the slates with it at that place.
        for k in range(3):
            there = items[:, None, k] == items[None, :, k]
            alone = ask.marginals(agent, same, 3)[np.arange(len(items)), k, place(same, items, k)]
            np.testing.assert_allclose(there @ prefixes[:, -1], alone, atol=1e-12)


def test_decisions_have_the_same_prefix_propensities(case):
    agent, obs = case
    obs = {name: np.repeat(column, 50, axis=0) for name, column in obs.items()}
    decision = agent.act(obs)
    items = np.take_along_axis(obs["candidates"], decision.slates, axis=1)
    np.testing.assert_allclose(decision.prefix_propensities, agent.prefix_propensities(obs, items))
    np.testing.assert_allclose(decision.prefix_propensities[:, -1], decision.slate_propensities)


def test_padding_is_left_out(case):
    agent, obs = case
    items, same = every_slate(obs, 0)
    whole = agent.prefix_propensities(same, items)
    items[:, 2] = -1
    result = agent.prefix_propensities(same, items)
    np.testing.assert_allclose(result[:, :2], whole[:, :2])
    np.testing.assert_allclose(result[:, 2], whole[:, 1])


def test_impossible_slates_have_probability_zero(case):
    agent, obs = case
    first = obs["candidates"][:, :1]
    stranger = np.setdiff1d(np.arange(5), obs["candidates"][0])
    twice = np.concatenate([first, first, first], axis=1)
    assert (agent.prefix_propensities(obs, twice)[:, 1:] == 0).all()
    other = np.array([[stranger[0], *obs["candidates"][0, :2]]] * 2)
    assert (agent.prefix_propensities(obs, other)[0] == 0).all()


def test_weights_of_slates_that_the_agent_logged(case):
    agent, obs = case
    rng = np.random.default_rng(3)
    target = rng.dirichlet(np.ones(4), (2, 3))
    slates = np.array([[0, 1, 2], [3, 1, 0]])
    result, _ = ask.additive_weights(agent, obs, slates, target)
    for row in range(2):
        items, same = every_slate(obs, row)
        chance = agent.prefix_propensities(same, items)[:, -1]
        index = ask.candidate_index(same["candidates"], items)
        ones = np.eye(4)[index].reshape(len(items), -1)
        gamma = ones.T @ (chance[:, None] * ones)
        weight, _ = pseudo_inverse_weights(slates[[row]], target[[row]], gamma)
        assert result[row] == pytest.approx(weight[0], abs=1e-8)


def test_prefix_propensities_are_optional(make_problem, make_log, observe_users):
    problem = make_problem()
    agent = agents.make("popularity", problem)
    agent.fit(make_log(problem, 30))
    assert agent.act(observe_users(problem, 2)).prefix_propensities is None
