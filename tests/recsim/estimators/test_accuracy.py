"""Accuracy of estimators: sums of errors, coverage and its verdict."""

import dataclasses
import math

import numpy as np
import pytest

import agents
from recsim.estimators import evaluate
from recsim.estimators.accuracy import (
    ErrorSums,
    accuracy_table,
    misses,
    seeds_of_logs,
    verdict,
    wilson,
)
from recsim.trials.accuracy import accuracy_figure
from recsim.trials.logged_bandits import digits, simulated_users


@pytest.fixture
def estimate():
    """Build an estimate with an interval."""
    log = simulated_users({"preset": "position_bias"}, 5, 0)

    def uniform(obs, items):
        return np.full(items.shape, 1 / 200)

    some = evaluate(log.log(np.full((5, 200), 1 / 200), 20, 0), uniform, ["ips"], interval="t")[0]

    def build(value, low, high, ess=10.0, warnings=()):
        return dataclasses.replace(
            some, value=value, low=low, high=high, ess=ess, warnings=tuple(warnings)
        )

    return build


def row(sums, **names):
    return {"policy": "p", "value": 1.0, "estimator": "ips", "interval": "t", **names, **sums.sums}


def test_errors_by_hand(estimate):
    sums = ErrorSums()
    sums.add(estimate(1.5, 0.9, 2.1), 1.0)  # contains the value
    sums.add(estimate(0.5, 0.1, 0.9, warnings=["doubt"]), 1.0)  # ends below it
    sums.add(estimate(2.0, 1.5, 2.5), 1.0)  # starts above it
    sums.add(estimate(math.nan, math.nan, math.nan), 1.0)
    (line,) = accuracy_table([row(sums)], level=0.95).to_dict(orient="records")
    assert line["logs"] == 4
    assert line["undefined"] == 1
    assert line["bias"] == pytest.approx((0.5 - 0.5 + 1.0) / 3)
    assert line["rmse"] == pytest.approx(math.sqrt((0.25 + 0.25 + 1) / 3))
    assert line["coverage"] == pytest.approx(1 / 3)
    assert line["width"] == pytest.approx((1.2 + 0.8 + 1.0) / 3)
    assert line["ess"] == 10
    assert line["warned"] == 0.25
    spread = math.sqrt(0.5 - 1 / 9)
    assert line["bias_high"] - line["bias"] == pytest.approx(1.959964 * spread / math.sqrt(3))
    assert sums.sums["below"] == 1


def test_pieces_add_up(estimate):
    rng = np.random.default_rng(0)
    whole, pieces = ErrorSums(), [ErrorSums() for _ in range(3)]
    for index in range(30):
        value = rng.normal(1, 0.3)
        one = estimate(value, value - 0.5, value + 0.5)
        whole.add(one, 1.0)
        pieces[index % 3].add(one, 1.0)
    together = accuracy_table([row(piece) for piece in pieces], level=0.9)
    alone = accuracy_table([row(whole)], level=0.9)
    for column in alone:
        if alone[column].dtype.kind == "f":
            assert together[column].to_numpy() == pytest.approx(alone[column].to_numpy())
        else:
            assert together[column].tolist() == alone[column].tolist()


def test_wilson_by_hand():
    # p = 8/10, z = 1.959964: (0.8 + z^2/20 -+ z sqrt(0.16/10 + z^2/400)) / (1 + z^2/10)
    assert wilson(8, 10) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    assert wilson(0, 5)[0] == 0
    assert wilson(5, 5)[1] == 1
    assert all(map(math.isnan, wilson(0, 0)))


def test_wilson_holds_the_share_for_every_number_of_logs():
    for trials in range(1, 2500):
        for successes in (0, 1, trials // 2, trials):
            low, high = wilson(successes, trials)
            assert low <= successes / trials <= high
            assert low >= 0
            assert high <= 1


@pytest.mark.parametrize(
    ("covered", "logs", "expected"),
    [
        (1900, 2000, "covers"),
        (1842, 2000, "covers"),
        (1800, 2000, "too narrow"),
        (1990, 2000, "too wide"),
        (18, 20, "unsure"),
        (20, 20, "unsure"),
        (10, 20, "too narrow"),
    ],
)
def test_the_verdict_allows_for_chance(covered, logs, expected):
    assert verdict(covered / logs, *wilson(covered, logs), 0.95) == expected


def test_misses_are_sentences(estimate):
    sums = ErrorSums()
    for _ in range(100):
        sums.add(estimate(2.0, 1.9, 2.1), 1.0)
    (text,) = misses(accuracy_table([row(sums)], level=0.95), 0.95)
    assert text == "p: ips: the 95% t intervals are too narrow: 0.0% of 100 contain the value"


def test_every_log_has_its_own_seed():
    seeds = seeds_of_logs(3, 500)
    assert len(set(seeds)) == 500
    assert seeds == seeds_of_logs(3, 500)
    assert not set(seeds) & set(seeds_of_logs(4, 500))


def test_the_value_is_the_mean_of_long_logs():
    bandit = simulated_users({"preset": "interest_exploration"}, 50, seed=1)
    rng = np.random.default_rng(0)
    table = rng.dirichlet(np.ones(200), size=50)

    class Policy:
        def propensities(self, obs, items):
            raise AssertionError("action_probabilities is enough")

        def action_probabilities(self, obs):
            return table[:, None]

    value = bandit.value(Policy())
    log = bandit.log(table, 200_000, seed=2).validate()
    assert abs(log.reward.mean() - value) < 5 * log.reward.std() / math.sqrt(200_000)
    # pi = mu: all weights are 1
    assert log.propensity.shape == (200_000, 1)
    weights = 1 / (200 * log.propensity[:, 0])
    assert abs(weights.mean() - 1) < 5 * weights.std() / math.sqrt(200_000)


def test_perfect_coverage_can_be_drawn(estimate):
    sums = ErrorSums()
    for _ in range(2000):
        sums.add(estimate(1.1, 0.0, 2.0), 1.0)
    figure = accuracy_figure(accuracy_table([row(sums)], level=0.95), level=0.95)
    assert len(figure.axes) == 2


def test_an_estimate_without_an_interval_is_counted_separately(estimate):
    sums = ErrorSums()
    sums.add(estimate(1.0, math.nan, math.nan), 1.0)
    sums.add(estimate(1.0, 0.5, 1.5), 1.0)
    (line,) = accuracy_table([row(sums)], level=0.95).to_dict(orient="records")
    assert (line["undefined"], line["coverage"], line["width"]) == (1, 1.0, 1.0)


def test_the_reward_model_uses_interactions_of_image_and_label():
    bandit = digits()
    uniform = np.full((1797, 10), 0.1)
    policy = agents.make("softmax", bandit.problem, temperature=0.1, interactions="outer")
    policy.fit(bandit.log(uniform, 5000, seed=0))
    (value,) = evaluate(bandit.log(uniform, 3000, seed=1), policy, ["dm"], interval="t")
    assert abs(value.value - bandit.value(policy)) < 0.25


def test_digits_reward_the_right_label():
    bandit = digits()
    assert bandit.chance.sum(axis=1).tolist() == [1.0] * 1797
    assert bandit.value(lambda obs, items: np.full(items.shape, 0.1)) == pytest.approx(0.1)


def test_logs_are_functions_of_their_seed():
    bandit = simulated_users({"preset": "boredom"}, 10, seed=0)
    table = np.full((10, 200), 1 / 200)
    one, same, other = (bandit.log(table, 100, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.slate, same.slate)
    assert np.array_equal(one.clicks, same.clicks)
    assert not np.array_equal(one.slate, other.slate)
