"""Another package adds an agent, a reader, a metric and a kind of trial, each by one file."""

import json
import re

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

# Without tables over seeds and without pictures.
PLAIN_TRIAL = '''
from typing import ClassVar

import pandas as pd

from recsim.report.summary import Summary, Table
from recsim.scenario.schema import Scenario
from recsim.scenario.trial import TrialResult


class Greeting(Scenario):
    """Greets every agent."""

    name_of_kind: ClassVar[str] = "greeting"

    word: str = "hello"

    def check(self):
        pass

    def run(self, trial):
        return TrialResult({"text": f"{self.word} {trial.agent}"})

    def summarise(self, results):
        rows = [{"text": results.result(trial)["text"]} for trial in self.finished(results)]
        return Summary([Table("texts", pd.DataFrame(rows), console=True, report=True)])


class Unfinished(Scenario):
    """Lacks methods."""

    name_of_kind: ClassVar[str] = "unfinished"


class Misnamed(Greeting):
    """Has the name of another kind."""
'''


@pytest.fixture(autouse=True)
def plugin(root, tmp_path, monkeypatch):
    """Install a package whose files are named by entry points."""
    page = (root / "docs" / "python.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (trial,) = (block for block in blocks if "(Measured)" in block)  # the example of the page
    sources = {"agent": AGENT, "reader": READER, "metric": METRIC, "trial": trial}
    sources["plain_trial"] = PLAIN_TRIAL
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
        "greeting = their_plain_trial:Greeting\n"
        "unfinished = their_plain_trial:Unfinished\n"
        "misnamed = their_plain_trial:Misnamed\n"
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
    assert table.loc["random", "mean"] == 7
    assert "letters" in capsys.readouterr().out
    assert "Counts letters." in (folder / "report.html").read_text()
    assert main(["letters.yaml", "bonsu=2"]) == 2
    assert "Did you mean 'bonus'" in capsys.readouterr().err


def test_a_kind_of_trial_without_metrics_and_pictures(tmp_path, capsys):
    keys = {"kind": "greeting", "name": "g", "description": "d", "seeds": 1}
    path = tmp_path / "g.yaml"
    path.write_text(json.dumps({**keys, "agents": ["random"], "output": str(tmp_path / "runs")}))
    assert main([str(path), "--workers", "1"]) == 0
    assert "hello random" in capsys.readouterr().out
    (report,) = (tmp_path / "runs").rglob("report.html")
    assert "hello random" in report.read_text()
    assert main([str(path), "--workers", "1", "--resume"]) == 0
    result = compare(keys, ["popularity"], word="hi")
    assert result.summary.table("texts").rows == [["hi popularity"]]
    assert result.table.empty
    assert result.differences.empty
    with pytest.raises(UserError, match="no picture ''; there are: none"):
        result.plot()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("unfinished", "lacks methods: check, run, summarise"),
        ("misnamed", "has the 'name_of_kind' 'greeting': use one name"),
    ],
)
def test_a_kind_that_cannot_be_used_is_refused(kind, message):
    with pytest.raises(UserError, match=message):
        load_scenario({"kind": kind, "name": "s", "description": "d", "agents": ["random"]})


def test_a_broken_metric_does_not_hide_the_others(tmp_path):
    (tmp_path / "their_metric.py").write_text("import nowhere")
    assert "cannot be imported" in available("metrics")["second_slate_reward"]


def test_a_kind_of_another_package_is_chosen_by_name_only():
    assert load_scenario("quickstart").kind == "simulation"
    with pytest.raises(UserError, match="Did you mean 'lengths'"):
        load_scenario({"kind": "lenghts"})
