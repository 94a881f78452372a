import numpy as np
import pytest
import torch

import agents
from agents.slateq import SlateQAgent, SlateQConfig
from recsim.errors import UserError

QUICK = {"steps": 4, "choice_steps": 4, "batch_size": 8, "evaluate_every": 2}


def make(log, fitted=True, seed=3, **config):
    agent = SlateQAgent(SlateQConfig(**QUICK | config), log.problem, seed)
    if fitted:
        agent.fit(log)
    return agent


@pytest.fixture
def log(sequences):
    return sequences()


@pytest.fixture
def obs(log):
    return log.observations(history_slates=5)


@pytest.mark.parametrize("optimiser", ["exact", "greedy", "top_k"])
@pytest.mark.parametrize("backup", ["sarsa", "q"])
def test_agents_of_every_backup_and_optimiser_act(log, obs, optimiser, backup):
    agent = make(log, optimiser=optimiser, backup=backup)
    decision = agent.act(obs)
    assert decision.slates.shape == (11, 2)
    assert decision.propensities.min() == decision.propensities.max() == 1
    assert (decision.slates[:, 0] != decision.slates[:, 1]).all()


def test_the_report_follows_both_stages(log):
    losses = make(log, fitted=False, held_out=0.4).fit(log).losses
    assert [(row["stage"], row["step"]) for row in losses] == [(1, 2), (1, 4), (2, 2), (2, 4)]
    assert ["held_out" in row for row in losses] == [True, True, False, False]


def test_with_epsilon_propensities_are_those_of_the_coin(log, obs):
    agent = make(log, epsilon=0.4)
    greedy = make(log).act(obs).slates
    table = agent.action_probabilities(obs)
    np.testing.assert_allclose(table.sum(axis=2), 1)
    picked = np.take_along_axis(table, greedy[:, :, None], axis=2)
    np.testing.assert_allclose(picked, 0.6 + 0.4 / 6)
    drawn = np.stack([agent.act(obs).slates for _ in range(500)])  # (n, B, K)
    share = (drawn[..., None] == np.arange(6)).mean(axis=0)  # (B, K, C)
    np.testing.assert_allclose(share, table, atol=0.1)
    assert agent.slate_distribution(obs).probabilities.sum(axis=1) == pytest.approx(1.0)


def test_slates_do_not_depend_on_other_users(log, obs):
    agent = make(log)
    alone = {name: value[2:3] for name, value in obs.items()}
    np.testing.assert_array_equal(agent.act(alone).slates, agent.act(obs).slates[2:3])


def test_slates_are_indices_of_candidates(log, obs):
    agent = make(log)
    order = np.argsort(np.random.default_rng(0).random((11, 6)), axis=1)
    mixed = obs | {"candidates": order}
    items = np.take_along_axis(order, agent.act(mixed).slates, axis=1)
    np.testing.assert_array_equal(items, agent.act(obs).slates)


def test_a_second_fit_replaces_the_first(log, sequences):
    other = sequences(seed=9)
    twice = make(other)
    state = twice.state_dict()
    twice.fit(log)
    once = make(log, fitted=False)
    once._generator.set_state(state["generator"])
    once.fit(log)
    for name, value in once.state_dict()["value"].items():
        torch.testing.assert_close(twice.state_dict()["value"][name], value, rtol=0, atol=0)


def test_a_saved_agent_continues(log, obs):
    agent = make(log, epsilon=0.5)
    fresh = make(log, fitted=False, seed=8, epsilon=0.5)
    fresh.load_state_dict(agent.state_dict())
    np.testing.assert_array_equal(agent.act(obs).slates, fresh.act(obs).slates)
    agent.load_state_dict(make(log, fitted=False, epsilon=0.5).state_dict())
    with pytest.raises(UserError, match="must be fitted"):
        agent.act(obs)


def test_mistakes(log, obs, make_problem, sequences):
    with pytest.raises(UserError, match="'slateq' must be fitted on a log"):
        make(log, fitted=False).act(obs)
    with pytest.raises(UserError, match="the log has none"):
        make(log, fitted=False).fit(log.select(slice(0, 0)))
    with pytest.raises(UserError, match=r"no reward is called 'wach'\. Did you mean 'watch'"):
        make(log, target="wach")
    with pytest.raises(UserError, match="no device 'nowhere' here"):
        make(log, device="nowhere")
    with pytest.raises(UserError, match=r"config\.gamma: must be less than 1"):
        agents.configure("slateq", gamma=1.0)
    problem = make_problem(num_items=6, users=5)
    with pytest.raises(UserError, match="expects 5 user features; the log has 3"):
        SlateQAgent(SlateQConfig(**QUICK), problem, 0).fit(log)
    for other, config in ((sequences(num_items=9), {}), (log, {"hidden": 7})):
        with pytest.raises(UserError, match="fitted on another catalogue or with another"):
            make(other, fitted=False, **config).load_state_dict(make(log).state_dict())
