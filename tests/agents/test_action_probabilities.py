"""The probabilities of all candidates, beside those of single items."""

import numpy as np
import pytest

import agents

NAMES = ["random", "popularity", "epsilon_greedy", "linucb", "oracle", "softmax", "clone"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("slate_size", [1, 2])
def test_they_are_the_propensities_of_every_candidate(
    name, slate_size, make_problem, observe_users, make_log
):
    problem = make_problem(num_items=6, slate_size=slate_size, num_candidates=4)
    agent = agents.make(name, problem)
    agent.fit(make_log(problem, 30))
    obs = dict(observe_users(problem, 5))
    obs["oracle_slate"] = np.argsort(obs["candidates"], axis=1)[:, :slate_size]
    result = agent.action_probabilities(obs)
    if name == "softmax" and slate_size > 1:
        assert result is None
        return
    assert result.shape == (5, slate_size, 4)
    np.testing.assert_allclose(result.sum(axis=2), 1.0)
    for place in range(4):
        items = np.repeat(obs["candidates"][:, place : place + 1], slate_size, axis=1)
        np.testing.assert_allclose(result[:, :, place], agent.propensities(obs, items))
