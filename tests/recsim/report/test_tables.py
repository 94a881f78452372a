import json
import math

import numpy as np
import pandas as pd
import pytest

from recsim.runs.folder import RunFolder
from recsim.runs.work import summarise, write_tables
from recsim.scenario.kinds import parse_scenario
from recsim.scenario.sources import DataSpec, combinations
from recsim.scenario.trial import Trial, TrialResult
from recsim.statistics import iqm_interval, mean_interval
from recsim.trials.log_tables import values_table
from recsim.trials.over_seeds import comparisons_table, metrics_table, seeds_table

CURVE = pd.DataFrame(
    {"reward": [1.0], "cumulative_reward": [1.0], "active": [1.0]},
    index=pd.Index([0], name="step"),
)
# Scores of two agents on four seeds.
SCORES = {"a": [1.0, 2.0, 3.0, 100.0], "b": [2.0, 4.0, 6.0, 8.0]}


@pytest.fixture
def simulated(tmp_path):
    scenario = parse_scenario(
        {
            "name": "demo",
            "description": "d",
            "env": {},
            "agents": [{"name": "random", "label": label} for label in SCORES],
            "seeds": 4,
            "output": str(tmp_path),
        }
    )
    return RunFolder.create(scenario)


@pytest.fixture
def logged(tmp_path):
    scenario = parse_scenario(
        {
            "name": "demo",
            "description": "d",
            "data": {"reader": "r", "path": "p", "each": {"campaign": ["men", "women"]}},
            "agents": ["random", "linucb"],
            "output": str(tmp_path),
        }
    )
    return RunFolder.create(scenario)


def fill(run, only=None, order=1):
    for trial in run.scenario.trials()[::order]:
        if only is None or trial in only:
            score = SCORES[trial.agent][trial.seed]
            numbers = {"reward": score, "regret": math.nan}
            run.write(trial, TrialResult({"metrics": numbers}, CURVE))


def estimate(case, agent, name="ips"):
    return {
        "agent": agent,
        "seed": 0,
        "estimator": name,
        "value": 0.1 + len(case) / 7,
        "low": 0.0,
        "high": 1.0,
        "n": 10,
        "ess": 5.0,
        "effective_terms": 4.0,
        "clip": math.inf,
        "max_weight": 3.0,
        "clipped_share": 0.0,
        "unsupported": 0,
        "warnings": ["one", "two"],
    }


def fill_log(run):
    for trial in run.scenario.trials():
        mean = estimate(trial.case, "logged", "mean") | {"seed": "", "warnings": []}
        values = [estimate(trial.case, trial.agent, name) for name in ("ips", "snips")]
        run.write(trial, TrialResult({"values": values, "log": [mean]}))


def test_trials_are_in_the_order_of_the_scenario(simulated, logged):
    assert simulated.scenario.trials()[:5] == [Trial("a", s) for s in range(4)] + [Trial("b", 0)]
    assert logged.scenario.trials() == [
        Trial(agent, 0, case) for case in ("men", "women") for agent in ("random", "linucb")
    ]


def test_cases_are_all_combinations_and_their_names_are_valid_folder_names():
    data = DataSpec.model_validate(
        {"reader": "r", "path": "p", "each": {"c": ["x/y", "x_y"], "n": [1, 2]}}
    )
    named = combinations(data)
    assert list(named.values()) == [{"c": c, "n": n} for c in ("x/y", "x_y") for n in (1, 2)]
    assert len(set(named)) == 4
    assert not any(set(name) & set("/\\") for name in named)
    assert list(combinations(DataSpec.model_validate({"reader": "r", "path": "p"}))) == ["all"]


def test_the_summary_equals_a_calculation_by_hand(simulated):
    fill(simulated)
    table = metrics_table(seeds_table(simulated.scenario, simulated), 0.95)
    table = table.set_index(["agent", "metric"])
    row = table.loc[("a", "reward")]
    assert (row["iqm"], row["mean"], row["min"], row["max"], row["seeds"]) == (2.5, 26.5, 1, 100, 4)
    assert row["std"] == pytest.approx(np.std([1, 2, 3, 100], ddof=1))
    assert (row["low"], row["high"]) == mean_interval(SCORES["a"])
    assert (row["iqm_low"], row["iqm_high"]) == iqm_interval(SCORES["a"])
    assert row["doubt"] == "-"  # four seeds show no skewness
    assert table.loc[("b", "regret")][["iqm", "low", "high"]].isna().all()
    assert table.loc[("b", "regret"), "seeds"] == 0


def test_comparisons_are_paired_against_the_first_agent(simulated):
    fill(simulated)
    table = comparisons_table(
        simulated.scenario.compared, seeds_table(simulated.scenario, simulated), 0.95
    ).set_index("metric")
    row = table.loc["reward"]
    assert (row["agent"], row["baseline"], row["pairs"]) == ("b", "a", 4)
    differences = [1.0, 2.0, 3.0, -92.0]
    assert row["difference"] == np.mean(differences)
    assert (row["low"], row["high"]) == mean_interval(differences)
    assert row["wins"] == 3
    assert row["p_holm"] == row["p_value"], "one comparison"


def test_only_seeds_that_both_agents_have_are_compared(simulated):
    fill(simulated, only=[Trial("a", 0), Trial("a", 1), Trial("b", 1), Trial("b", 2)])
    table = comparisons_table(
        simulated.scenario.compared, seeds_table(simulated.scenario, simulated), 0.95
    ).set_index("metric")
    assert table.loc["reward", "pairs"] == 1
    assert table.loc["reward", "difference"] == 2.0


def test_without_finished_trials_the_summary_is_empty(simulated):
    write_tables(simulated)
    content = json.loads((simulated.path / "summary.json").read_text())
    assert len(content["missing"]) == 8
    assert content["metrics"] == []
    assert (
        (simulated.path / "summary.csv")
        .read_text()
        .startswith("agent,metric,seeds,mean,low,high,iqm,iqm_low,iqm_high")
    )


def test_without_finished_trials_on_a_log_the_summary_is_empty(logged, tmp_path):
    empty = RunFolder.create(logged.scenario.model_copy(update={"output": str(tmp_path / "none")}))
    summarise(empty)
    assert "No trial has finished" in (empty.path / "report.html").read_text()
    assert pd.read_csv(empty.path / "summary.csv").empty


def test_the_summary_does_not_depend_on_the_order_in_which_trials_finish(simulated, tmp_path):
    fill(simulated)
    write_tables(simulated)
    content = {**simulated.scenario.resolved(), "output": str(tmp_path / "other")}
    other = RunFolder.create(parse_scenario(content))
    fill(other, order=-1)
    write_tables(other)
    for name in ("summary.csv", "seeds.csv", "summary.json"):
        assert (other.path / name).read_bytes() == (simulated.path / name).read_bytes()


def test_the_written_files(simulated):
    fill(simulated)
    write_tables(simulated)
    table = pd.read_csv(simulated.path / "summary.csv")
    assert table["agent"].tolist() == ["a", "a", "b", "b"]
    assert pd.read_csv(simulated.path / "seeds.csv")["reward"].tolist() == [
        *SCORES["a"],
        *SCORES["b"],
    ]
    content = json.loads((simulated.path / "summary.json").read_text())
    assert content["metrics"][0]["iqm"] == 2.5
    assert content["metrics"][1]["iqm"] is None
    assert content["missing"] == []
    assert "numpy" in content["versions"]
    assert content["comparisons"][0]["wins"] == 3


def test_values_end_with_those_of_the_log_once_per_case(logged):
    fill_log(logged)
    table = values_table(logged.scenario, logged)
    agents = ["random", "random", "linucb", "linucb", "logged"]
    assert table["agent"].tolist() == agents * 2
    assert table["case"].tolist() == ["men"] * 5 + ["women"] * 5
    write_tables(logged)
    written = pd.read_csv(logged.path / "summary.csv")
    assert written["warnings"].tolist()[0] == "one | two"
    assert math.isnan(written["clip"][0])
    assert not (logged.path / "seeds.csv").exists()


def test_metrics_to_show(simulated):
    known = ["early_reward_per_step", "reward_per_user", "gini"]
    assert simulated.scenario.shown_metrics(known) == known[:2]
    assert simulated.scenario.front_metrics(known) == tuple(known[:2])
    known.append("churned_share")
    assert simulated.scenario.shown_metrics(known) == known[:2], "users cannot return"
    known.append("return_per_user")
    assert set(simulated.scenario.shown_metrics(known)) == {*known[:2], *known[-2:]}
    assert simulated.scenario.front_metrics(known)[1] == "return_per_user"
    chosen = parse_scenario(
        {**simulated.scenario.resolved(), "metrics": ["gini"], "front": ["gini", "x"]}
    )
    assert chosen.shown_metrics(known) == ["gini"]
    assert chosen.front_metrics(known) == ("gini", "x")


def shown_estimates(run, rows):
    for trial in run.scenario.trials():
        case = {**rows[0], "agent": trial.agent}
        run.write(trial, TrialResult({"values": [case, *rows[1:]], "log": []}))
    return run.scenario.summarise(run).table("estimates")


def test_warnings_name_their_estimate_once(logged):
    row = estimate("men", "random")
    table = shown_estimates(logged, [row])
    texts = [note.text for note in table.notes]
    assert texts[:2] == ["men, random, ips: one", "men, random, ips: two"]
    assert len(texts) == len(set(texts)) == 8
    assert {note.level for note in table.notes} == {"warning"}


def test_a_single_log_needs_no_name(logged, tmp_path):
    data = {"reader": "r", "path": "p"}
    content = {"name": "one", "description": "d", "data": data, "agents": ["random"]}
    run = RunFolder.create(parse_scenario({**content, "output": str(tmp_path / "one")}))
    row = estimate("", "random")
    table = shown_estimates(run, [row, row | {"agent": "logged", "seed": ""}])
    assert [note.text for note in table.notes][:1] == ["random, ips: one"]
    assert table.heads[0] == "policy"
    assert [cells[0] for cells in table.rows] == ["random", "(as logged)"]
