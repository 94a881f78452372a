"""Scenarios about policies whose probabilities stand in the log."""

import numpy as np
import pandas as pd
import pytest

import recsim
from recsim.errors import UserError
from recsim.estimators import evaluate, evaluate_difference
from recsim.log import read_log
from recsim.scenario.kinds import parse_scenario

COLUMNS = {
    **{"item": "sku", "click": "click", "user": "user", "propensity": "p"},
    "target_propensity": {"new": "p_new", "old": "p_old"},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    rng = np.random.default_rng(0)
    sku = rng.choice(["a", "b", "c"], 400)
    of = {"a": (0.1, 0.6), "b": (0.2, 0.2), "c": (0.7, 0.2)}
    frame = pd.DataFrame({"user": rng.integers(0, 80, 400), "sku": sku, "p": 1 / 3})
    frame["click"] = (rng.random(400) < np.where(sku == "c", 0.5, 0.2)).astype(int)
    frame["p_new"], frame["p_old"] = np.array([of[name] for name in sku]).T
    path = tmp_path_factory.mktemp("log") / "log.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def scenario(place):
    def make(**changes):
        return {
            "name": "s",
            "description": "d",
            "data": {"reader": "table", "path": str(place), "columns": COLUMNS},
            "policies": ["new", "old"],
            **changes,
        }

    return make


def test_policies_need_no_agent(scenario, place):
    found = recsim.compare(scenario())
    log = read_log("table", path=place, columns=COLUMNS)
    table = found.table.set_index(["agent", "estimator"])
    for name in ("new", "old"):
        for value in evaluate(log, name):
            assert table.loc[(name, value.estimator), "value"] == value.value
            assert table.loc[(name, value.estimator), "low"] == value.low
    assert set(found.differences["baseline"]) == {"logged"}
    (ips, *_) = evaluate_difference(log, "new")
    row = found.differences.set_index(["agent", "estimator"]).loc[("new", "ips")]
    assert (row["difference"], row["low"], row["high"]) == (ips.value, ips.low, ips.high)


def test_a_baseline_is_compared_with_the_others_and_itself_with_the_log(scenario, place):
    found = recsim.compare(scenario(baseline="old", agents=["random"]))
    pairs = found.differences[["agent", "baseline"]].drop_duplicates()
    assert pairs.to_numpy().tolist() == [["random", "old"], ["new", "old"], ["old", "logged"]]
    log = read_log("table", path=place, columns=COLUMNS)
    (ips, *_) = evaluate_difference(log, "new", "old")
    row = found.differences.set_index(["agent", "estimator"]).loc[("new", "ips")]
    assert (row["difference"], row["low"]) == (ips.value, ips.low)
    assert row["rows_to_tell"] == pytest.approx(ips.rows_to_tell)


def test_a_policy_has_one_trial_whatever_the_seeds(scenario, place):
    trials = parse_scenario(scenario(seeds=2, agents=["random"])).trials()
    assert [(t.agent, t.seed) for t in trials] == [
        *[("random", 0), ("random", 1)],
        *[("new", 0), ("old", 0)],
    ]
    paths = {"each": {"path": [str(place), f"{place.parent}/./log.csv"]}}
    data = scenario()["data"] | paths
    trials = parse_scenario(scenario(seeds=2, agents=["random"], data=data)).trials()
    assert [t.agent for t in trials] == ["random", "random", "new", "old"] * 2
    assert len({t.case for t in trials[:4]}) == 1


def test_the_table_says_how_many_rows_are_needed(scenario):
    found = recsim.compare(scenario(baseline="old"))
    (table,) = [t for t in found.summary.tables if t.name == "differences"]
    rows = {row[0]: row for row in table.rows}
    assert set(rows) == {"new - old", "old - (as logged)"}
    assert rows["new - old"][-1] == "enough"
    assert rows["old - (as logged)"][-1] == "enough" or "about" in rows["old - (as logged)"][-1]


def test_an_interval_for_means_has_no_differences(scenario):
    columns = {name: column for name, column in COLUMNS.items() if name != "user"}
    data = {**scenario()["data"], "columns": columns}
    found = recsim.compare(
        scenario(data=data, interval="bernstein", bound=3.0, estimators=["ips", "clipped_ips"])
    )
    assert found.differences.empty
    assert len(found.table) == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"policies": ["nwe"]}, r"policies: nwe: the log has no probabilities of 'nwe'\. Did you"),
        (
            {"baseline": "odl"},
            r"baseline 'odl' is none of the agents and policies\. Did you mean 'old'",
        ),
        ({"policies": []}, "give 'agents', or 'policies'"),
        ({"policies": ["new", "new"]}, "lists 'new' twice"),
        ({"policies": ["logged"]}, "label 'logged' is reserved"),
        ({"estimators": ["dr"]}, "'dr' needs the probability of every candidate"),
        (
            {"baseline": "old", "interval": "bernstein", "bound": 3.0},
            "'baseline' has no effect with the interval 'bernstein'",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_refused(scenario, changes, message):
    with pytest.raises(UserError, match=message):
        parse_scenario(scenario(**changes)).check()
