"""Another package adds an agent, a reader, a metric and a kind of trial, each by one file."""

import json

import pandas as pd
import pytest

from recsim import available, compare, load_scenario, read_log
from recsim.errors import UserError
from recsim.run import main

AGENT = '''
import numpy as np

from agents.shared.base import BaseSlateAgent
from recsim import Decision


class FirstItems(BaseSlateAgent):
    """Shows the first candidates."""

    def act(self, obs):
        rows = len(obs["candidates"])
        return Decision(np.tile(np.arange(self.problem.slate_size), (rows, 1)))

    def propensities(self, obs, items):
        return (items == obs["candidates"][:, : items.shape[1]]).astype(float)
'''

READER = '''
from pathlib import Path

from recsim.log import Reader, SlateLog


class Theirs(Reader):
    """Reads their files."""

    path: Path

    def read(self) -> SlateLog:
        return SlateLog.load(self.path)
'''

METRIC = """
from recsim import Metric


def second_slate(played):
    return float(played.reward[1][played.active[1]].mean())


SECOND = Metric(
    "second_slate_reward", "reward per slate", kind="simulation", shown=True, compute=second_slate
)
"""

TRIAL = '''
from typing import ClassVar

from recsim.metrics.metric import Metric
from recsim.trials.measured import Measured


class Lengths(Measured):
    """Counts the letters of the names of agents."""

    name_of_kind: ClassVar[str] = "lengths"
    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("letters", "letters", better="low", shown=True),
    )

    bonus: int = 0

    def check(self):
        self.check_metrics("metrics", self.metrics or (), ["letters"])

    def run(self, trial):
        letters = len(self.agent(trial.agent).name) + self.bonus
        return self.measured(trial, {"letters": float(letters)})

    def figures(self, results, seeds, table):
        return {}
'''


@pytest.fixture(autouse=True)
def plugin(tmp_path, monkeypatch):
    """Install a package of four files, each named by one entry point."""
    sources = {"agent": AGENT, "reader": READER, "metric": METRIC, "trial": TRIAL}
    for name, source in sources.items():
        (tmp_path / f"their_{name}.py").write_text(f'"""Theirs."""\n{source}')
    information = tmp_path / "theirs-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[recsim.agents]\nfirst_items = their_agent:FirstItems\n"
        "[recsim.readers]\ntheirs = their_reader:Theirs\n"
        "[recsim.metrics]\nsecond_slate_reward = their_metric:SECOND\n"
        "[recsim.trials]\nlengths = their_trial:Lengths\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)


def test_an_agent_is_listed_compared_and_saved(tmp_path):
    assert available("agents")["first_items"] == "Shows the first candidates."
    result = compare({"preset": "boredom"}, ["first_items", "random"], seeds=2, users=20, steps=3)
    assert set(result.table["agent"]) == {"first_items", "random"}


def test_a_reader_reads_logs_and_serves_scenarios(tmp_path, random_log):
    random_log(rows=50, slots=1).save(tmp_path / "log")
    assert len(read_log("theirs", path=str(tmp_path / "log"))) == 50
    assert available("readers")["theirs"] == "Reads their files."
    scenario = load_scenario(
        {
            "name": "s",
            "description": "d",
            "data": {"reader": "theirs", "path": str(tmp_path / "log")},
            "agents": ["random"],
        }
    )
    scenario.check()


def test_a_metric_is_computed_shown_and_named_in_scenarios():
    result = compare(
        {"preset": "boredom"}, ["random"], seeds=2, users=20, steps=3,
        metrics=["second_slate_reward"],
    )  # fmt: skip
    assert "second_slate_reward" in set(result.table["metric"])
    assert "second slate reward" in result.summary.table("main").heads
    with pytest.raises(UserError, match="Did you mean 'second_slate_reward'"):
        compare({"preset": "boredom"}, ["random"], metrics=["second_slate_rewrd"])


def test_a_kind_of_trial_runs_from_the_command_line(tmp_path, capsys):
    content = {
        "kind": "lengths",
        "name": "letters",
        "description": "Counts letters.",
        "agents": ["random", "popularity"],
        "seeds": 2,
        "bonus": 1,
        "output": str(tmp_path / "runs"),
    }
    (tmp_path / "letters.yaml").write_text(json.dumps(content))
    assert main(["letters.yaml", "--workers", "1"]) == 0
    (folder,) = (tmp_path / "runs" / "letters").iterdir()
    table = pd.read_csv(folder / "summary.csv").set_index("agent")
    assert table.loc["random", "iqm"] == 7
    assert "letters" in capsys.readouterr().out
    assert "Counts letters." in (folder / "report.html").read_text()
    assert main(["letters.yaml", "bonsu=2"]) == 2
    assert "Did you mean 'bonus'" in capsys.readouterr().err


def test_a_kind_must_be_asked_for_by_name():
    assert load_scenario("quickstart").kind == "simulation"
    with pytest.raises(UserError, match="Did you mean 'lengths'"):
        load_scenario({"kind": "lenghts"})
