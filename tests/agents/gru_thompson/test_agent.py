import numpy as np
import pytest
import torch

import agents
from agents.gru_thompson import GRUThompsonAgent, GRUThompsonConfig
from agents.gru_thompson.agent import users_of
from recsim.errors import AgentError, UserError
from reproductions.gru_thompson.distance import DistanceWorld

WORLD = DistanceWorld(num_items=20, num_groups=4, slate_size=3)
QUICK = {"dim": 2, "state": "linear", "steps": 4, "evaluate_every": 2}


@pytest.fixture(scope="module")
def log():
    cohort = WORLD.start(40, 0)
    cohort.log_for(6)
    return cohort.to_log().validate()


@pytest.fixture(scope="module")
def obs():
    cohort = WORLD.start(8, 1)
    cohort.log_for(3)
    return cohort.observation()


def make(log, fitted=True, **config):
    agent = GRUThompsonAgent(GRUThompsonConfig(**QUICK | config), log.problem, 3)
    if fitted:
        agent.fit(log)
    return agent


def test_history_is_read_from_the_observation():
    obs = {
        "history_items": np.array([[-1, -1, 3, 4, 5, 3], [1, 2, 3, 4, 5, 6]]),
        "history_clicks": np.array([[0, 0, 0, 1, 0, 0], [1, 1, 0, 0, 0, 1]]),
        "candidates": np.broadcast_to(np.arange(7), (2, 7)),
    }
    users = users_of(obs, 7, 2, "cpu")
    assert users.clicks.tolist() == [[4, -1, -1], [1, 2, 6]]
    assert users.candidates is None
    mixed = np.array([[1, 0, 2, 3, 4, 5, 6]] * 2)
    candidates = users_of(obs | {"candidates": mixed}, 7, 2, "cpu").candidates
    assert candidates is not None
    assert candidates.tolist() == mixed.tolist()
    without_history = users_of({"candidates": mixed}, 7, 2, "cpu")
    assert without_history.clicks.shape == (2, 0)


@pytest.mark.parametrize("state", ["gru", "linear", "lingru", "markov"])
@pytest.mark.parametrize("training", ["staged", "end_to_end"])
@pytest.mark.parametrize("likelihood", ["slate", "all_items"])
def test_the_agent_acts_after_every_kind_of_training(log, obs, state, training, likelihood):
    agent = make(log, state=state, training=training, likelihood=likelihood)
    decision = agent.act(obs)
    assert decision.slates.shape == (8, 3)
    assert decision.propensities is None
    assert agent.propensities(obs, decision.slates) is None


def test_the_report_follows_the_training(log):
    report = make(log, fitted=False, state="gru").fit(log)
    assert report.rows == 240
    assert [(row["step"], row["stage"]) for row in report.losses] == [(2, 1), (4, 2)]
    assert all({"loss", "likelihood", "hits"} <= row.keys() for row in report.losses)
    without = make(log, fitted=False, held_out=0.0).fit(log)
    assert [sorted(row) for row in without.losses] == [["loss", "stage", "step"]] * 2


def test_only_the_state_is_trained_in_the_second_stage(log):
    one = make(log, state="gru", steps=2, held_out=0.0)
    both = make(log, state="gru", steps=4, held_out=0.0)
    end_to_end = make(log, state="gru", steps=4, held_out=0.0, training="end_to_end")
    tables = [agent.state_dict()["model"] for agent in (one, both, end_to_end)]
    # Two of four steps are the first stage; of two steps, one.
    first = make(log, state="linear", steps=2, held_out=0.0).state_dict()["model"]
    torch.testing.assert_close(tables[1]["items.location"], first["items.location"])
    assert (tables[1]["matrices.hn.location"] != first["matrices.hn.location"]).all()
    assert (tables[0]["items.location"] != first["items.location"]).any()
    assert (tables[2]["items.location"] != first["items.location"]).all()


def test_patience_ends_the_training(log):
    # With a negligible learning rate, nothing improves after the first evaluation.
    report = make(log, fitted=False, steps=100, learning_rate=1e-12, patience=3).fit(log)
    assert report.losses[-1]["step"] <= 2 * (1 + 3 * 3)


def test_a_second_fit_starts_from_scratch(log):
    agent = make(log)
    before = agent.state_dict()["model"]["items.location"]
    agent.fit(log)
    after = agent.state_dict()["model"]["items.location"]
    # Four steps of .02 from a start near 0: continued, the means would be about twice as far.
    assert 0.5 < float(after.abs().mean() / before.abs().mean()) < 1.5


@pytest.mark.parametrize("policy", ["greedy", "ucb"])
def test_deterministic_policies_know_their_propensities(log, obs, policy):
    agent = make(log, policy=policy)
    decision = agent.act(obs)
    assert decision.propensities.tolist() == [[1.0] * 3] * 8
    assert decision.slate_propensities.tolist() == [1.0] * 8
    table = agent.action_probabilities(obs)
    np.testing.assert_array_equal(table.argmax(axis=2), decision.slates)
    np.testing.assert_array_equal(table.sum(axis=2), 1)


def test_propensities_of_epsilon_greedy_are_exact(log, obs):
    agent = make(log, policy="epsilon_greedy", epsilon=0.4)
    greedy = make(log, policy="greedy").act(obs).slates
    table = agent.action_probabilities(obs)
    picked = np.take_along_axis(table, greedy[:, :, None], axis=2)
    np.testing.assert_allclose(picked, 0.6 + 0.4 / 20)
    drawn = np.stack([agent.act(obs).slates for _ in range(1500)])  # (n, B, K)
    share = (drawn[..., None] == np.arange(20)).mean(axis=0)  # (B, K, C)
    np.testing.assert_allclose(share, table, atol=0.06)
    decision = agent.act(obs)
    items = np.take_along_axis(obs["candidates"], decision.slates, axis=1)
    np.testing.assert_allclose(agent.propensities(obs, items), decision.propensities)
    np.testing.assert_allclose(decision.prefix_propensities[:, 0], decision.propensities[:, 0])
    np.testing.assert_allclose(decision.prefix_propensities[:, -1], decision.slate_propensities)
    np.testing.assert_allclose(decision.prefix_propensities, agent.prefix_propensities(obs, items))


def test_prefix_propensities(log, obs):
    agent = make(log, policy="epsilon_greedy", epsilon=0.4)
    own = make(log, policy="greedy").act(obs).slates
    uniform = np.array([1 / 20, 1 / (20 * 19), 1 / (20 * 19 * 18)])
    np.testing.assert_allclose(agent.prefix_propensities(obs, own), [0.6 + 0.4 * uniform] * 8)
    other = np.concatenate([own[:, :1], own[:, :0:-1]], axis=1)  # the first item stays in place
    expected = 0.4 * uniform + [0.6, 0, 0]
    np.testing.assert_allclose(agent.prefix_propensities(obs, other), [expected] * 8)
    padded = np.where(np.arange(3) < 2, own, -1)
    expected = (0.6 + 0.4 * uniform)[[0, 1, 1]]
    np.testing.assert_allclose(agent.prefix_propensities(obs, padded), [expected] * 8)
    for policy in ("greedy", "ucb"):
        deterministic = make(log, policy=policy)
        shown = deterministic.act(obs).slates
        assert (deterministic.prefix_propensities(obs, shown) == 1).all()
        assert (deterministic.prefix_propensities(obs, shown[:, ::-1]) == 0).all()
    for policy in ("thompson", "in_slate"):
        assert make(log, policy=policy).prefix_propensities(obs, own) is None


@pytest.mark.parametrize("policy", ["thompson", "in_slate"])
def test_estimated_propensities(log, obs, policy):
    agent = make(log, policy=policy, propensity_draws=1500)
    table = agent.action_probabilities(obs)
    np.testing.assert_allclose(table.sum(axis=2), 1)
    assert table.min() >= 1 / (1500 + 20) - 1e-12
    np.testing.assert_array_equal(agent.action_probabilities(obs), table)
    decision = agent.act(obs)
    items = np.take_along_axis(obs["candidates"], decision.slates, axis=1)
    np.testing.assert_allclose(agent.propensities(obs, items), decision.propensities)
    assert agent.propensities(obs, np.full((8, 3), -1)).min() == 1
    without = make(log, policy=policy)
    drawn = np.stack([without.act(obs).slates for _ in range(300)])
    share = (drawn[..., None] == np.arange(20)).mean(axis=0)
    # Deviation at most sqrt(.25 / 300) = .029.
    np.testing.assert_allclose(share, table, atol=0.12)


def test_estimating_propensities_does_not_change_later_slates(log, obs):
    agent, estimating = (make(log, propensity_draws=20) for _ in range(2))
    estimating.action_probabilities(obs)
    np.testing.assert_array_equal(agent.act(obs).slates, estimating.act(obs).slates)


def test_errors(log, obs, make_problem):
    with pytest.raises(AgentError, match="must be fitted on a log"):
        make(log, fitted=False).act(obs)
    with pytest.raises(AgentError, match="the log has none"):
        make(log, fitted=False).fit(log.select(slice(0, 0)))
    message = "'epsilon' has no effect with policy 'in_slate', only with"
    with pytest.raises(UserError, match=message):
        agents.configure("gru_thompson", epsilon=0.3)
    with pytest.raises(UserError, match="'betas' must both be in"):
        agents.configure("gru_thompson", betas=(0.5, 1.0))
    with pytest.raises(UserError, match=r"no device 'nowhere' here"):
        make(log, fitted=False, device="nowhere")
    state = make(log).state_dict()
    other = GRUThompsonAgent(GRUThompsonConfig(**QUICK), make_problem(num_items=9), 0)
    with pytest.raises(AgentError, match="another catalogue"):
        other.load_state_dict(state)


def test_a_greedy_slate_does_not_depend_on_other_users(log, obs):
    agent = make(log, policy="greedy")
    single = {name: value[2:3] for name, value in obs.items()}
    np.testing.assert_array_equal(agent.act(single).slates, agent.act(obs).slates[2:3])


def test_a_log_with_one_slate_per_user_is_enough(log, obs):
    first = log.select(log.step == 0)
    assert make(first).act(obs).slates.shape == (8, 3)
