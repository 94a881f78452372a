"""The error of a model of users stands beside every number that comes of it."""

import json

import pandas as pd
import pytest
from rich.console import Console

import agents
from envs.slates.env import SlateRecVectorEnv
from recsim.errors import UserError
from recsim.metrics.model_error import model_error_text, model_metrics
from recsim.play.rollout import rollout
from recsim.report.console import print_summary
from recsim.run import main
from recsim.runs.folder import RunFolder
from recsim.scenario.kinds import parse_scenario

SCENARIO = """\
name: learned
description: Users like those of a log.
env:
  id: LearnedRec-v0
  reader: saved
  path: log
  fit: {dim: 4, hidden: 4, epochs: 2}
training_log: {data: {reader: saved, path: log}}
agents: [random, popularity]
users: 20
steps: 10
seeds: 2
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with a scenario and the log of forty users."""
    monkeypatch.chdir(tmp_path)
    world = {"catalogue": {"num_items": 15}}
    env = SlateRecVectorEnv(40, preset="retention", slate_size=2, max_steps=20, world=world)
    agent = agents.make("random", env.problem, seed=3)
    rollout(env, agent, seed=3, max_steps=20, record=True).to_log().save("log")
    (tmp_path / "learned.yaml").write_text(SCENARIO)
    return tmp_path


def test_a_scenario_tells_the_error_of_its_users(place, capsys):
    assert main(["learned.yaml", "--workers", "1"]) == 0
    (folder,) = (place / "runs" / "learned").glob("*")
    seeds = pd.read_csv(folder / "seeds.csv")
    assert seeds["model_users_tested"].tolist() == [8.0] * 4
    assert seeds["model_click_log_loss"].nunique() == 1
    sentence = f"click log loss {seeds['model_click_log_loss'][0]:.4g} ("
    assert sentence in capsys.readouterr().out
    assert sentence in (folder / "report.html").read_text()
    summary = json.loads((folder / "summary.json").read_text())
    assert not any(row["metric"].startswith("model_") for row in summary["comparisons"])
    with (place / "out").open("w") as file:
        run = RunFolder.open(folder)
        print_summary(run.scenario.summarise(run), Console(file=file, width=200))
    assert "Its errors on 8 held-out users" in (place / "out").read_text()


def test_an_error_can_be_a_column_only_with_a_user_model(place):
    content = {
        "name": "learned",
        "description": "d",
        "env": {"id": "LearnedRec-v0", "reader": "saved", "path": "log", "fit": {"epochs": 1}},
        "agents": ["random"],
        "metrics": ["reward_per_user", "model_click_ece"],
    }
    parse_scenario(content).check()
    content["env"] = {"preset": "retention"}
    with pytest.raises(UserError, match="unknown metric 'model_click_ece'"):
        parse_scenario(content).check()
    content["env"] = {"id": "LearnedRec-v0", "reader": "saved", "path": "log", "fitt": {}}
    with pytest.raises(UserError, match=r"env.fitt: unknown key.*'fit'"):
        parse_scenario(content).check()


def test_the_sentence_on_the_errors():
    error = {
        "users_fitted": 3.0,
        "users_tested": 1200.0,
        "click_log_loss": 0.25,
        "click_log_loss_base": 0.5,
        "click_log_loss_popularity": 0.375,
        "click_ece": 0.01,
        "feedback_watch": 0.7,
    }
    assert model_metrics(error)["model_click_ece"] == 0.01
    assert model_error_text(pd.DataFrame([{"agent": "a", "seed": 0} | model_metrics(error)])) == (
        "These results depend on a model of the users. Its errors on 1,200 held-out users: "
        "click log loss 0.25 (0.5 of the mean, 0.375 of popularity), click ece 0.01."
    )
    assert model_error_text(pd.DataFrame([{"agent": "a", "seed": 0, "reward": 1.0}])) == ""
