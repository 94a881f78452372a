"""Policies whose probabilities stand in the log, and the difference of two policies."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import agents
from recsim.errors import EstimationError
from recsim.estimators import (
    evaluate,
    evaluate_difference,
    evaluate_slates,
    evaluate_trajectories,
    log_value,
)
from recsim.log import read_log

CHANCES = {"new": np.array([0.1, 0.2, 0.7]), "old": np.array([0.2, 0.2, 0.6])}
LOGGING = np.array([0.5, 0.3, 0.2])
REWARDS = np.array([0.1, 0.2, 0.6])


def frame(rng, rows=900, users=300):
    """Draw a log: items from LOGGING; users differ in how much they click."""
    user = rng.integers(users, size=rows)
    item = rng.choice(3, size=rows, p=LOGGING)
    kind = np.random.default_rng(7).uniform(0.4, 1.6, users)  # mean about 1
    click = rng.random(rows) < np.minimum(REWARDS[item] * kind[user], 1)
    columns = {"user": user, "item": item, "click": click.astype(int), "p": LOGGING[item]}
    return pd.DataFrame(columns | {name: p[item] for name, p in CHANCES.items()})


def log_of(data, **columns):
    names = {"item": "item", "click": "click", "user": "user", "propensity": "p"}
    targets = {name: name for name in CHANCES}
    columns = {**names, "target_propensity": targets, **columns}
    return read_log("table", data=data, columns=columns, num_items=3)


@pytest.fixture(scope="module")
def data():
    return frame(np.random.default_rng(0))


@pytest.fixture(scope="module")
def log(data):
    return log_of(data)


def test_a_policy_of_the_log_has_the_value_of_the_same_function(log):
    def policy(obs, items):
        return CHANCES["new"][items]

    names = ("ips", "snips", "clipped_ips", "sub_gaussian")
    assert evaluate(log, "new", names) == evaluate(log, policy, names, overlap=False)
    assert evaluate_slates(log, "new") == evaluate_slates(log, policy, overlap=False)
    one, other = (evaluate_trajectories(log, of, overlap=False) for of in ("new", policy))
    assert one == other


def test_the_difference_is_of_the_same_rows(data, log):
    (found,) = evaluate_difference(log, "new", "old", "ips", interval="t")
    terms = (data["new"] - data["old"]) / data["p"] * data["click"]
    assert found.value == pytest.approx(terms.mean())
    of_users = pd.DataFrame({"sum": terms, "rows": 1.0, "user": data["user"]})
    of_users = of_users.groupby("user").sum()
    away = (of_users["sum"] - terms.mean() * of_users["rows"]) / of_users["rows"].mean()
    n = len(away)
    half = stats.t.ppf(0.975, n - 1) * np.sqrt((away**2).sum() / (n - 1) / n)
    assert found.low == pytest.approx(found.value - half)
    assert found.high == pytest.approx(found.value + half)
    assert found.first.value - found.second.value == pytest.approx(found.value)


@pytest.mark.parametrize("interval", ["hall", "t", "bca", "bootstrap"])
def test_the_difference_from_the_log_is_from_its_mean(log, interval):
    names = ("ips", "snips", "clipped_ips")
    found = evaluate_difference(log, "new", None, names, interval=interval, clip=3.0)
    values = evaluate(log, "new", names, interval=interval, clip=3.0)
    mean = log_value(log, interval=interval)
    for difference, value in zip(found, values, strict=True):
        assert difference.estimator == value.estimator
        assert difference.first == value
        assert difference.second.value == pytest.approx(mean.value)
        assert difference.second.low == pytest.approx(mean.low)
        assert difference.value == pytest.approx(value.value - mean.value)
        apart = (value.high - value.low) + (mean.high - mean.low)
        assert difference.high - difference.low < apart


def test_a_policy_less_itself_is_exactly_zero(log):
    for difference in evaluate_difference(log, "new", "new"):
        assert (difference.value, difference.low, difference.high) == (0.0, 0.0, 0.0)
        assert not difference.tells


def test_the_policy_of_the_log_less_the_log_is_zero(log):
    same = replace(log, target_propensities={"mu": log.propensity})
    (found,) = evaluate_difference(same, "mu", None, "ips")
    assert found.value == pytest.approx(0.0, abs=1e-15)
    assert found.high - found.low == pytest.approx(0.0, abs=1e-12)


def test_the_order_of_policies_only_changes_the_sign(log):
    for kind in ("hall", "t"):
        one = evaluate_difference(log, "new", "old", interval=kind)
        other = evaluate_difference(log, "old", "new", interval=kind)
        for mine, theirs in zip(one, other, strict=True):
            assert mine.value == pytest.approx(-theirs.value)
            assert (mine.low, mine.high) == pytest.approx((-theirs.high, -theirs.low))


def test_it_does_not_depend_on_how_the_log_is_cut(log, tmp_path):
    whole = evaluate_difference(log, "new", "old")
    pieces = [log.select(slice(0, 100)), log.select(slice(100, None))]
    folder = log.save(tmp_path / "log")
    for cut in (pieces, folder):
        for mine, theirs in zip(evaluate_difference(cut, "new", "old"), whole, strict=True):
            assert mine.value == pytest.approx(theirs.value)
            assert mine.low == pytest.approx(theirs.low)
    with pytest.raises(EstimationError, match="must be read more than once"):
        evaluate_difference(iter(pieces), "new")


def test_agents_and_estimators_with_a_model_have_differences(log):
    best = agents.make("popularity", log.problem)
    best.fit(log)
    random = agents.make("random", log.problem)
    found = evaluate_difference(log, best, random, ("ips", "dr"))
    values = evaluate(log, best, ("ips", "dr")), evaluate(log, random, ("ips", "dr"))
    for difference, first, second in zip(found, *values, strict=True):
        assert difference.value == pytest.approx(first.value - second.value)
    assert found[1].tells  # item 2 is clicked most


@pytest.mark.slow
def test_intervals_of_differences_cover():
    rng = np.random.default_rng(5)
    kind = np.random.default_rng(7).uniform(0.4, 1.6, 300)
    rewards = np.array([np.minimum(chance * kind, 1).mean() for chance in REWARDS])
    draws, inside = 600, {}
    for _ in range(draws):
        log = log_of(frame(rng))
        for other, reference in (("old", CHANCES["old"]), (None, LOGGING)):
            truth = float((CHANCES["new"] - reference) @ rewards)
            for found in evaluate_difference(log, "new", other, ("ips", "snips")):
                covers = found.low <= truth <= found.high
                inside.setdefault((other, found.estimator), []).append(covers)
    for case, covers in inside.items():
        # Four standard errors of a share of 0.95.
        assert abs(np.mean(covers) - 0.95) < 4 * np.sqrt(0.95 * 0.05 / draws), case


def test_rows_to_tell_are_those_at_which_the_interval_ends_at_zero(data):
    few = data[:30]
    (found,) = evaluate_difference(log_of(few), "new", "old", "ips", interval="t", unit="row")
    assert not found.tells
    times = found.rows_to_tell / len(few)
    more = pd.concat([few] * int(np.ceil(1.1 * times)))
    fewer = pd.concat([few] * max(1, int(0.8 * times)))
    for rows, tells in ((more, True), (fewer, False)):
        (again,) = evaluate_difference(log_of(rows), "new", "old", "ips", interval="t", unit="row")
        assert again.tells == tells
    assert "to tell it from 0 takes about" in str(found)


def test_what_the_log_does_not_say_is_refused(log):
    with pytest.raises(EstimationError, match=r"no probabilities of a policy 'nwe'\. Did you mean"):
        evaluate(log, "nwe")
    with pytest.raises(EstimationError, match="Name their column as 'target_propensity'"):
        evaluate(replace(log, target_propensities={}), "new")
    with pytest.raises(EstimationError, match="only the probabilities of the items shown"):
        evaluate(log, "new", "dr")
    with pytest.raises(EstimationError, match="'bernstein' is for means"):
        evaluate_difference(log, "new", interval="bernstein", bound=10.0)


def test_warnings_say_which_policy_they_are_about(data):
    few = data[:20]
    rare = log_of(few.assign(new=np.where(np.arange(20) == 0, 1.0, 0.001)))
    (found,) = evaluate_difference(rare, "new", "old", "ips")
    for whose, share in (("first", 98), ("second", 13)):
        assert any(
            text.startswith(f"the {whose} policy: one impression of 20 carries {share}%")
            for text in found.warnings
        )
    assert not any(text.startswith("the difference: one impr") for text in found.warnings)
    (found,) = evaluate_difference(rare, "new", None, "ips")
    assert any(text.startswith("the log: only") for text in found.warnings)
    adaptive = replace(rare, adaptive=True)
    (found,) = evaluate_difference(adaptive, "new", "old", "ips")
    assert sum("learned" in text for text in found.warnings) == 1


def test_a_table_is_no_log(data):
    with pytest.raises(EstimationError, match=r"a log is needed, not a DataFrame: read it with"):
        evaluate_difference(data, "new", "old")
