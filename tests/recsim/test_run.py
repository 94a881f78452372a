"""The command line from end to end, on tiny worlds."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from recsim.errors import UserError
from recsim.log import READERS
from recsim.run import main, run_scenario
from recsim.runs.executor import Outcome
from recsim.runs.folder import RunFolder
from recsim.scenario.files import load_scenario
from recsim.trials.simulation import Simulation

TINY = """\
name: tiny
description: Two agents meet a few users.
question: Which is better?
env: {preset: retention, max_days: 4}
training_log: {users: 6, steps: 5}
agents: [random, popularity]
seeds: 2
users: 6
steps: 12
axis: day
"""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty working directory with one scenario."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


def runs(place, name="tiny"):
    return sorted((place / "runs" / name).glob("*"))


def test_a_run_writes_all_results_to_its_folder(place, capsys):
    assert main(["tiny.yaml", "--workers", "1"]) == 0
    (folder,) = runs(place)
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "run.json",
        "scenario.yaml",
        "trials",
        "summary.csv",
        "summary.json",
        "seeds.csv",
        "curves.png",
        "front.png",
        "report.html",
    }
    for agent in ("random", "popularity"):
        for seed in (0, 1):
            trial = folder / "trials" / agent / f"seed-{seed}"
            assert {path.name for path in trial.iterdir()} == {
                "curves.csv",
                "result.json",
                "agent.pt",
            }
    out = capsys.readouterr().out
    assert re.search(r"\[4/4\] done: popularity, seed 1 \([0-9.]+ s so far\)", out)
    assert "churned share" in out
    assert "note: Only 2 seeds: an interval holds if results are near normal" in out
    assert "reward per user" in out
    assert "report.html" in out


def test_the_summary_has_no_times_and_no_paths(place):
    main(["tiny.yaml", "--workers", "1"])
    text = (runs(place)[0] / "summary.csv").read_text()
    assert "seconds" not in text
    assert str(place) not in text
    table = pd.read_csv(runs(place)[0] / "summary.csv")
    assert list(table["agent"].unique()) == ["random", "popularity"]
    assert {"reward_per_user", "return_per_user", "immediate_regret_per_step"} <= set(
        table["metric"]
    )


def test_results_do_not_depend_on_the_number_of_workers(place):
    assert main(["tiny.yaml", "--workers", "1"]) == 0
    assert main(["tiny.yaml", "--workers", "2"]) == 0
    first, second = runs(place)
    for name in ("summary.csv", "seeds.csv", "curves.png", "scenario.yaml"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_a_run_that_was_killed_and_resumed_equals_an_uninterrupted_run(place):
    """SIGKILL in the middle; the resumed run computes only what is missing."""
    overrides = ["users=200", "steps=40", "seeds=3"]
    assert main(["tiny.yaml", *overrides, "--workers", "1"]) == 0
    (whole,) = runs(place)
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-m", "recsim.run", "tiny.yaml", *overrides, "--workers", "1"],
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.DEVNULL,
    )
    while (
        not list(place.glob("runs/tiny/*/trials/random/seed-1/result.json"))
        or len(list(place.glob("runs/tiny/*/trials/random/seed-1/result.json"))) < 2
    ):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed = runs(place)[1]
    assert not (killed / "summary.csv").exists()
    times = {p: p.stat().st_mtime_ns for p in killed.glob("trials/*/*/result.json")}
    assert main(["tiny.yaml", *overrides, "--resume", "--workers", "1"]) == 0
    assert runs(place)[1:] == [killed], "no new folder"
    assert {p: p.stat().st_mtime_ns for p in times} == times, "finished trials are not touched"
    for name in ("summary.csv", "seeds.csv"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()


def test_resuming_a_finished_run_changes_nothing(place):
    main(["tiny.yaml", "--workers", "1"])
    (folder,) = runs(place)
    before = (folder / "summary.csv").read_bytes()
    (folder / "summary.csv").unlink()
    assert main(["--resume", str(folder)]) == 0, "the folder knows its scenario"
    assert (folder / "summary.csv").read_bytes() == before


def test_resume_continues_the_newest_run_of_the_same_settings(place, capsys):
    assert main(["tiny.yaml", "--resume", "users=4"]) == 2
    assert "nothing to resume" in capsys.readouterr().err
    main(["tiny.yaml", "users=4", "--workers", "1"])
    assert main(["tiny.yaml", "--resume", "users=4"]) == 0
    assert len(runs(place)) == 1
    assert main(["tiny.yaml", "--resume"]) == 2
    assert "1 there, of other settings" in capsys.readouterr().err


def test_a_run_with_other_settings_is_not_resumed(place, capsys):
    main(["tiny.yaml", "--workers", "1"])
    (folder,) = runs(place)
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    for scenario in (["tiny.yaml"], []):
        assert main([*scenario, "users=4", "--resume", str(folder)]) == 2
        assert "(different: users)" in capsys.readouterr().err
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "which scenario?"),
        (["tiny.yaml", "usrs=3"], "command line: usrs: unknown key. Did you mean 'users'?"),
        (["tiny.yaml", "agents=[rndom]"], "tiny.yaml: agents: rndom: unknown agent 'rndom'."),
        (["tiny.yaml", "env.max_day=2"], "tiny.yaml: env.max_day: unknown key."),
        (["tiny.yaml", "quickstart"], "one scenario at a time"),
        (["tinny.yaml"], "does not exist"),
        (["quikstart"], "Did you mean 'quickstart'?"),
        (["tiny.yaml", "--workers", "0"], "--workers must be at least 1"),
        (["tiny.yaml", "--resume", "."], "is not a run folder"),
        (["--resume", "tiny.yaml"], "tiny.yaml is a file, not a run folder"),
        (["--resume", "nowhere"], "nowhere does not exist"),
        (["open_bandit", "data.path=nowhere"], "nowhere"),
    ],
)
def test_a_mistake_gives_one_message_exit_code_2_and_no_files(place, capsys, arguments, message):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert "Traceback" not in err
    assert [path.name for path in place.iterdir()] == ["tiny.yaml"]


def test_an_unknown_option_gives_exit_code_2(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["tiny.yaml", "--bogus"])
    assert caught.value.code == 2
    assert "--bogus" in capsys.readouterr().err


def test_options_and_overrides_may_be_in_any_order(place):
    assert main(["--workers", "1", "tiny.yaml", "seeds=1", "--validate", "users=3"]) == 0


def test_an_override_may_be_longer_than_a_file_name(place):
    assert main(["tiny.yaml", "--validate", f"question={'why ' * 100}"]) == 0


def test_validate_writes_nothing(place, capsys):
    assert main(["tiny.yaml", "--validate"]) == 0
    assert capsys.readouterr().out.startswith("tiny is valid: 4 trials, digest ")
    assert [path.name for path in place.iterdir()] == ["tiny.yaml"]
    assert main(["tiny.yaml", "--validate", "agents=[rndom]"]) == 2


def test_list_shows_scenarios_agents_and_readers(capsys):
    assert main(["--list"]) == 0
    out = capsys.readouterr().out
    for name in ("SlateRec-v0", "retention", "linucb", "open_bandit", "clipped_ips", "quickstart"):
        assert f"\n  {name} " in out or f"\n  {name}\n" in out
    assert "  ips            Inverse propensity scoring" in out


def test_the_guide_documents_every_reader(root):
    text = (root / "docs" / "scenarios.md").read_text()
    (row,) = [line for line in text.splitlines() if line.startswith("| `data.reader` |")]
    assert [name for name in READERS.names() if f"`{name}`" not in row] == []


def test_a_trial_that_crashes_is_reported_and_the_others_finish(place, capsys, monkeypatch):
    simulate = Simulation.simulate

    def fails_once(scenario, trial):
        if trial.agent == "random" and trial.seed == 1:
            raise RuntimeError("division by zero in the world")
        return simulate(scenario, trial)

    with monkeypatch.context() as patch:
        patch.setattr(Simulation, "simulate", fails_once)
        assert main(["tiny.yaml", "--workers", "1"]) == 1
    out, err = capsys.readouterr()
    assert "failed: random, seed 1: RuntimeError: division by zero in the world" in out
    assert "1 of the trials failed: random, seed 1" in err
    (folder,) = runs(place)
    assert "Traceback" in (folder / "errors" / "random" / "seed-1.txt").read_text()
    assert json.loads((folder / "summary.json").read_text())["missing"] == ["random, seed 1"]
    assert "Not finished: random, seed 1" in (folder / "report.html").read_text()
    # The cause mended, --resume runs only what failed.
    assert main(["tiny.yaml", "--resume", "--workers", "1"]) == 0
    assert json.loads((folder / "summary.json").read_text())["missing"] == []
    assert main(["tiny.yaml", "--workers", "1"]) == 0
    first, second = runs(place)
    assert (first / "summary.csv").read_bytes() == (second / "summary.csv").read_bytes()


def test_a_run_whose_trials_all_fail_is_reported(place, capsys, monkeypatch):
    def fails(scenario, trial):
        raise RuntimeError("no")

    monkeypatch.setattr(Simulation, "simulate", fails)
    assert main(["tiny.yaml", "--workers", "1"]) == 1
    assert "4 of the trials failed" in capsys.readouterr().err


def test_an_interrupt_keeps_finished_trials(place, capsys, monkeypatch):
    simulate = Simulation.simulate

    def interrupted(scenario, trial):
        if trial.agent == "popularity":
            raise KeyboardInterrupt
        return simulate(scenario, trial)

    with monkeypatch.context() as patch:
        patch.setattr(Simulation, "simulate", interrupted)
        assert main(["tiny.yaml", "--workers", "1"]) == 130
    out = capsys.readouterr().out
    assert "interrupted: 2 of 4 trials are finished" in out
    assert "--resume" in out
    computed = []

    def recorded(scenario, trial):
        computed.append(trial.agent)
        return simulate(scenario, trial)

    monkeypatch.setattr(Simulation, "simulate", recorded)
    assert main(["tiny.yaml", "--resume", "--workers", "1"]) == 0
    assert computed == ["popularity", "popularity"], "only what was missing"
    assert len(runs(place)) == 1


def test_resuming_with_a_changed_version_gives_a_warning(place, capsys):
    main(["tiny.yaml", "--workers", "1"])
    marker = runs(place)[0] / "run.json"
    info = json.loads(marker.read_text())
    info["versions"]["numpy"] = "1.0"
    marker.write_text(json.dumps(info))
    assert main(["tiny.yaml", "--resume"]) == 0
    assert "begun with numpy 1.0" in capsys.readouterr().out


def test_another_executor_can_run_the_trials(place):
    class Engine:
        def __init__(self):
            self.calls = []

        def submit(self, key, function, *args):
            self.calls.append((key, function, args))

        def gather(self):
            for key, function, args in reversed(self.calls):
                function(*args)
                yield Outcome(key)

        def cancel(self):
            raise AssertionError("nothing to cancel")

    run = run_scenario(load_scenario("tiny.yaml"), executor=Engine())
    assert run.failed == []
    assert (run.folder.path / "report.html").exists()


def test_invalid_arguments_from_python_write_no_files(place):
    with pytest.raises(UserError, match="unknown agent"):
        run_scenario(load_scenario("tiny.yaml", ["agents=[rndom]"]))
    assert not (place / "runs").exists()


def test_open_bandit_estimates_the_uniform_policy(place, data_dir, capsys):
    path = data_dir / "obd_small"
    assert main(["open_bandit", f"data.path={path}", "--workers", "1"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "impressions" in out
    assert "warning: women, random, ips: one impression of 10000 carries 69%" in out
    for campaign in ("men", "women"):
        assert f"warning: {campaign}, random, ips: the logging policy learned" in out
    assert "warning: men, random, ips: one impression" not in out
    (folder,) = runs(place, "open_bandit")
    table = pd.read_csv(folder / "summary.csv").set_index(["case", "agent", "estimator"])
    men = table.loc[("men", "random", "ips")]
    reference = table.loc[("men", "reference", "mean")]
    assert men["low"] < men["value"] < men["high"]
    assert reference["value"] == pytest.approx(0.0046)
    assert men["low"] < reference["value"] < men["high"]
    assert table.loc[("women", "random", "ips"), "ess"] == pytest.approx(2.08, abs=0.01)
    assert RunFolder.open(folder).scenario.name == "open_bandit"
    assert {p.name for p in folder.glob("*.png")} == {"estimates.png"}


@pytest.mark.parametrize(
    "name",
    [
        "boredom",
        "interest_evolution",
        "interest_exploration",
        "long_term_satisfaction",
        "position_bias",
        "quickstart",
        "retention",
    ],
)
def test_every_packaged_scenario_runs(place, name):
    small = ["users=4", "steps=6", "seeds=2", "--workers", "1"]
    assert main([name, *small]) == 0
    assert (runs(place, name)[0] / "curves.png").exists()


def test_a_run_in_use_by_another_process_is_not_resumed(place, capsys):
    assert main(["tiny.yaml", "--workers", "1"]) == 0
    (folder,) = runs(place)
    removed = folder / "trials" / "random" / "seed-1"
    shutil.rmtree(removed)
    draft = folder / "trials" / "random" / ".seed-1.99"
    draft.mkdir()
    held = {"pid": os.getppid(), "host": socket.gethostname()}
    (folder / "run.lock").write_text(json.dumps(held))
    capsys.readouterr()
    assert main(["tiny.yaml", "--resume"]) == 2
    err = capsys.readouterr().err
    assert f"in use by process {os.getppid()} on {socket.gethostname()}: wait until it ends." in err
    assert draft.exists(), "what the other process is writing is not touched"
    assert not removed.exists()
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    (folder / "run.lock").write_text(json.dumps(held | {"pid": process.pid}))
    assert main(["tiny.yaml", "--resume", "--workers", "1"]) == 0, "its process is dead"
    assert removed.exists()
    assert not (folder / "run.lock").exists()
