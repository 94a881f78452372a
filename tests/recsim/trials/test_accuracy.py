"""Benchmark scenarios: the accuracy of estimators over many logs."""

import json

import pandas as pd
import pytest

from recsim.errors import ScenarioError, UserError
from recsim.run import main
from recsim.scenario.files import load_scenario
from recsim.scenario.kinds import parse_scenario

SMALL = {
    "name": "small",
    "description": "Estimators on short logs.",
    "benchmark": {
        "source": "users",
        "env": {"preset": "position_bias", "world": {"catalogue": {"num_items": 20}}},
        "users": 30,
        "config": {"temperature": 0.5},
        "training": 500,
        "rounds": 300,
        "logs": 40,
    },
    "agents": [{"name": "softmax", "config": {"temperature": 0.2}}],
    "estimators": ["ips", "snips", "dm"],
    "seeds": 2,
}


def scenario(**changes):
    return parse_scenario({**SMALL, **changes})


def test_a_run_prints_and_writes_the_accuracy(tmp_path, capsys):
    path = tmp_path / "small.yaml"
    path.write_text(json.dumps(SMALL))
    assert main([str(path), f"output={tmp_path}", "--workers", "1"]) == 0
    (folder,) = (tmp_path / "small").iterdir()
    table = pd.read_csv(folder / "summary.csv")
    assert table["logs"].tolist() == [80] * 6
    assert set(table["interval"]) == {"hall", "t"}
    ips = table[table["estimator"] == "ips"].iloc[0]
    assert ips["bias_low"] < 0 < ips["bias_high"]
    assert ips["coverage"] > 0.85
    assert (folder / "accuracy.png").stat().st_size > 10_000
    assert "accuracy.png" not in (folder / "report.html").read_text()  # it is inside the page
    printed = capsys.readouterr().out
    assert "known value" in printed
    assert "verdict" in printed


def test_the_resolved_scenario_is_a_scenario_again():
    for benchmark in (SMALL["benchmark"], {"source": "digits"}):
        one = scenario(benchmark=benchmark)
        assert parse_scenario(one.resolved()) == one


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"benchmark": {"source": "digits", "users": 5}}, "no effect with source 'digits'"),
        ({"users": 5}, "users: has no effect in a scenario of kind 'accuracy'"),
        ({"interval": "t"}, "'interval' has no effect here: the benchmark decides it"),
        ({"env": {}}, "give exactly one of .* not 'env' and 'benchmark'"),
        (
            {"agents": [{"name": "random", "training_log": {"agent": "random"}}]},
            "'training_log' has no effect in a scenario of kind 'accuracy'",
        ),
    ],
)
def test_keys_without_effect_are_refused(changes, message):
    with pytest.raises(ScenarioError, match=message):
        scenario(**changes)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("benchmark.agent=sofmax", "Did you mean 'softmax'"),
        ("benchmark.agent=oracle", "benchmark: agent 'oracle': config.temperature: unknown key"),
        ("agents.0.name=oracle", "agents: oracle: agent 'oracle': config.temperature: unknown"),
        ("benchmark.env.preset=boredoom", "Did you mean 'boredom'"),
        ("benchmark.env.slate_size=3", "slate_size"),
        ("benchmark.env.slat_size=3", "slat_size"),
        ("estimators=[ipss]", "Did you mean 'ips'"),
        ("agents.0.config.temperature=-1", "temperature: must be greater than 0"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(tmp_path, capsys, override, message):
    path = tmp_path / "small.yaml"
    path.write_text(json.dumps(SMALL))
    assert main([str(path), f"output={tmp_path / 'runs'}", override]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"agents": [{"name": "oracle"}]},
        {"benchmark": {**SMALL["benchmark"], "agent": "oracle", "config": {}}},
    ],
)
def test_agents_that_need_a_simulation_are_refused(changes):
    with pytest.raises(UserError, match="'oracle' cannot be evaluated on a log"):
        scenario(**changes).check()


@pytest.mark.parametrize("name", ["estimator_accuracy", "estimator_digits"])
def test_packaged_benchmarks_are_valid(name):
    loaded = load_scenario(name)
    assert loaded.kind == "accuracy"
    loaded.check()
