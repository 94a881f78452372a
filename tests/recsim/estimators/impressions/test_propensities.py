"""Propensities estimated by counts, by a regression, or from popularity."""

from dataclasses import replace

import numpy as np
import pytest

from recsim.errors import UserError
from recsim.estimators import (
    LoggingSettings,
    estimate_logging,
    evaluate,
    make_estimator,
    with_propensities,
)


def uniform(obs, items):
    return np.full(items.shape, 1 / obs["candidates"].shape[1])


def test_frequencies_by_hand(random_log):
    # Position 0: item 0 three times, item 1 once. Position 1: item 2 twice, item 0 once.
    slate = np.array([[0, 2], [0, 2], [0, -1], [1, 0]])
    log = random_log(4, items=3, slots=2, slate=slate, clicks=np.zeros((4, 2), np.int8))
    policy = estimate_logging(log)
    obs = log.observations()
    assert policy.propensities(obs, slate).tolist() == [
        [0.75, 2 / 3],
        [0.75, 2 / 3],
        [0.75, 1.0],
        [0.25, 1 / 3],
    ]
    assert policy.action_probabilities(obs)[0].tolist() == [
        [0.75, 0.25, 0.0],
        [1 / 3, 0.0, 2 / 3],
    ]
    smoothed = estimate_logging(log, {"estimate": "frequencies", "smoothing": 1})
    assert smoothed.action_probabilities(obs)[0].tolist() == [
        [4 / 7, 2 / 7, 1 / 7],
        [2 / 6, 1 / 6, 3 / 6],
    ]
    pieces = [log.select(slice(0, 1)), log.select(slice(1, 4))]
    assert estimate_logging(pieces).propensities(obs, slate) == pytest.approx(
        policy.propensities(obs, slate)
    )


def test_frequencies_count_how_often_an_item_could_be_shown(random_log):
    log = random_log(4, items=4, slots=1, slate=np.array([[0], [1], [2], [2]]))
    candidates = np.array([[0, 1], [0, 1], [2, 3], [2, 3]])
    log = replace(log, candidates=candidates, problem=replace(log.problem, num_candidates=2))
    frequencies = estimate_logging(log).propensities(log.observations(), log.slate)
    assert frequencies[:, 0].tolist() == [0.5, 0.5, 1.0, 1.0]


def test_frequencies_know_the_position_on_the_page(random_log):
    log = random_log(4, items=2, slots=1, slate=np.array([[0], [0], [0], [1]]))
    log = replace(log, position=np.array([[0], [0], [1], [1]]))
    policy = estimate_logging(log)
    obs = log.observations()
    assert policy.propensities(obs, log.slate)[:, 0].tolist() == [1.0, 1.0, 0.5, 0.5]
    assert policy.action_probabilities(obs)[:, 0].tolist() == [
        [1, 0],
        [1, 0],
        [0.5, 0.5],
        [0.5, 0.5],
    ]


def test_counted_propensities_give_the_mean_of_item_means(random_log):
    # IPS of the uniform policy with counted propensities averages the mean reward of each item.
    log = random_log(300, items=4, slots=1, propensity=None)
    (value,) = evaluate(
        with_propensities(log, estimate_logging(log)), uniform, ("ips",), samples=10
    )
    means = [log.clicks[log.slate == item].mean() for item in range(4)]
    assert value.value == pytest.approx(np.mean(means), abs=1e-12)
    # The same, with the logging policy given to a log without propensities.
    (other,) = evaluate(log, uniform, ("ips",), samples=10, logging=estimate_logging(log))
    assert other.value == pytest.approx(value.value, abs=1e-12)


def test_a_multinomial_regression_recovers_a_policy_that_depends_on_users(random_log):
    rng = np.random.default_rng(0)
    rows, items = 4000, 3
    users = rng.normal(size=(rows, 2)).astype(np.float32)
    logits = users @ np.array([[2.0, 0.0, -1.0], [0.0, 1.5, 0.0]])
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    slate = (chances.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1)[:, None]
    log = random_log(
        rows,
        items=items,
        slots=1,
        features=2,
        anonymous=True,
        slate=slate,
        user_features=users,
        propensity=None,
        clicks=np.zeros((rows, 1), np.int8),
    )
    policy = estimate_logging(log, "multinomial")
    obs = log.observations()
    probabilities = policy.action_probabilities(obs)[:, 0]
    assert np.abs(probabilities - chances).mean() < 0.02
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    np.testing.assert_allclose(
        policy.propensities(obs, slate)[:, 0], probabilities[np.arange(rows), slate[:, 0]]
    )
    frequencies = estimate_logging(log, {"estimate": "frequencies", "check": False})
    counted = frequencies.action_probabilities(obs)[:, 0]
    assert np.abs(counted - chances).mean() > 0.1  # which ignores users
    padded = policy.propensities(obs, np.full((rows, 1), -1))
    assert (padded == 1).all()


def test_the_floor_of_the_regression(random_log):
    slate = np.tile([[0], [1]], (50, 1))
    log = random_log(100, items=4, slots=1, anonymous=True, slate=slate)
    policy = estimate_logging(log, {"estimate": "multinomial", "floor": 0.05})
    probabilities = policy.action_probabilities(log.observations())
    assert probabilities[:, 0, 2:] == pytest.approx(0.05)  # never shown
    np.testing.assert_allclose(probabilities.sum(axis=2), 1.0)


def test_popularity_by_hand(random_log):
    clicks = np.array([[1], [1], [1], [1], [1], [0]], dtype=np.int8)
    slate = np.array([[0], [0], [0], [0], [1], [2]])
    clicked = clicks[:, 0].astype(float)
    log = random_log(6, items=4, slots=1, slate=slate, clicks=clicks)
    log = replace(log, feedback={"click": clicked, "watch": clicked})
    policy = estimate_logging(log, {"estimate": "popularity", "floor": 0.1})
    # Clicks 4, 1, 0, 0: (n / 4)^0.5, at least 0.1.
    assert policy.propensities({}, slate)[:, 0].tolist() == [1, 1, 1, 1, 0.5, 0.1]
    weighted = with_propensities(log, policy)
    value = evaluate(weighted, lambda obs, items: np.ones(items.shape), ("ips",), samples=10)[0]
    assert value.value == pytest.approx(
        make_estimator("ips")([1, 1, 1, 1, 2, 10], [1, 1, 1, 1, 1, 0])
    )


def test_the_log_is_not_changed(random_log):
    log = random_log(20, propensity=None)
    other = with_propensities(log, estimate_logging(log))
    assert log.propensity is None
    assert other.propensity.shape == (20, 2)


def test_errors_name_the_mistake(random_log):
    log = random_log(20, items=3, slots=1)
    with pytest.raises(UserError, match=r"logging\.estimate: must be 'auto', 'frequencies', 'mult"):
        estimate_logging(log, "frequency")
    with pytest.raises(UserError, match=r"logging\.smothing: unknown key\. Did you mean 'smooth"):
        LoggingSettings.of({"estimate": "frequencies", "smothing": 1})
    with pytest.raises(UserError, match=r"logging\.floor: 0\.5 is too high for 3 items"):
        estimate_logging(log, {"estimate": "multinomial", "floor": 0.5})
    only = random_log(5, items=3, slots=1, slate=np.zeros((5, 1), dtype=int))
    with pytest.raises(UserError, match="fewer than two items"):
        estimate_logging(only, "multinomial")
    quiet = random_log(5, items=3, slots=1, clicks=np.zeros((5, 1), np.int8))
    with pytest.raises(UserError, match="No item has a click"):
        estimate_logging(quiet, "popularity")
    with pytest.raises(UserError, match="shows no item"):
        estimate_logging(log.select([]))
    # A policy that never shows what the log shows.
    with pytest.raises(UserError, match=r"row 1, position 0: propensity 0\.0 is not a probability"):
        with_propensities(random_log(5, items=3, slots=1), estimate_logging(only_two(random_log)))


def only_two(random_log):
    return random_log(5, items=3, slots=1, slate=np.full((5, 1), 2))
