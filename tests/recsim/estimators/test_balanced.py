"""Logs of several logging policies."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import recsim
from recsim.errors import EstimationError, LogError
from recsim.estimators import evaluate, evaluate_difference, with_balanced_propensities
from recsim.log import SlateLog, read_log

# Two loggers that hardly overlap, and a policy that shows what each of them shows.
LOGGERS = {"A": np.array([0.8, 0.1, 0.1]), "B": np.array([0.1, 0.1, 0.8])}
POLICY = np.array([0.4, 0.2, 0.4])
REWARDS = np.array([0.2, 0.4, 0.6])
VALUE = float(POLICY @ REWARDS)
COLUMNS = {
    **{"item": "item", "propensity": "p", "logger": "logger", "feedback": {"pay": "pay"}},
    "target_propensity": {"A": "A", "B": "B", "new": "new"},
}


def frame(items, loggers, pay):
    table = {"item": items, "logger": loggers, "pay": pay, "new": POLICY[items]}
    table |= {name: chances[items] for name, chances in LOGGERS.items()}
    table["p"] = [LOGGERS[name][item] for name, item in zip(loggers, items, strict=True)]
    return pd.DataFrame(table)


def log_of(table, **columns):
    return read_log("table", data=table, columns={**COLUMNS, **columns}, num_items=3)


def expected(of_a, of_b):
    """Return the log in which every item occurs as often as expected, and pays its mean."""
    counts = np.concatenate([of_a * LOGGERS["A"], of_b * LOGGERS["B"]]).round().astype(int)
    items = np.repeat(np.tile(np.arange(3), 2), counts)
    loggers = np.repeat(["A"] * 3 + ["B"] * 3, counts)
    return log_of(frame(items, loggers, REWARDS[items]))


@pytest.mark.parametrize(("of_a", "of_b"), [(10, 10), (30, 10), (10, 90)])
def test_both_weightings_are_unbiased(of_a, of_b):
    log = expected(of_a, of_b)
    (naive,) = evaluate(log, "new", "ips")
    (balanced,) = evaluate(with_balanced_propensities(log), "new", "ips")
    assert naive.value == pytest.approx(VALUE)
    assert balanced.value == pytest.approx(VALUE)


def test_the_propensity_is_that_of_the_mixture():
    log = expected(30, 10)
    mixture = 0.75 * LOGGERS["A"] + 0.25 * LOGGERS["B"]
    balanced = with_balanced_propensities(log)
    np.testing.assert_allclose(balanced.propensity, mixture[log.slate])
    # The shares are those of the rows that are evaluated.
    only = log.select(log.logger == 0)
    np.testing.assert_allclose(with_balanced_propensities(only).propensity, only.propensity)


def test_balanced_weights_vary_less():
    rng = np.random.default_rng(0)
    found = {"naive": [], "balanced": []}
    for _ in range(200):
        loggers = np.repeat(["A", "B"], 50)
        items = np.array([rng.choice(3, p=LOGGERS[name]) for name in loggers])
        log = log_of(frame(items, loggers, rng.random(100) < REWARDS[items]))
        found["naive"].append(evaluate(log, "new", "ips")[0].value)
        found["balanced"].append(evaluate(with_balanced_propensities(log), "new", "ips")[0].value)
    for values in found.values():
        error = np.std(values, ddof=1) / np.sqrt(len(values))
        assert abs(np.mean(values) - VALUE) < 4 * error
    # In expectation the variances are 0.0072 and 0.0027.
    assert np.var(found["balanced"]) < 0.6 * np.var(found["naive"])


def test_a_scenario_can_weight_both_ways():
    log = expected(30, 10)
    table = recsim.compare(log, policies=["new"], logging="balanced").table
    balanced = with_balanced_propensities(log)
    ips = table[(table["agent"] == "new") & (table["estimator"] == "ips")].iloc[0]
    assert ips["low"] == pytest.approx(evaluate(balanced, "new", "ips")[0].low)
    difference = evaluate_difference(balanced, "new", None, "ips")[0]
    assert difference.second.value == pytest.approx(log.feedback["pay"].mean())


def test_loggers_survive_saving_and_selection(tmp_path):
    log = expected(10, 10)
    again = SlateLog.load(log.save(tmp_path / "log"))
    assert again.logger_names == ("A", "B")
    assert again.logger.tolist() == log.logger.tolist()
    assert SlateLog.concat([log, log]).logger.tolist() == log.logger.tolist() * 2
    assert log.select(slice(8, 12)).logger.tolist() == log.logger[8:12].tolist()
    other = replace(log, logger_names=("A", "C"))
    with pytest.raises(LogError, match="the logger_names are"):
        SlateLog.concat([log, other])


def test_what_is_missing_or_contradicts_is_named():
    log = expected(10, 10)
    with pytest.raises(EstimationError, match="name the column 'logger'"):
        with_balanced_propensities(replace(log, logger=None))
    targets = {"A": log.target_propensities["A"]}
    with pytest.raises(EstimationError, match=r"logging policy 'B': .*\{B: p_B\}"):
        with_balanced_propensities(replace(log, target_propensities=targets))
    wrong = log.propensity.copy()
    wrong[12] = 0.9
    with pytest.raises(EstimationError, match=r"row 12, position 0: .* 0\.9, but its logger 'B'"):
        with_balanced_propensities(replace(log, propensity=wrong))
    table = frame(np.array([0, 1]), ["A", "B"], [1, 0]).assign(logger=["A", None])
    with pytest.raises(LogError, match="column 'logger': the entry is missing"):
        log_of(table)
