import numpy as np
import pytest

import agents
from recsim.errors import UserError

USERS = 4000


@pytest.fixture
def asked(make_problem, observe_users):
    """Return a problem, and an observation in which the oracle's slate is items 1 and 0."""
    problem = make_problem(num_items=9)
    obs = observe_users(problem, USERS)
    obs["candidates"] = np.tile(np.arange(9), (USERS, 1))
    return problem, obs | {"oracle_slate": np.tile([1, 0], (USERS, 1))}


def test_users_are_shared_by_weight_and_keep_their_agent(asked):
    problem, obs = asked
    opposed = obs | {"long_term_slate": np.tile([8, 7], (USERS, 1))}
    members = [{"name": "oracle"}, {"name": "oracle", "config": {"objective": "long_term"}}]
    members[1]["weight"] = 3
    agent = agents.make("mixture", problem, members=members)
    agent.begin(USERS)
    shown = agent.act(opposed).slates
    foresighted = (shown == [8, 7]).all(axis=1)
    assert ((shown == [1, 0]).all(axis=1) ^ foresighted).all()
    # Three in four, within four deviations of a binomial.
    assert abs(foresighted.mean() - 0.75) < 4 * np.sqrt(0.75 * 0.25 / USERS)
    np.testing.assert_array_equal(agent.act(opposed).slates, shown)
    agent.begin(USERS)
    assert (agent.act(opposed).slates != shown).any(), "new users are assigned again"


def test_members_learn_from_their_own_users_only(asked, make_feedback):
    problem, obs = asked
    member = {"name": "epsilon_greedy", "config": {"epsilon": 0.0}}
    agent = agents.make("mixture", problem, members=[member, member])
    agent.begin(USERS)
    decision = agent.act(obs)
    clicks = np.ones(decision.slates.shape)
    agent.observe(make_feedback(decision.slates, clicks, watch=np.zeros(USERS)))
    counts = [
        state["impressions"].sum() for state in _means(agent.state_dict()["members"].values())
    ]
    assert sum(counts) == 2 * USERS
    assert min(counts) > 0.9 * USERS


def test_a_member_may_have_no_users_to_learn_from(asked, make_feedback):
    problem, obs = asked
    members = [{"name": "linucb", "weight": 1e9}, {"name": "linucb", "weight": 1e-9}]
    agent = agents.make("mixture", problem, members=members)
    agent.begin(USERS)
    slates = agent.act(obs).slates
    agent.observe(make_feedback(slates, np.ones(slates.shape), watch=np.zeros(USERS)))
    fresh = agents.make("linucb", problem)
    fresh.begin(USERS)
    np.testing.assert_array_equal(agent._members[1].act(obs).slates, fresh.act(obs).slates)


def _means(states):
    for state in states:
        yield next(
            result
            for result in (state, *(v for v in state.values() if isinstance(v, dict)))
            if "impressions" in result
        )


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([], "members"),
        ([{"name": "randm"}], "Did you mean 'random'"),
        ([{"name": "random", "wieght": 2}], r"members\.0\.wieght: unknown key"),
        ([{"name": "random"}, {"name": "mixture"}], r"members\.1 is a mixture itself"),
        ([{"name": "linucb", "config": {"alfa": 1}}], r"config\.alfa: unknown key"),
    ],
)
def test_mistakes_in_members_are_refused(make_problem, members, message):
    with pytest.raises(UserError, match=message):
        agents.make("mixture", make_problem(), members=members)


def test_a_state_of_another_number_of_members_is_refused(make_problem):
    problem = make_problem()
    saved = agents.make("mixture", problem).state_dict()
    alone = agents.make("mixture", problem, members=[{"name": "random"}])
    with pytest.raises(UserError, match="a mixture of 2 agents, not 1"):
        alone.load_state_dict(saved)
