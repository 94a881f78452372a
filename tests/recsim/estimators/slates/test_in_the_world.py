"""Agents evaluated on a simulated log of slates, of other agents and of their own."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest

import agents
from recsim.errors import UserError
from recsim.estimators import SLATE_ESTIMATORS, evaluate_slates, evaluate_trajectories
from recsim.log import SlateLog
from recsim.play.rollout import rollout


@pytest.fixture(scope="module")
def simulated():
    env = gymnasium.make_vec(
        "recsim:SlateRec-v0",
        num_envs=120,
        preset="position_bias",
        max_steps=4,
        slate_size=2,
        num_candidates=6,
        world={"catalogue": {"num_items": 8}},
    )
    problem = env.unwrapped.problem
    agent = agents.make("epsilon_greedy", problem, seed=1, epsilon=0.8)
    result = rollout(env, agent, seed=3, max_steps=4, learn=False, record=True)
    return agent, result.to_log().validate()


def test_logged_probabilities_are_saved(simulated, tmp_path):
    _, log = simulated
    assert log.prefix_propensity.shape == log.slate.shape
    np.testing.assert_allclose(log.prefix_propensity[:, -1], log.slate_propensity)
    again = SlateLog.load(log.save(tmp_path / "log"))
    np.testing.assert_array_equal(again.prefix_propensity, log.prefix_propensity)
    half = SlateLog.concat([log.select(slice(0, 9)), log.select(slice(9, None))], same_users=True)
    np.testing.assert_array_equal(half.prefix_propensity, log.prefix_propensity)
    bad = log.prefix_propensity.copy()
    bad[5, 1] = 0
    with pytest.raises(UserError, match=r"row 5, position 1: prefix_propensity 0\.0 is not a pr"):
        replace(log, prefix_propensity=bad).validate()


def test_the_agent_itself_earns_the_mean_of_its_log(simulated):
    agent, log = simulated
    names = [name for name in SLATE_ESTIMATORS if "cascade" not in name]
    for value in evaluate_slates(log, agent, names, logging=agent, reward="click", samples=10):
        assert value.value == pytest.approx(log.clicks.sum(axis=1).mean()), value.estimator
        assert value.ess == pytest.approx(value.n)
    per_user = log.clicks.sum() / len(np.unique(log.user))
    for value in evaluate_trajectories(
        log, agent, ("tis", "wis", "pdis", "snpdis"), reward="click", samples=10
    ):
        assert value.value == pytest.approx(per_user), value.estimator


def test_another_agent_is_evaluated_by_all_estimators(simulated):
    logging, log = simulated
    policy = agents.make("random", log.problem)
    values = evaluate_slates(
        log, policy, SLATE_ESTIMATORS, logging=logging, reward="click", samples=50
    )
    for value in values:
        assert value.low <= value.value <= value.high, value.estimator
        assert 0 < value.value < 2
    by_name = {value.estimator: value for value in values}
    # Pseudo-inverse weights vary less than those of whole slates.
    assert by_name["pi"].ess > by_name["sips"].ess
    by_policy = evaluate_slates(log, policy, ("rips",), reward="click", samples=5)
    assert by_policy[0].value == pytest.approx(by_name["rips"].value)
