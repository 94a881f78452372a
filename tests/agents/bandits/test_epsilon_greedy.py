import itertools

import numpy as np
import pytest

import agents


@pytest.fixture
def learner(make_problem, make_feedback):
    """Build an agent that ranks the items 2, 0, 3, 1, in this order."""

    def build(**config):
        problem = make_problem(num_items=4, slate_size=2)
        agent = agents.make("epsilon_greedy", problem, prior_mean=0.0, **config)
        agent.begin(4)
        items = [[2, 0], [2, 0], [2, 3], [3, 1]]
        clicks = [[1, 1], [1, 0], [1, 0], [1, 0]]
        agent.observe(make_feedback(items, clicks))  # means 3/4, 1/3, 1/3 -> tie of 0 and 3, 0/2
        agent.observe(make_feedback([[0, 1]], [[1, 0]]))  # 0: 2/4
        return agent

    return build


# Candidates in another order than the ids, so that an index taken for an id shows.
CANDIDATES = np.array([[3, 0, 1, 2]])
GREEDY = (2, 0)  # as item ids


def observation(batch):
    return {
        "candidates": np.repeat(CANDIDATES, batch, axis=0),
        "user_features": np.ones((batch, 3)),
    }


def test_greedy_slate_of_the_means(learner):
    decision = learner(epsilon=0).act(observation(3))
    assert CANDIDATES[0][decision.slates].tolist() == [[2, 0]] * 3
    np.testing.assert_array_equal(decision.propensities, np.ones((3, 2)))
    np.testing.assert_array_equal(decision.slate_propensities, np.ones(3))


@pytest.mark.parametrize("epsilon", [0.0, 0.25, 1.0])
def test_propensities_by_enumeration(learner, epsilon):
    """Both sides of the coin and all twelve slates of the uniform draw, written out."""
    every = list(itertools.permutations(range(4), 2))
    chance = dict.fromkeys(every, 0.0)
    for explored, slate in itertools.product([True, False], every):
        if explored:
            chance[slate] += epsilon * (1 / len(every))
        else:
            chance[GREEDY] += (1 - epsilon) * (1 / len(every))
    at_position = np.zeros((2, 4))
    for slate, probability in chance.items():
        for position, item in enumerate(slate):
            at_position[position, item] += probability

    agent = learner(epsilon=epsilon)
    asked = np.array([[i, i] for i in range(4)])
    np.testing.assert_allclose(agent.propensities(observation(4), asked), at_position.T)

    decision = agent.act(observation(500))
    items = CANDIDATES[0][decision.slates]
    np.testing.assert_allclose(
        decision.slate_propensities, [chance[tuple(slate)] for slate in items.tolist()]
    )
    np.testing.assert_allclose(
        decision.propensities, [[at_position[k, i] for k, i in enumerate(row)] for row in items]
    )


def test_frequencies_of_slates_match_their_propensities(learner):
    draws = 40_000
    decision = learner(epsilon=0.4, target="click").act(observation(draws))
    codes = decision.slates @ [4, 1]
    for code in np.unique(codes):
        rows = codes == code
        (chance,) = np.unique(decision.slate_propensities[rows])
        spread = np.sqrt(chance * (1 - chance) / draws)
        assert abs(rows.mean() - chance) < 5 * spread
    assert len(np.unique(codes)) == 12


def test_the_coin_is_tossed_per_user(learner):
    decision = learner(epsilon=0.5).act(observation(200))
    greedy = (CANDIDATES[0][decision.slates] == GREEDY).all(axis=1)
    assert 0 < greedy.sum() < 200


def test_feedback_of_rows_that_are_not_active_is_ignored(learner, make_feedback):
    agent = learner()
    before = agent.state_dict()
    agent.observe(make_feedback([[1, 3], [1, 3]], [[1, 1], [1, 0]], active=[False, True]))
    after = agent.state_dict()
    np.testing.assert_array_equal(after["impressions"] - before["impressions"], [0, 1, 0, 1])
    np.testing.assert_array_equal(after["sums"] - before["sums"], [0, 1, 0, 0])


def test_padding_does_not_count(learner, make_feedback):
    agent = learner()
    before = agent.state_dict()["impressions"]
    agent.observe(make_feedback([[1, -1]], [[0, 0]]))
    np.testing.assert_array_equal(agent.state_dict()["impressions"] - before, [0, 1, 0, 0])


def test_the_prior_ranks_items_never_shown(make_problem, make_feedback):
    def first(prior_mean):
        agent = agents.make(
            "epsilon_greedy", make_problem(), epsilon=0, prior_mean=prior_mean, prior_strength=1
        )
        agent.observe(make_feedback([[3, 1]], [[1, 0]]))
        return CANDIDATES[0][agent.act(observation(1)).slates].tolist()

    # Estimates: item 3 (1 + p)/2, item 1 p/2, unseen p.
    assert first(2.0) == [[0, 2]]  # unseen first
    assert first(0.0) == [[3, 0]]
    assert first(-2.0) == [[3, 1]]
    assert first(None) == [[3, 0]]  # p = 1/2, the mean so far


def test_a_log_and_feedback_add_up(make_problem, make_log, make_feedback):
    problem = make_problem(num_items=5)
    log = make_log(problem, 25)
    offline, online = (agents.make("epsilon_greedy", problem, target="watch") for _ in range(2))
    assert offline.fit(log).rows == 25
    watch = log.feedback["watch"]
    online.observe(make_feedback(log.slate, log.clicks, watch=watch))
    np.testing.assert_allclose(offline.state_dict()["sums"], online.state_dict()["sums"])
    np.testing.assert_allclose(online.state_dict()["sums"].sum(), watch.sum())
