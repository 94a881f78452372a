from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from agents.gru_thompson import GRUThompsonAgent, GRUThompsonConfig
from recsim.estimators import SampledPolicy, evaluate_slates
from reproductions.gru_thompson import off_policy, simulator
from reproductions.gru_thompson.distance import DistanceWorld


def test_a_uniform_log_has_its_propensities():
    cohort = DistanceWorld(num_items=8, num_groups=4, slate_size=2).start(5, 0)
    cohort.log_for(3, oracle=0.0)
    log = off_policy.uniform_log(cohort)
    assert (log.propensity == 1 / 8).all()
    np.testing.assert_allclose(log.prefix_propensity, [[1 / 8, 1 / 56]] * 15)
    np.testing.assert_allclose(log.slate_propensity, 1 / 56)


def test_with_all_slates_the_estimate_is_the_value_of_the_sampled_policy():
    """If every slate is shown equally often to one user, `sips` has only the noise of draws."""
    world = DistanceWorld(num_items=5, num_groups=5, slate_size=2, seed=3)
    training = world.start(100, 1)
    training.log_for(4, oracle=0.0)
    config = GRUThompsonConfig(dim=2, state="linear", steps=20, policy="in_slate")
    agent = GRUThompsonAgent(config, training.problem, 0)
    agent.fit(training.to_log())
    users = world.start(20 * 100, 2)
    users.state = np.tile(users.state[:1], (2000, 1))
    every = np.array([[a, b] for a in range(5) for b in range(5) if a != b])
    users.slates.append(np.tile(every, (100, 1)))
    users.clicks.append(np.zeros((2000, 2), dtype=np.int8))
    expected = users.probabilities(users.slates[0]).sum(axis=1)  # in place of clicks
    log = off_policy.uniform_log(users)
    log = replace(log, feedback=log.feedback | {"chance of a click": expected})
    policy = SampledPolicy(agent, 50)
    (estimate,) = evaluate_slates(log, policy, ["sips"], reward="chance of a click", interval="t")
    obs = world.start(20_000, 4).observation()
    shown = agent.act(obs).slates
    chance = np.array([(shown == slate).all(axis=1).mean() for slate in every])
    value = chance @ expected[:20]
    assert len(np.unique(chance)) > 10  # the policy explores
    assert estimate.value == pytest.approx(value, abs=0.01)


def test_only_weights_of_whole_slates_agree_with_the_simulated_value():
    rows = [
        row
        for slots, users in ((1, 500), (2, 1500))
        for row in off_policy.values(slots, 0, users=users, draws=3, steps=100)
    ]
    frame = pd.DataFrame(rows)
    error = frame["estimate"] - frame["simulated"]
    # Twice the half width is about four standard errors.
    far = error.abs() > frame["high"] - frame["low"]
    sound = (frame["estimator"] == "sips") | (frame["slots"] == 1)
    assert not far[sound].any()
    # A good item among random ones is clicked more often than among other good ones.
    wrong = (frame["slots"] == 2) & (frame["estimator"] == "iips")
    assert not frame["agrees"][wrong].any()
    assert (error[wrong] > 0.02).all()
    for text in (off_policy.one_seed(frame), off_policy.all_seeds(frame)):
        assert "epsilon-greedy 0.3" in text


def test_learned_strategies_are_between_random_and_oracle(monkeypatch):
    monkeypatch.setattr(simulator, "PLAYED", 3)
    command = ["--seeds", "2", "--users", "150", "--steps", "40", "--models", "linear, T = 0.05"]
    given = simulator.settings(command)
    rows = [row for seed in range(2) for row in simulator.strategies(seed, given)]
    frame = pd.DataFrame(rows).dropna(subset="strategy")
    clicks = frame.pivot_table("clicks", "seed", "strategy")
    learned = clicks.drop(columns=["random", "oracle", *simulator.COUNTING])
    assert (learned.gt(clicks["random"], axis=0)).all(axis=None)
    assert (learned.lt(clicks["oracle"], axis=0)).all(axis=None)
    text = simulator.compared(rows)
    assert "random < every learned strategy < oracle: " in text
    assert "in-slate - Thompson" in text
    assert "slate: popularity" in text
    assert "less rules" in text
    assert "sequential_rules" in text
    assert "±" in text


def test_priors_are_compared_within_seeds():
    rows = [
        {
            "prior": prior,
            "T": 1.0,
            "impressions of the chosen item": "0",
            "seed": seed,
            "log-probability": -1.0 - 0.1 * seed - (prior == "flat") * (0.1 + 0.01 * seed),
            "choices": 5,
        }
        for seed in range(3)
        for prior in ("hierarchical", "flat")
    ]
    assert "+0.110 ±0.025 *" in simulator.by_impressions(rows)
