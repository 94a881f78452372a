"""Scenarios with conversations: what is checked, what a run gives."""

import json

import numpy as np
import pandas as pd
import pytest

from recsim.errors import UserError
from recsim.run import main, run_scenario
from recsim.scenario.kinds import parse_scenario
from recsim.statistics import crossed_interval, ratio

PLANTED = {"num_items": 80, "num_attributes": 8, "users": 40, "interactions": 6, "per_user": 4}
SMALL = {
    "name": "talks",
    "description": "Small talk.",
    "env": {"id": "ConvRec-v0", "planted": PLANTED, "max_turns": 4, "slate_size": 4},
    "agents": ["conv_popularity", "fact_crs", {"name": "conv_dqn", "practice": 2}],
    "seeds": 2,
    "users": 8,
}


def scenario(**changes):
    return parse_scenario({**SMALL, **changes})


def test_a_run_has_curves_over_turns(tmp_path):
    run = run_scenario(scenario(output=str(tmp_path)), workers=1)
    assert run.failed == []
    summary = pd.read_csv(run.folder.path / "summary.csv")
    assert {"success_rate", "average_turns", "hdcg", "success_at_4"} <= set(summary["metric"])
    success = summary[summary["metric"] == "success_rate"].set_index("agent")["mean"]
    assert success["fact_crs"] > 0
    curves = sorted((run.folder.path / "trials").rglob("curves.csv"))
    assert len(curves) == 6
    curve = pd.read_csv(curves[0])
    assert curve["turn"].tolist() == [0, 1, 2, 3, 4]
    assert curve["success_rate"].is_monotonic_increasing
    assert (run.folder.path / "curves.png").is_file()
    assert not (run.folder.path / "front.png").exists(), "conversations have no long-term reward"
    assert "success_rate" in (run.folder.path / "report.html").read_text()


def test_means_and_differences_are_over_seeds_and_users(tmp_path):
    run = run_scenario(
        scenario(agents=["conv_popularity", "conv_bayes"], output=str(tmp_path)), workers=1
    )
    means = {}
    for label in ("conv_popularity", "conv_bayes"):
        frames = [run.folder.users(t) for t in run.folder.scenario.trials() if t.agent == label]
        assert (frames[0]["name"] == "user " + frames[0]["user"].astype(str)).all()
        sums = np.stack([frame["average_turns"] for frame in frames])  # (S, U)
        means[label] = ratio(sums, np.stack([frame["episodes"] for frame in frames]))
    table = pd.read_csv(run.folder.path / "summary.csv").set_index(["agent", "metric"])
    row = table.loc["conv_bayes", "average_turns"]
    known = crossed_interval(*means["conv_bayes"])
    assert (row["mean"], row["low"], row["high"]) == (known.value, known.low, known.high)
    assert row["mean"] == pytest.approx((row["min"] + row["max"]) / 2)
    summary = run.folder.scenario.summarise(run.folder)
    row = summary.table("comparisons").data.set_index("metric").loc["average_turns"]
    (a, z_a), (b, z_b) = means["conv_bayes"], means["conv_popularity"]
    known = crossed_interval(a - b, z_a - z_b)
    assert (row["difference"], row["low"], row["high"]) == (known.value, known.low, known.high)
    assert "paired by seed and user" in summary.table("paired").title


def test_the_same_scenario_gives_the_same_numbers(tmp_path):
    first, second = (
        run_scenario(scenario(output=str(tmp_path / name)), workers=1) for name in "ab"
    )
    one, two = ((run.folder.path / "summary.csv").read_bytes() for run in (first, second))
    assert one == two


def test_practice_changes_what_was_learned(tmp_path):
    played = {}
    for practice in (0, 2):
        agents = [{"name": "conv_dqn", "practice": practice}]
        run = run_scenario(
            scenario(agents=agents, seeds=1, output=str(tmp_path / str(practice))), workers=1
        )
        (result,) = run.folder.path.rglob("result.json")
        played[practice] = json.loads(result.read_text())["metrics"]
    assert played[0] != played[2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"training_log": {}},
            "training_log: has no effect in a scenario of kind",
        ),
        ({"axis": "day"}, "axis: has no effect in a scenario of kind 'conversations'"),
        ({"rounds": 2}, "rounds: has no effect in a scenario of kind 'conversations'"),
        ({"steps": 3}, "steps: has no effect in a scenario of kind 'conversations'"),
        ({"learn": False}, "learn: has no effect in a scenario of kind 'conversations'"),
        (
            {"front": ["hdcg", "success_rate"]},
            "front: has no effect in a scenario of kind 'conversations'",
        ),
        ({"metrics": ["succes_rate"]}, "unknown metric 'succes_rate'. Did you mean 'success_rate'"),
        ({"agents": ["linucb"]}, "agents: linucb: agent 'linucb' recommends slates to users"),
        (
            {"agents": [{"name": "conv_bayes", "practice": 3}]},
            "'practice' has no effect: 'conv_bayes' does not learn",
        ),
        (
            {"agents": [{"name": "conv_bayes", "training_log": {}}]},
            "'training_log' has no effect in a scenario of kind 'conversations'",
        ),
        (
            {"env": {"id": "ConvRec-v0", "action": "discrete"}},
            "env.action: must be 'slate'",
        ),
        ({"env": {"id": "ConvRec-v0", "max_turn": 3}}, "Did you mean 'max_turns'"),
        ({"env": {"id": "ConvRec-v0", "path": "nowhere"}}, "'path' must be a folder"),
    ],
)
def test_mistakes_are_told(changes, message):
    with pytest.raises(UserError) as caught:
        scenario(**changes).check()
    assert message in str(caught.value)


def test_an_agent_of_conversations_in_a_scenario_of_slates():
    slates = {**SMALL, "env": {"preset": "boredom"}, "agents": ["fact_crs"]}
    with pytest.raises(UserError, match="'fact_crs' holds conversations with users"):
        parse_scenario(slates).check()


def test_the_packaged_scenario_is_sound(capsys):
    assert main(["conversation", "--validate"]) == 0
