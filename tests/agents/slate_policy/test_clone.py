"""The agent `clone`: what it imitates, and what it asks of a log."""

from dataclasses import replace

import numpy as np
import pytest

import agents
from agents.shared.plackett_luce import softmax
from agents.slate_policy.cloning import CloneAgent
from recsim.errors import UserError

NETWORKS = ["linear", "mlp"]


@pytest.fixture
def fitted(make_problem, make_log):
    """Fit a clone on a log of slates of two items out of six."""

    def build(log=None, seed=0, **settings):
        problem = make_problem(num_items=6)
        agent = agents.make("clone", problem, seed=seed, **{"batch_size": 64, **settings})
        report = agent.fit(make_log(problem, 300) if log is None else log)
        return agent, report

    return build


def logits(agent, problem, observe_users, users=5):
    return agent._logits_of(observe_users(problem, users))


def two_policies(problem, rng, users=200, steps=4):
    """Return the columns of a log of two policies.

    A third of the users see items 0 and 1 and come back, the others see items 2 and 3, which they
    click, and do not.
    """
    good = rng.random(users) < 1 / 3
    user = np.repeat(np.arange(users), steps)
    slate = np.where(good[user, None], [[0, 1]], [[2, 3]])
    flipped = rng.random(len(user)) < 0.5
    slate[flipped] = slate[flipped, ::-1]
    watch = good[user] + rng.normal(size=len(user)) * 0.3
    clicks = np.repeat(~good[user, None], 2, axis=1).astype(np.int8)
    return {
        "user": user,
        "slate": slate,
        "clicks": clicks,
        "day": np.tile(np.arange(steps), users),
        "feedback": {"click": clicks.sum(axis=1).astype(float), "watch": watch},
        "user_features": rng.normal(size=(users, 3)).astype(np.float32),
    }


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "settings", [{"keep": 0.25}, {"weights": "awr", "beta": 0.3}, {"weights": "crr"}]
)
def test_it_prefers_the_policy_with_the_higher_return(
    make_problem, make_log, observe_users, network, settings
):
    problem = make_problem(num_items=6)
    columns = two_policies(problem, np.random.default_rng(0))
    log = make_log(problem, len(columns["user"]), **columns)
    obs = observe_users(problem, 50)

    def shown(**settings):
        agent = agents.make("clone", problem, seed=0, network=network, steps=100, **settings)
        agent.fit(log)
        return np.take_along_axis(obs["candidates"], agent.act(obs).slates, axis=1)

    assert np.isin(shown(), [2, 3]).mean() > 0.9, "most users were served by the other policy"
    assert np.isin(shown(target="watch", **settings), [0, 1]).mean() > 0.9
    assert np.isin(shown(target="click", **settings), [2, 3]).mean() > 0.9


def bait_log(problem, make_log, rng, users=300):
    """Return a log in which items 0 and 1 earn 1 and end the course; others earn .5 ten times.

    Every user is served by one of the two policies until they leave.
    """
    bait = rng.random(users) < 0.5
    steps = np.where(bait, 1, 10)
    user = np.repeat(np.arange(users), steps)
    slate = np.where(bait[user, None], [[0, 1]], [[2, 3]])
    earned = np.where(bait[user], 1.0, 0.5)
    day = np.concatenate([np.arange(n) for n in steps])
    features = rng.normal(size=(users, 3)).astype(np.float32)
    feedback = {"click": np.zeros(len(user)), "watch": earned}
    columns = {"user": user, "slate": slate, "day": day, "feedback": feedback}
    return make_log(problem, len(user), user_features=features, **columns)


def test_it_sees_past_bait_unless_it_is_myopic(make_problem, make_log, observe_users):
    problem = make_problem(num_items=6)
    obs = observe_users(problem, 50)
    obs["time"] = np.zeros((50, 3), dtype=np.int64)
    log = bait_log(problem, make_log, np.random.default_rng(0))
    first = log.select(log.day == 0)  # so that neither policy has more rows

    def shown(log, **settings):
        agent = agents.make("clone", problem, seed=0, target="watch", steps=100, **settings)
        agent.fit(log)
        return np.take_along_axis(obs["candidates"], agent.act(obs).slates, axis=1)

    assert np.isin(shown(log, keep=0.25), [2, 3]).all()
    assert np.isin(shown(log, weights="awr", beta=0.3), [2, 3]).mean() > 0.9
    assert np.isin(shown(first, weights="awr", beta=0.3, gamma=0.0), [0, 1]).mean() > 0.9


def test_keeping_all_users_is_cloning(fitted, make_problem, observe_users):
    problem = make_problem(num_items=6)
    plain, _ = fitted()
    kept, report = fitted(keep=1.0, target="watch")
    assert report.rows == 300
    np.testing.assert_array_equal(*(logits(a, problem, observe_users) for a in (plain, kept)))


@pytest.mark.parametrize("network", NETWORKS)
def test_a_high_temperature_of_the_weights_is_cloning(fitted, make_problem, observe_users, network):
    problem = make_problem(num_items=6)
    common = {"network": network, "steps": 50, "held_out": 0.0}
    plain, _ = fitted(**common)
    settings = {**common, "weights": "awr", "target": "watch"}
    hot, report = fitted(beta=1e6, **settings)
    sharp, _ = fitted(beta=0.1, **settings)
    # Probabilities, because scores are determined up to a constant.
    one, same, other = (
        softmax(logits(agent, problem, observe_users)) for agent in (plain, hot, sharp)
    )
    np.testing.assert_allclose(same, one, atol=0.01)
    assert np.abs(other - one).max() > 0.03
    assert report.losses[-1]["effective_share"] == pytest.approx(1)


def test_at_temperature_one_slates_are_drawn_as_often_as_in_the_log(fitted, make_problem, make_log):
    problem = make_problem(num_items=6, users=0)
    rng = np.random.default_rng(0)
    pairs = np.array([[0, 1], [1, 0], [2, 3]])
    slate = pairs[rng.choice(3, size=4000, p=[0.5, 0.3, 0.2])]
    agent = agents.make("clone", problem, temperature=1.0, held_out=0.0, steps=600)
    agent.fit(make_log(problem, 4000, slate=slate))
    obs = {"candidates": np.tile(np.arange(6), (1, 1)), "user_features": np.zeros((1, 0))}
    first = agent.prefix_propensities(obs, np.array([[0, 1]]))[0, 0]
    # Plackett-Luce, fitted by hand: items 0 and 1 have one order more often than the other.
    assert first == pytest.approx((slate[:, 0] == 0).mean(), abs=0.1)
    assert agent.propensities(obs, np.array([[0, 1]])) is None


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_probabilities_of_all_slates_sum_to_one(fitted, make_problem, observe_users, temperature):
    problem = make_problem(num_items=6)
    agent, _ = fitted(temperature=temperature, steps=20)
    obs = observe_users(problem, 4)
    listed = agent.slate_distribution(obs)
    np.testing.assert_allclose(listed.probabilities.sum(axis=1), 1)
    decision = agent.act(obs)
    items = np.take_along_axis(obs["candidates"], decision.slates, axis=1)
    np.testing.assert_allclose(agent.prefix_propensities(obs, items), decision.prefix_propensities)


def test_the_network_reads_the_history(make_problem, make_log):
    problem = make_problem(num_items=6)
    rng = np.random.default_rng(0)
    # The second slate of a user repeats the items of the first, whichever they were.
    kind = rng.random(400) < 0.5
    slate = np.where(kind[:, None], [[0, 1]], [[2, 3]]).repeat(2, axis=0)
    columns = {
        "user": np.arange(400).repeat(2),
        "slate": slate,
        "clicks": np.ones((800, 2), dtype=np.int8),
        "feedback": {"click": np.full(800, 2.0), "watch": np.zeros(800)},
        "user_features": np.zeros((400, 3), dtype=np.float32),
    }
    log = make_log(problem, 800, **columns)
    agent = agents.make("clone", problem, network="mlp", history=1)
    agent.fit(log)
    obs = log.observations(np.arange(1, 800, 2), history_slates=1)
    shown = np.take_along_axis(obs["candidates"], agent.act(obs).slates, axis=1)
    assert (np.sort(shown) == np.sort(slate[1::2])).mean() > 0.95


@pytest.mark.parametrize("network", NETWORKS)
def test_candidates_and_padding(make_problem, make_log, observe_users, network):
    problem = make_problem(num_items=9, num_candidates=6)
    log = make_log(problem, 60)
    slate = log.slate.copy()
    slate[::3, 1] = -1
    slate[5] = -1  # a slate without items
    candidates = np.argsort(np.random.default_rng(0).random((60, 9)), axis=1)[:, :6]
    log = replace(log, slate=slate, candidates=candidates)
    agent = agents.make("clone", problem, network=network, steps=5, temperature=1.0)
    assert agent.fit(log).rows == 59
    assert np.isfinite(agent.act(observe_users(problem, 3)).slate_propensities).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"keep": 0.0}, r"config\.keep"),
        ({"keep": 0.5, "beta": 0.5}, "'beta' has no effect with weights 'none', only with 'awr'"),
        ({"gamma": 0.5}, "'gamma' has no effect with weights 'none', only with 'awr' or 'crr'"),
        ({"target": "wach"}, "no reward is called 'wach'. Did you mean 'watch'?"),
        ({"network": "conv"}, r"config\.network: must be 'linear' or 'mlp'"),
        ({"network": ["mlp"]}, r"config\.network: must be"),
    ],
)
def test_wrong_settings(make_problem, settings, message):
    with pytest.raises(UserError, match=message):
        agents.make("clone", make_problem(), **settings)


@pytest.mark.parametrize(
    ("settings", "columns", "message"),
    [
        (
            {"keep": 0.5},
            {"anonymous": True},
            "'clone' prefers users by their returns, but the log does not identify its users",
        ),
        (
            {"keep": 0.5, "target": "watch"},
            {"feedback": {"click": np.zeros(20)}},
            r"'clone' .* 'watch', but the log has no feedback column .* \('click', 'reward'",
        ),
        (
            {"weights": "crr", "target": "watch"},
            {"feedback": {"click": np.zeros(20), "watch": np.ones(20)}},
            "imitates rows of positive advantage, but no row .* 'weights: none'",
        ),
        ({}, {"user_features": np.zeros((20, 7), np.float32)}, "expects 3 user features"),
        ({}, {"slate": np.full((20, 2), -1)}, "learns from slates that show items"),
    ],
)
def test_a_log_that_lacks_something(make_problem, make_log, settings, columns, message):
    problem = make_problem()
    with pytest.raises(UserError, match=message):
        agents.make("clone", problem, **settings).fit(make_log(problem, 20, **columns))


def test_a_log_without_users_can_be_cloned(make_problem, make_log):
    problem = make_problem()
    log = make_log(problem, 20, anonymous=True)
    assert agents.make("clone", problem, steps=2).fit(log).rows == 20


def test_a_saved_network_of_other_sizes_is_refused(fitted, make_problem):
    agent, _ = fitted(network="mlp", steps=2)
    other: CloneAgent = agents.make("clone", make_problem(num_items=6), network="mlp", hidden=8)
    with pytest.raises(UserError, match="'network', 'hidden', 'dim' or 'item_dim'"):
        other.load_state_dict(agent.state_dict())


@pytest.mark.parametrize("network", NETWORKS)
def test_what_is_loaded_draws_the_same(fitted, make_problem, observe_users, network):
    problem = make_problem(num_items=6)
    settings = {"network": network, "temperature": 1.0, "steps": 5}
    one, _ = fitted(**settings)
    again, _ = fitted(**settings)
    loaded = agents.make("clone", problem, seed=9, **settings)
    loaded.load_state_dict(one.state_dict())
    obs = observe_users(problem, 30)
    first, second, third = (agent.act(obs).slates for agent in (one, again, loaded))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, third)
