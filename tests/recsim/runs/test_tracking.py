import json
import math

import numpy as np
import pandas as pd
import pytest

from agents.baselines import RandomAgent
from recsim import compare, run_scenario
from recsim.contracts.slates import loss_rows
from recsim.errors import UserError
from recsim.files import read_csv
from recsim.run import main
from recsim.runs.tracking import JsonLines, values_of
from recsim.scenario.files import load_scenario

# An agent that trains, and one that does not.
CONTENT = {
    "name": "tracked",
    "description": "What is logged.",
    "env": {"preset": "boredom"},
    "agents": ["random", {"name": "slateq", "config": {"choice_steps": 20, "steps": 30}}],
    "training_log": {"users": 10, "steps": 5},
    "seeds": 2,
    "users": 4,
    "steps": 3,
}


def content(tmp_path, **changes):
    return {**CONTENT, "output": str(tmp_path / "runs"), **changes}


def lines(path):
    return [json.loads(line) for line in (path / "track.jsonl").read_text().splitlines()]


class Notebook:
    """Keeps what it is given."""

    def __init__(self, fails_at=None):
        self.calls, self.fails_at = [], fails_at

    def _note(self, name, *given):
        self.calls.append((name, *given))
        if name == self.fails_at:
            raise ConnectionError("no network")

    def start(self, run, settings):
        self._note("start", run, settings["name"])

    def log(self, trial, step, values):
        self._note("log", trial, step, dict(values))

    def finish(self):
        self._note("finish")


def test_losses_by_hand():
    rows = [{"stage": 1, "step": 0, "loss": 0.7}, {"stage": 2, "epoch": 3, "loss": 0.5}]
    assert list(loss_rows(rows)) == [(0, {"stage 1/loss": 0.7}), (3, {"stage 2/loss": 0.5})]
    assert list(loss_rows([{"loss": 1.0}, {"loss": 0.5}])) == [
        (0, {"loss": 1.0}),
        (1, {"loss": 0.5}),
    ]


def test_values_by_hand():
    numbers = {
        "fit": {"rows": 3, "losses": [{"step": 5, "loss": 0.5, "valid": math.nan}]},
        "refits": [{"rows": 3, "losses": [{"step": 1, "loss": 0.25}]}],
        "metrics": {"click_per_step": 0.1, "return_per_session": math.nan},
    }
    curves = pd.DataFrame({"reward": [1.0, np.nan]}, index=pd.Index([0, 1], name="step"))
    assert list(values_of(numbers, curves)) == [
        (5, {"fit/loss": 0.5}),
        (1, {"refit 1/loss": 0.25}),
        (0, {"curve/reward": 1.0}),
        (0, {"metric/click_per_step": 0.1}),
    ]


def test_json_lines_have_losses_curves_and_metrics(tmp_path):
    run = run_scenario(content(tmp_path, track=["jsonl"]), workers=1)
    rows = lines(run.folder.path)
    assert {row["trial"] for row in rows} == {
        f"{agent}/seed-{seed}" for agent in ("random", "slateq") for seed in (0, 1)
    }
    assert any("fit/stage 1/loss" in row for row in rows if row["trial"] == "slateq/seed-0")
    assert not any("fit/" in key for row in rows if row["trial"] == "random/seed-0" for key in row)
    table = read_csv(run.folder.path / "seeds.csv")
    for _, expected in table.iterrows():
        trial = f"{expected['agent']}/seed-{expected['seed']}"
        (row,) = [r for r in rows if r["trial"] == trial and "metric/reward_per_user" in r]
        assert row["metric/reward_per_user"] == expected["reward_per_user"]
    curve = [
        row["curve/reward"]
        for row in rows
        if row["trial"] == "random/seed-1" and "curve/reward" in row
    ]
    written = read_csv(run.folder.path / "trials" / "random" / "seed-1" / "curves.csv")
    assert curve == written["reward"].tolist()


def test_tracking_changes_no_number(tmp_path):
    tracked = load_scenario(content(tmp_path, track=["jsonl"]))
    plain = load_scenario(content(tmp_path))
    assert tracked.digest() == plain.digest()
    assert "track" not in plain.resolved()
    assert tracked.resolved()["track"] == ["jsonl"]


def test_a_run_that_is_continued_has_every_line_once(tmp_path, interrupt_after):
    given = content(tmp_path, track=["jsonl"])
    interrupt_after(2, lambda: run_scenario(given, workers=1))
    notebook = Notebook()
    run = run_scenario(given, workers=1, resume=True, trackers=[notebook])
    rows = lines(run.folder.path)
    keys = [json.dumps([row["trial"], row["step"], sorted(row)]) for row in rows]
    assert len(keys) == len(set(keys))
    assert len({row["trial"] for row in rows}) == 4
    # Another tracker has had the first two trials already.
    logged = {call[1] for call in notebook.calls if call[0] == "log"}
    assert logged == {"slateq/seed-0", "slateq/seed-1"}
    assert notebook.calls[0] == ("start", run.folder.path.name, "tracked")
    assert notebook.calls[-1] == ("finish",)


@pytest.mark.parametrize("fails_at", ["start", "log", "finish"])
def test_a_tracker_that_fails_costs_nothing(tmp_path, fails_at, capsys):
    failing, whole = Notebook(fails_at), Notebook()
    from recsim.report.console import make_console

    run = run_scenario(
        content(tmp_path), workers=1, trackers=[failing, whole], console=make_console()
    )
    assert not run.failed
    assert len([call for call in failing.calls if call[0] == fails_at]) == 1
    assert failing.calls[-1][0] == fails_at, "it is not called again"
    assert len({call[1] for call in whole.calls if call[0] == "log"}) == 4
    message = f"Notebook.{fails_at} failed and is not called again: ConnectionError: no network"
    assert message in capsys.readouterr().out


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    given = content(tmp_path, track=["tensorboard"])
    run = run_scenario(given, workers=1)
    run_scenario(given, workers=1, resume=True)  # writes all of it anew
    events = EventAccumulator(str(run.folder.path / "tensorboard" / "slateq" / "seed-0"))
    events.Reload()
    tags = events.Tags()["scalars"]
    assert {"fit/stage 1/loss", "curve/reward", "metric/reward_per_user"} <= set(tags)
    assert len(events.Scalars("metric/reward_per_user")) == 1
    written = read_csv(run.folder.path / "seeds.csv").query("agent == 'slateq' and seed == 0")
    logged = events.Scalars("metric/reward_per_user")[0].value
    assert logged == np.float32(written["reward_per_user"].iloc[0])


def test_without_tensorboard_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("recsim.runs.tracking.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'slaterec\[tensorboard\]'"):
        run_scenario(content(tmp_path, track=["tensorboard"]))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("track", "message"), [(["jsnl"], "track"), (["jsonl", "jsonl"], "lists 'jsonl' twice")]
)
def test_a_wrong_tracker_is_refused(tmp_path, track, message):
    with pytest.raises(UserError, match=message):
        load_scenario(content(tmp_path, track=track))


def test_a_comparison_in_python_is_tracked(tmp_path):
    class Mine(RandomAgent):
        """An agent of a notebook."""

    notebook, file = Notebook(), JsonLines(tmp_path)
    kept = {key: CONTENT[key] for key in ("training_log", "steps")}
    result = compare(
        CONTENT["env"],
        [*CONTENT["agents"], Mine],
        seeds=2,
        users=4,
        trackers=[notebook, file],
        **kept,
    )
    assert {call[1] for call in notebook.calls if call[0] == "log"} == {
        row["trial"] for row in lines(tmp_path)
    }
    assert notebook.calls[-1] == ("finish",)
    assert "losses" in result.summary.figures
    assert len(result.plot("losses").axes) == 1, "one panel: random does not train"


def test_the_report_shows_the_losses(tmp_path, capsys):
    (tmp_path / "s.yaml").write_text(
        "name: s\ndescription: d\nenv: {preset: boredom}\nseeds: 2\nusers: 4\nsteps: 3\n"
        "training_log: {users: 10, steps: 5}\n"
        "agents: [{name: slateq, config: {choice_steps: 20, steps: 30}}]\n"
    )
    assert main([str(tmp_path / "s.yaml"), f"output={tmp_path / 'runs'}", "--workers", "1"]) == 0
    (path,) = (tmp_path / "runs" / "s").iterdir()
    assert (path / "losses.png").is_file()
    assert "losses" in (path / "report.html").read_text()
