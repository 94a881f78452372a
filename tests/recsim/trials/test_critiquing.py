"""Scenarios with critiques: what is checked, what a run gives."""

import pandas as pd
import pytest

from recsim.errors import UserError
from recsim.report.console import make_console, print_summary
from recsim.run import main, run_scenario
from recsim.scenario.kinds import parse_scenario

PLANTED = {"users": 40, "num_items": 60, "num_aspects": 8, "reviews": 6}
SMALL = {
    "name": "small",
    "description": "Small critiques.",
    "env": {"id": "CritiqueRec-v0", "planted": PLANTED, "max_turns": 5},
    "agents": [
        "critique_popularity",
        {"name": "critique_popularity", "label": "filtered", "config": {"aspect_filter": True}},
    ],
    "seeds": 2,
    "users": 16,
}


def scenario(**changes):
    return parse_scenario({**SMALL, **changes})


def test_a_run_has_curves_over_turns(tmp_path):
    run = run_scenario(scenario(output=str(tmp_path)), workers=1)
    assert run.failed == []
    summary = pd.read_csv(run.folder.path / "summary.csv")
    table = summary.pivot_table(index="metric", columns="agent", values="mean")
    assert table.loc["gain", "critique_popularity"] == 0
    assert table.loc["gain", "filtered"] > 0.1
    for base in ("critique_popularity", "filtered"):
        assert table.loc["base_sr_final@1", base] == table.loc["sr_final@1", "critique_popularity"]
    curves = sorted((run.folder.path / "trials").rglob("curves.csv"))
    assert len(curves) == 4
    curve = pd.read_csv(curves[0])
    assert curve["turn"].tolist() == [1, 2, 3, 4, 5]
    assert curve["found"].is_monotonic_increasing
    assert (run.folder.path / "curves.png").is_file()
    assert not (run.folder.path / "front.png").exists(), "sessions have no long-term reward"
    report = (run.folder.path / "report.html").read_text()
    assert "sr_final@1" in report
    assert "base_sr_final@1" in report


def test_agents_may_differ_in_their_metrics(tmp_path, capsys):
    named = ["sr_final@1", "justification_ndcg@5"]
    for agents in (["critique_random", "critique_popularity"], ["critique_random"]):
        output = str(tmp_path / str(len(agents)))
        run = run_scenario(scenario(agents=agents, metrics=named, output=output), workers=1)
        assert run.failed == []
        summary = pd.read_csv(run.folder.path / "summary.csv")
        means = summary[summary["metric"] == named[1]].set_index("agent")["mean"]
        if len(agents) == 2:
            assert 0 < means["critique_popularity"] < 1
            assert pd.isna(means["critique_random"])
        else:
            assert means.empty
        print_summary(run.folder.scenario.summarise(run.folder), make_console())
        assert ("justification ndcg@5" in capsys.readouterr().out) == (len(agents) == 2)


def test_the_number_of_users_at_a_time_does_not_matter(tmp_path):
    runs = [
        run_scenario(scenario(users=users, output=str(tmp_path / str(users))), workers=1)
        for users in (7, 64)
    ]
    one, two = ((run.folder.path / "summary.csv").read_bytes() for run in runs)
    assert one == two


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"training_log": {}},
            "training_log: has no effect in a scenario of kind",
        ),
        ({"axis": "day"}, "axis: has no effect in a scenario of kind 'critiquing'"),
        ({"metrics": ["sr_final"]}, "unknown metric 'sr_final'. Did you mean 'sr_final@"),
        ({"agents": ["linucb"]}, "agents: linucb: agent 'linucb' recommends slates to users"),
        (
            {"agents": ["fact_crs"]},
            "agents: fact_crs: agent 'fact_crs' holds conversations with users",
        ),
        (
            {"agents": [{"name": "critique_random", "practice": 3}]},
            "'practice' has no effect in a scenario of kind 'critiquing'",
        ),
        (
            {"env": {"id": "CritiqueRec-v0", "action": "item"}},
            "env.action: must be 'scores' in a scenario",
        ),
        ({"env": {"id": "CritiqueRec-v0", "max_turn": 3}}, "Did you mean 'max_turns'"),
        ({"env": {"id": "CritiqueRec-v0", "path": "nowhere"}}, "nowhere does not exist"),
        (
            {"env": {"id": "CritiqueRec-v0", "planted": {"user": 3}}},
            "planted.user: unknown key. Did you mean 'users'",
        ),
    ],
)
def test_mistakes_are_told(changes, message):
    with pytest.raises(UserError) as caught:
        scenario(**changes).check()
    assert message in str(caught.value)


def test_an_agent_of_critiques_in_a_scenario_of_slates():
    slates = {**SMALL, "env": {"preset": "boredom"}, "agents": ["critique_random"]}
    with pytest.raises(UserError, match="'critique_random' is critiqued by users"):
        parse_scenario(slates).check()


def test_the_packaged_scenario_is_sound(capsys):
    assert main(["critiquing", "--validate"]) == 0


@pytest.mark.parametrize("name", ["al", "al@5", "base_al", "base_al@5", "lost"])
def test_fewer_turns_are_better(name):
    assert scenario().lower_is_better(name)
    assert not scenario().lower_is_better("sr_final@1")
