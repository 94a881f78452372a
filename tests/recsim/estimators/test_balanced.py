"""Logs of several logging policies."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import agents
import recsim
from recsim.errors import EstimationError, LogError
from recsim.estimators import (
    evaluate,
    evaluate_difference,
    evaluate_slates,
    evaluate_trajectories,
    with_balanced_propensities,
)
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


# What a log of `to_pandas` calls the columns above.
OWN = {
    "propensity": "propensity",
    "target_propensity": {name: f"target_propensity.{name}" for name in ("A", "B", "new")},
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
    assert log.to_pandas()["logger"].tolist() == ["A"] * 10 + ["B"] * 10


def test_logs_of_one_logger_each_are_put_together_by_name():
    log = expected(10, 10)
    of_b, of_a = (
        log_of(log.select(log.logger == number).to_pandas().assign(pay=0.5), **OWN)
        for number in (1, 0)
    )
    assert of_b.logger_names == ("B",)
    both = SlateLog.concat([of_b, of_a])
    assert both.logger_names == ("B", "A")
    assert both.to_pandas()["logger"].tolist() == ["B"] * 10 + ["A"] * 10
    mine, theirs = (with_balanced_propensities(of).propensity for of in (both, log))
    np.testing.assert_allclose(mine, np.roll(theirs, 10, axis=0))
    with pytest.raises(LogError, match="the logger_names are"):
        SlateLog.concat([of_b, replace(of_a, logger=None, logger_names=())])


def test_propensities_follow_from_those_of_the_loggers():
    log = expected(10, 10)
    table = frame(log.slate.ravel(), np.repeat(["A", "B"], 10), 1.0)
    np.testing.assert_allclose(log_of(table, propensity=None).propensity, log.propensity)
    without = {"A": "A", "new": "new"}
    assert log_of(table, propensity=None, target_propensity=without).propensity is None
    with pytest.raises(LogError, match="row 12, column 'logger': 'B' has the probability 0 of"):
        log_of(table.assign(B=np.where(np.arange(20) == 12, 0, table["B"])), propensity=None)


def test_loggers_may_be_numbers():
    items, loggers = np.array([0, 1, 2]), ["A", "B", "A"]
    table = frame(items, loggers, 1.0).assign(logger=[0, 1, 0])
    log = log_of(table, target_propensity={0: "A", 1: "B"})
    assert log.logger_names == ("0", "1")
    assert list(log.target_propensities) == ["0", "1"]
    with_balanced_propensities(log)


def test_where_one_logger_lacks_an_item_only_balanced_weights_are_unbiased():
    mu = {"A": np.array([0.8, 0.2, 0.0]), "B": np.array([0.1, 0.3, 0.6])}
    items = np.repeat(
        np.tile(np.arange(3), 2), np.r_[mu["A"] * 10, mu["B"] * 20].round().astype(int)
    )
    loggers = np.repeat(["A", "B"], [10, 20])
    table = frame(items, loggers, REWARDS[items]).assign(**{n: mu[n][items] for n in mu})
    log = log_of(table, propensity=None)
    (naive,) = evaluate(log, "new", "ips")
    (balanced,) = evaluate(with_balanced_propensities(log), "new", "ips")
    assert balanced.value == pytest.approx(VALUE)
    assert balanced.mean_weight == pytest.approx(1.0)
    # A third of the rows are of A, and lack what item 2 would earn.
    assert naive.value == pytest.approx(VALUE - POLICY[2] * REWARDS[2] / 3)


def test_shares_are_those_of_the_position():
    # A shows one item, B two: at the second position there is only B.
    table = pd.DataFrame({"slate": [0, 1, 1], "item": [0, 0, 1], "click": [1, 0, 1]})
    table = table.assign(logger=["A", "B", "B"], A=[0.5, 0.5, 0.9], B=[0.25, 0.25, 0.4], new=0.5)
    columns = {"slate": "slate", "click": "click", "feedback": {}, "propensity": None}
    log = log_of(table, **columns)
    assert with_balanced_propensities(log).propensity.tolist() == [[0.375, 1.0], [0.375, 0.4]]
    moved = replace(log, position=np.array([[7, -1], [7, 9]]))
    assert with_balanced_propensities(moved).propensity.tolist() == [[0.375, 1.0], [0.375, 0.4]]


def test_products_of_propensities_are_refused():
    log = expected(10, 10)
    users = replace(log, anonymous=False)
    balanced = with_balanced_propensities(users)
    evaluate_trajectories(users, "new")
    with pytest.raises(
        EstimationError, match=r"row 0, .*whole slates and trajectories need the log"
    ):
        evaluate_trajectories(balanced, "new")
    # One item is a whole slate; of two, each can be weighted by itself, but not both together.
    assert evaluate_slates(balanced, "new", "sips")[0].value == pytest.approx(VALUE)
    table = frame(np.array([0, 1, 2, 1]), list("AABB"), 1.0).assign(slate=[0, 0, 1, 1], click=1)
    pairs = log_of(table, slate="slate", click="click", feedback={})
    random = agents.make("random", pairs.problem)
    evaluate_slates(with_balanced_propensities(pairs), random, "iips")
    evaluate_slates(pairs, random, "sips", logging="independent")
    with pytest.raises(
        EstimationError, match=r"row 0, .*Balanced propensities are those of single"
    ):
        evaluate_slates(with_balanced_propensities(pairs), random, "sips", logging="independent")


def test_loggers_of_different_days_have_a_warning_in_scenarios():
    log = expected(30, 10)
    for days, doubted in ((log.logger, True), (np.zeros(40, dtype=np.int64), False)):
        table = recsim.compare(
            replace(log, day=days), policies=["new"], logging="balanced", estimators=["ips"]
        ).table
        texts = table.set_index("agent").loc["new", "warnings"]
        assert any("no day of the log has two logging" in text for text in texts) == doubted


def drawn(rng, users=150, each=3):
    """Draw a log in which half of the users meet each logger, and users differ in their taste."""
    user = np.repeat(np.arange(users), each)
    loggers = np.where(rng.permutation(users)[user] % 2, "A", "B")
    items = np.where(loggers == "A", *(rng.choice(3, len(user), p=LOGGERS[name]) for name in "AB"))
    taste = np.random.default_rng(7).uniform(0.5, 1.5, users)
    pay = rng.random(len(user)) < REWARDS[items] * taste[user]
    return log_of(frame(items, loggers, pay).assign(user=user), user="user"), taste.mean()


@pytest.mark.slow
def test_intervals_cover():
    rng, draws, inside = np.random.default_rng(3), 600, {}
    for _ in range(draws):
        log, taste = drawn(rng)
        balanced, estimators = with_balanced_propensities(log), ("ips", "snips")
        cases = [
            *(("new", POLICY, value) for value in evaluate(balanced, "new", estimators)),
            *(("B", LOGGERS["B"], value) for value in evaluate(balanced, "B", estimators)),
            *(
                ("new - B", POLICY - LOGGERS["B"], found)
                for found in evaluate_difference(balanced, "new", "B", estimators)
            ),
        ]
        for name, chances, found in cases:
            covers = found.low <= taste * float(chances @ REWARDS) <= found.high
            inside.setdefault((name, found.estimator), []).append(covers)
    for case, covers in inside.items():
        # Four standard errors of a share of 0.95. More is right: the shares of the loggers are
        # fixed, and the interval takes them as drawn.
        assert np.mean(covers) > 0.95 - 4 * np.sqrt(0.95 * 0.05 / draws), case


def test_what_is_missing_or_contradicts_is_named():
    log = expected(10, 10)
    for whole in ([log], "folder"):
        with pytest.raises(EstimationError, match=r"give a SlateLog, such as SlateLog\.load"):
            with_balanced_propensities(whole)
    with pytest.raises(EstimationError, match="name the column 'logger'"):
        with_balanced_propensities(replace(log, logger=None))
    targets = {"A": log.target_propensities["A"]}
    with pytest.raises(EstimationError, match=r"logging policy 'B': .*\{B: p_B\}"):
        with_balanced_propensities(replace(log, target_propensities=targets))
    never = {**log.target_propensities, "A": log.target_propensities["A"].copy()}
    never["A"][3] = 0.0
    with pytest.raises(EstimationError, match="row 3, position 0: its logger 'A' has the prob"):
        with_balanced_propensities(replace(log, target_propensities=never))
    wrong = log.propensity.copy()
    wrong[12] = 0.9
    with pytest.raises(EstimationError, match=r"row 12, position 0: .* 0\.9, but its logger 'B'"):
        with_balanced_propensities(replace(log, propensity=wrong))
    table = frame(np.array([0, 1]), ["A", "B"], [1, 0]).assign(logger=["A", None])
    with pytest.raises(LogError, match="column 'logger': the entry is missing"):
        log_of(table)
