import json
import math
import os

import numpy as np
import pandas as pd
import pytest

from recsim.errors import RunError, UserError
from recsim.runs.folder import RunFolder
from recsim.scenario.kinds import parse_scenario
from recsim.scenario.trial import Trial, TrialResult

TRIAL = Trial("random", 0)


@pytest.fixture
def scenario(tmp_path):
    def make(**changes):
        content = {
            "name": "demo",
            "description": "d",
            "env": {"preset": "boredom"},
            "agents": ["random"],
            "output": str(tmp_path / "runs"),
        }
        return parse_scenario({**content, **changes})

    return make


def test_a_new_run_has_a_folder_of_its_own(scenario, tmp_path):
    first, second = RunFolder.create(scenario()), RunFolder.create(scenario())
    assert first.path != second.path
    assert first.path.parent == tmp_path / "runs" / "demo"
    assert first.path.name.split("-")[2] == scenario().digest()
    info = json.loads((first.path / "run.json").read_text())
    assert info["scenario"] == "demo"
    assert info["versions"]["numpy"] == np.__version__
    assert RunFolder.open(first.path).scenario == scenario()


def test_an_output_folder_that_cannot_be_written_is_an_error(scenario, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be written to .*output="):
        RunFolder.create(scenario(output=str(tmp_path / "file")))


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        (None, "has no run.json"),
        ("{", "not written by this program"),
        ("[]", "not written by this program"),
        ('{"format": "other", "digest": "x"}', "not written by this program"),
        ('{"format": "slaterec-run", "format_version": 99, "digest": "x"}', "format 99"),
        ('{"format": "slaterec-run", "format_version": 2, "digest": "x"}', "scenario.yaml"),
    ],
)
def test_a_folder_that_is_not_a_run_is_refused_and_not_changed(tmp_path, marker, message):
    (tmp_path / "holiday.txt").write_text("keep me")
    if marker is not None:
        (tmp_path / "run.json").write_text(marker)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(UserError, match=message):
        RunFolder.open(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_run_of_an_older_version_is_refused_with_its_version(tmp_path):
    old = {"format": "slaterec-run", "format_version": 1, "digest": "x"}
    (tmp_path / "run.json").write_text(json.dumps({**old, "versions": {"slaterec": "0.1.0"}}))
    with pytest.raises(RunError, match=r"written by SlateRec 0\.1\.0"):
        RunFolder.open(tmp_path)


def test_a_missing_run_folder_is_an_error(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        RunFolder.open(tmp_path / "nope")


def test_the_newest_run_of_the_same_scenario_is_found(scenario):
    with pytest.raises(UserError, match="nothing to resume"):
        RunFolder.newest(scenario())
    RunFolder.create(scenario())
    second = RunFolder.create(scenario())
    RunFolder.create(scenario(users=3))
    assert RunFolder.newest(scenario()).path == second.path
    with pytest.raises(UserError, match=r"nothing to resume.*3 there, of other settings"):
        RunFolder.newest(scenario(users=4))


def test_a_run_cannot_be_resumed_with_other_settings(scenario):
    folder = RunFolder.create(scenario())
    folder.check_matches(scenario(output="elsewhere", question="other words"))
    with pytest.raises(UserError, match=r"different: users, env\.preset|env\.preset, .*users"):
        folder.check_matches(scenario(users=3, env={"preset": "retention"}))


def test_a_trial_is_read_back_unchanged(scenario):
    folder = RunFolder.create(scenario())
    curves = pd.DataFrame({"reward": [0.1, 0.2]}, index=pd.Index([0, 1], name="day"))
    assert not folder.has(TRIAL)
    numbers = {"metrics": {"a": 0.1, "b": math.nan}}
    folder.write(TRIAL, TrialResult(numbers, curves, {"n": np.arange(3)}))
    assert folder.has(TRIAL)
    metrics = folder.result(TRIAL)["metrics"]
    assert metrics["a"] == 0.1
    assert math.isnan(metrics["b"])
    pd.testing.assert_frame_equal(folder.curves(TRIAL), curves)


def test_a_partly_written_trial_counts_as_missing(scenario, monkeypatch):
    folder = RunFolder.create(scenario())

    def stop(*_):
        raise OSError("power is gone")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stop)
        with pytest.raises(OSError, match="power"):
            folder.write(TRIAL, TrialResult({"metrics": {}}))
    assert not folder.has(TRIAL)
    # What a killed process leaves behind is cleaned away.
    draft = folder.path / "trials" / "random" / ".seed-0.123"
    draft.mkdir(parents=True)
    (draft / "result.json").write_text("{}")
    assert not folder.has(TRIAL)
    folder.clean()
    assert not draft.exists()
    folder.write(TRIAL, TrialResult({"metrics": {"a": 1}}))
    assert folder.result(TRIAL)["metrics"] == {"a": 1}


def test_of_two_writers_of_a_trial_the_first_is_kept(scenario):
    folder = RunFolder.create(scenario())
    folder.write(TRIAL, TrialResult({"metrics": {"a": 1}}))
    folder.write(TRIAL, TrialResult({"metrics": {"a": 2}}))
    assert folder.result(TRIAL)["metrics"] == {"a": 1}
    assert os.listdir(folder.path / "trials" / "random") == ["seed-0"]


def test_an_error_is_kept_until_the_trial_succeeds(scenario):
    folder = RunFolder.create(scenario())
    path = folder.write_error(TRIAL, "Traceback: what went wrong")
    assert path.read_text() == "Traceback: what went wrong"
    folder.write(TRIAL, TrialResult({"metrics": {}}))
    assert not path.exists()


def test_changed_versions_are_listed(scenario):
    folder = RunFolder.create(scenario())
    assert folder.changed_versions() == {}
    folder.info["versions"]["numpy"] = "1.0"
    assert folder.changed_versions() == {"numpy": ("1.0", np.__version__)}
