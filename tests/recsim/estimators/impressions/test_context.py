"""Logging policies of known dependence on the context, and what is said about them."""

from dataclasses import replace

import numpy as np
import pytest

from recsim.errors import EstimationError
from recsim.estimators import estimate_logging, evaluate, with_propensities
from recsim.estimators.impressions.context import check_context
from recsim.log import SlateLog
from recsim.problem import Problem

ITEMS, FEATURES = 5, 4
TASTES = np.random.default_rng(1).normal(size=(FEATURES, ITEMS))


def softmax(logits):
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    return chances / chances.sum(axis=1, keepdims=True)


def greedy(scores):
    return np.eye(ITEMS)[scores.argmax(axis=1)]


LOGGERS = {
    "uniform": lambda x: np.full((len(x), ITEMS), 1 / ITEMS),
    "skewed": lambda x: np.tile(np.arange(1.0, ITEMS + 1) / 15, (len(x), 1)),
    "weak": lambda x: softmax(0.15 * x @ TASTES),
    "strong": lambda x: softmax(x @ TASTES),
    "deterministic": lambda x: greedy(x @ TASTES),
    "epsilon": lambda x: 0.1 / ITEMS + 0.9 * greedy(x @ TASTES),
    "signs": lambda x: 0.5 / ITEMS + 0.5 * np.eye(ITEMS)[((x[:, 0] > 0) ^ (x[:, 1] > 0)) * 1],
}


def planted(name, seed=0, rows=3000, users=None, offered=None):
    """Return a log of a known logging policy, and the click rate of every item for every row.

    With ``users`` every user has several rows; with ``offered`` only some items are candidates.
    """
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(users or rows, FEATURES))
    user = np.arange(rows) if users is None else rng.integers(0, users, rows)
    x = features[user]
    mu = LOGGERS[name](x)
    candidates = None
    if offered is not None:
        candidates = np.sort(rng.random((rows, ITEMS)).argsort(axis=1)[:, :offered], axis=1)
        among = np.zeros(mu.shape, dtype=bool)
        np.put_along_axis(among, candidates, True, axis=1)
        mu = np.where(among, mu, 0)
        mu /= mu.sum(axis=1, keepdims=True)
    shown = (mu.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1).clip(0, ITEMS - 1)
    rates = 1 / (1 + np.exp(-(1.2 * x @ TASTES - 2)))
    clicks = rng.random(rows) < rates[np.arange(rows), shown]
    zeros = np.zeros(rows, dtype=np.int64)
    log = SlateLog(
        problem=Problem(
            num_items=ITEMS,
            num_candidates=offered or ITEMS,
            user_feature_dim=FEATURES,
        ),
        user=user,
        session=zeros,
        day=zeros,
        step=zeros,
        slate=shown[:, None],
        clicks=clicks.astype(np.int8)[:, None],
        feedback={"click": clicks.astype(np.float64)},
        user_features=features.astype(np.float32),
        candidates=candidates,
        anonymous=users is None,
    )
    return log.validate(), rates


def uniform(obs, items):
    return np.full(items.shape, 1 / obs["candidates"].shape[1])


@pytest.mark.parametrize("users", [None, 150])
@pytest.mark.parametrize("offered", [None, 3])
def test_policies_are_told_apart(users, offered):
    for name in ("uniform", "skewed"):
        found = check_context(planted(name, users=users, offered=offered)[0])
        assert not found.used_context
        assert found.impressions == 3000
        assert found.overlap == pytest.approx(1, abs=0.1)
    found = check_context(planted("strong", users=users, offered=offered)[0])
    assert found.used_context
    assert not found.no_overlap
    assert check_context(planted("deterministic", users=users)[0]).no_overlap


def test_a_policy_that_ignores_the_context_is_rarely_suspected():
    suspected = [check_context(planted("skewed", seed, rows=300)[0]) for seed in range(12)]
    assert sum(found.used_context for found in suspected) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["uniform", "skewed"])
@pytest.mark.parametrize("users", [None, 100])
def test_false_alarms_are_rarer_than_one_in_twenty(name, users):
    alarms = sum(
        check_context(planted(name, seed, rows=1000, users=users)[0]).used_context
        for seed in range(200)
    )
    assert alarms <= 6  # 3%; at a rate of 5% seven or more in 200 are likely (.87)


def test_a_policy_that_draws_once_per_user_ignores_the_context():
    suspected = 0
    for seed in range(20):
        log, _ = planted("uniform", seed, rows=1000, users=200)
        item = np.random.default_rng(seed).integers(0, ITEMS, 200)  # an experiment by user
        suspected += check_context(replace(log, slate=item[log.user][:, None])).used_context
    assert suspected <= 2


def test_weak_dependence_biases_frequencies_and_is_seen():
    log, rates = planted("weak", rows=5000)
    truth = rates.mean()
    unchecked = estimate_logging(log, {"estimate": "frequencies", "check": False})
    (biased,) = evaluate(log, uniform, ("snips",), samples=200, logging=unchecked)
    assert biased.low > truth  # what was reported without a warning
    assert any("not checked on held-out rows" in text for text in biased.warnings)
    (value,) = evaluate(log, uniform, ("snips",), samples=200, logging=estimate_logging(log))
    assert value.low < truth < value.high
    assert any("used the context" in text for text in value.warnings)


def test_strong_dependence_is_modelled_or_refused():
    log, rates = planted("strong", rows=5000)
    (value,) = evaluate(log, uniform, ("snips",), samples=200, logging=estimate_logging(log))
    assert abs(value.value - rates.mean()) < 0.03
    assert not value.trustworthy
    with pytest.raises(EstimationError, match=r"used the context: .* use 'multinomial' or 'auto'"):
        estimate_logging(log, "frequencies")
    known = with_propensities(log, estimate_logging(log, "multinomial")).propensity[:, 0]
    truth = np.take_along_axis(LOGGERS["strong"](log.user_features), log.slate, axis=1)[:, 0]
    assert np.abs(known - truth).mean() < 0.02


def test_no_overlap_is_refused():
    log, _ = planted("deterministic")
    for kind in ("auto", "frequencies", "multinomial"):
        with pytest.raises(EstimationError, match="No overlap: the logging policy chose items by"):
            estimate_logging(log, kind)


@pytest.mark.parametrize("name", ["epsilon", "signs"])
def test_dependence_that_a_regression_misses_is_refused(name):
    log, _ = planted(name, rows=4000)
    for kind in ("auto", "frequencies", "multinomial"):
        with pytest.raises(EstimationError, match="in a way that a multinomial regression misses"):
            estimate_logging(log, kind)


def test_a_policy_that_ignores_the_context_is_counted_without_a_warning():
    log, rates = planted("skewed")
    logging = estimate_logging(log)
    assert logging.warnings == ()
    (value,) = evaluate(log, uniform, ("snips",), samples=200, logging=logging)
    assert value.trustworthy
    assert value.low < rates.mean() < value.high


def test_logs_that_cannot_be_checked_are_counted():
    log, _ = planted("strong", rows=100)
    assert check_context(log).impressions == 0
    same = replace(log, user_features=np.ones_like(log.user_features))
    assert check_context(same).impressions == 0
    assert check_context(log.select([])).impressions == 0
    assert estimate_logging(same).warnings == ()


def test_pieces_and_long_logs_are_checked_alike(monkeypatch):
    log, _ = planted("strong", users=150)
    pieces = [log.select(slice(0, 1000)), log.select(slice(1000, None))]
    assert check_context(pieces) == check_context(log)
    with pytest.raises(EstimationError, match="must be read more than once"):
        estimate_logging(iter(pieces))
    monkeypatch.setattr("recsim.estimators.impressions.context.MOST_ROWS", 500)
    some = check_context(log)
    assert 450 < some.impressions <= 500  # whole users
    assert some.used_context
