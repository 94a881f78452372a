"""The run folder: what is on disk while a scenario runs and after it.

::

    runs/<scenario>/<time>-<digest>/
      run.json            what this folder is: scenario, digest, versions
      scenario.yaml       the resolved scenario
      trials/<label>/seed-<seed>/            (with data: trials/<case>/<label>/seed-<seed>/)
        curves.csv        curves over time, where there are any
        users.csv         sums by user (conversations, critiquing and next_item)
        result.json       the numbers
        agent.pt          the agent after the run
      errors/...txt       traceback of each trial that failed
      track.jsonl, tensorboard/              (with the key track)
      summary.csv, summary.json, seeds.csv, *.png, report.html

A trial is written to a temporary folder that is then renamed, so it exists in full or not at all.
All tables are made from these files, never from memory, so that a run that was interrupted and
resumed ends with the same bytes as one that was not.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Self

import pandas as pd
import yaml

from recsim.errors import RunError, UserError, listed
from recsim.files import csv_text, plain, read_csv, save_state, with_nan, write_atomically
from recsim.runs.inputs import fingerprints
from recsim.scenario.kinds import parse_scenario
from recsim.scenario.schema import Scenario
from recsim.scenario.trial import Trial, TrialResult

MARKER = "run.json"
_FORMAT = "slaterec-run"
_FORMAT_VERSION = 2


class RunFolder:
    """A run folder on disk.

    Attributes:
        path: Where it is.
        scenario: The scenario that it belongs to.
        info: Content of ``run.json``.
    """

    def __init__(self, path: Path, scenario: Scenario, info: dict[str, Any]) -> None:
        self.path = path
        self.scenario = scenario
        self.info = info

    @classmethod
    def create(cls, scenario: Scenario) -> Self:
        """Make the folder of a new run.

        Raises:
            RunError: If the place for run folders cannot be written to.
        """
        parent = Path(scenario.output) / scenario.name
        stem = f"{datetime.now():%Y%m%d-%H%M%S}-{scenario.digest()}"
        path = new_folder(parent, stem)
        info = {
            "format": _FORMAT,
            "format_version": _FORMAT_VERSION,
            "scenario": scenario.name,
            "digest": scenario.digest(),
            "versions": versions(),
            "inputs": fingerprints(scenario.resolved()),
        }
        text = yaml.safe_dump(scenario.resolved(), sort_keys=False, allow_unicode=True)
        write_atomically(path / "scenario.yaml", text)
        write_atomically(path / MARKER, json.dumps(info, indent=2) + "\n")
        return cls(path, scenario, info)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open the folder of an earlier run.

        Raises:
            RunError: If it does not exist, is not a run folder, or is damaged.
        """
        path = Path(path)
        if not path.is_dir():
            what = "is a file, not a run folder" if path.exists() else "does not exist"
            raise RunError(f"run folder {path} {what}.")
        marker = path / MARKER
        if not marker.is_file():
            raise RunError(f"{path} is not a run folder: it has no {MARKER}. Nothing was touched.")
        try:
            info = json.loads(marker.read_text(encoding="utf-8"))
            known = info["format"] == _FORMAT and isinstance(info["digest"], str)
        except (ValueError, KeyError, TypeError):
            known = False
        if not known:
            raise RunError(
                f"{path} is not a run folder: its {MARKER} was not written by this program. "
                "Nothing was touched."
            )
        if info.get("format_version") != _FORMAT_VERSION:
            version = info.get("versions", {}).get("slaterec", "another version")
            raise RunError(
                f"run folder {path} was written by SlateRec {version} (format "
                f"{info.get('format_version')}, this version has format {_FORMAT_VERSION}): it "
                "cannot be continued. Its tables and report stay readable; run the scenario again."
            )
        try:
            content = yaml.safe_load((path / "scenario.yaml").read_text(encoding="utf-8"))
            scenario = parse_scenario(content)
        except (OSError, ValueError, TypeError, yaml.YAMLError, UserError) as error:
            raise RunError(
                f"run folder {path}: scenario.yaml is missing or damaged: {error}"
            ) from None
        return cls(path, scenario, info)

    @classmethod
    def newest(cls, scenario: Scenario) -> Self:
        """Open the newest run folder of the same scenario.

        Raises:
            RunError: If there is none.
        """
        parent, runs = Path(scenario.output) / scenario.name, _runs_of(scenario)
        if not runs:
            others = len(list(parent.glob(f"*/{MARKER}")))
            hint = f" ({others} there, of other settings)" if others else ""
            raise RunError(
                f"nothing to resume: no run of this scenario with these settings in {parent}{hint}."
            )
        return cls.open(max(runs, key=lambda p: p.name))

    @classmethod
    def newest_or_new(cls, scenario: Scenario) -> Self:
        """Open the newest run folder of the same scenario, or make one.

        Raises:
            RunError: If input files have changed, or the place cannot be written to.
        """
        if not _runs_of(scenario):
            return cls.create(scenario)
        folder = cls.newest(scenario)
        folder.check_matches(scenario)
        return folder

    def check_matches(self, scenario: Scenario) -> None:
        """Refuse a scenario that would not compute what this folder holds.

        Raises:
            RunError: If the scenarios differ; names the keys.
        """
        if self.info["digest"] == scenario.digest():
            before, now = self.info.get("inputs", {}), fingerprints(scenario.resolved())
            changed = [name for name, known in before.items() if now.get(name) != known]
            if changed:
                raise RunError(
                    f"{listed(changed)} changed since the run in {self.path} began, whose finished "
                    "trials have used the former content. Run without --resume to start a new run."
                )
            return
        keys = self.scenario.differences(scenario)
        raise RunError(
            f"run folder {self.path} belongs to another scenario or other settings "
            f"(different: {', '.join(keys) or 'format'}). Run without --resume to start a new run."
        )

    def changed_versions(self) -> dict[str, tuple[str, str]]:
        """Return name, version when the run began and version now of all that differ."""
        now, before = versions(), self.info.get("versions", {})
        return {
            name: (before.get(name, "unknown"), version)
            for name, version in now.items()
            if before.get(name) != version
        }

    def has(self, trial: Trial) -> bool:
        """Return whether the trial is finished."""
        return (self._folder(trial) / "result.json").is_file()

    def write(self, trial: Trial, result: TrialResult) -> None:
        """Write a finished trial, all of it at once.

        Args:
            trial: Which one.
            result: Its numbers, where NaN becomes null, its curves, its sums by user and the state
                of its agent.
        """
        final = self._folder(trial)
        final.parent.mkdir(parents=True, exist_ok=True)
        draft = final.with_name(f".{final.name}.{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        try:
            if result.curves is not None:
                write_atomically(draft / "curves.csv", csv_text(result.curves.reset_index()))
            if result.users is not None:
                write_atomically(draft / "users.csv", csv_text(result.users))
            save_state(draft / "agent.pt", result.state)
            text = json.dumps(plain(result.numbers), indent=2, allow_nan=False) + "\n"
            write_atomically(draft / "result.json", text)
            if not self.has(trial):  # another process may have been faster; its result is the same
                shutil.rmtree(final, ignore_errors=True)
                os.replace(draft, final)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        self._error_file(trial).unlink(missing_ok=True)

    def write_error(self, trial: Trial, traceback: str) -> Path:
        """Keep the traceback of a trial that failed, and return its file."""
        path = self._error_file(trial)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, traceback)
        return path

    def result(self, trial: Trial) -> dict[str, Any]:
        """Return the numbers of a finished trial; null becomes NaN."""
        text = (self._folder(trial) / "result.json").read_text(encoding="utf-8")
        content: dict[str, Any] = with_nan(json.loads(text))
        return content

    def curves(self, trial: Trial) -> pd.DataFrame:
        """Return the reward curves of a finished trial, indexed by their axis."""
        return read_csv(self._folder(trial) / "curves.csv", index_col=0)

    def has_curves(self, trial: Trial) -> bool:
        """Return whether a finished trial has curves."""
        return (self._folder(trial) / "curves.csv").is_file()

    def users(self, trial: Trial) -> pd.DataFrame | None:
        """Return the sums by user of a finished trial, where it has any."""
        file = self._folder(trial) / "users.csv"
        return read_csv(file) if file.is_file() else None

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.path)

    def clean(self) -> None:
        """Remove half-written trials of a run that was stopped."""
        for draft in (self.path / "trials").rglob(".seed-*"):
            shutil.rmtree(draft, ignore_errors=True)

    def _folder(self, trial: Trial) -> Path:
        return self.path / "trials" / trial.path

    def _error_file(self, trial: Trial) -> Path:
        return (self.path / "errors" / trial.path).with_suffix(".txt")


def versions() -> dict[str, str]:
    """Return the versions that numbers may depend on."""
    names = ("slaterec", "numpy", "torch", "gymnasium", "pandas", "scikit-learn")
    known = {"python": platform.python_version(), "platform": platform.platform()}
    for name in names:
        try:
            known[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            known[name] = "not installed"
    return known


def new_folder(parent: Path, stem: str) -> Path:
    """Make and return a folder that did not exist; its name is the stem, or the stem and a number.

    Raises:
        RunError: If the place for run folders cannot be written to.
    """
    try:
        return _first_free(parent, stem)
    except OSError as error:
        raise RunError(
            f"run folders cannot be written to {parent}: {error.strerror}. "
            "Give another place with output=..."
        ) from None


def _runs_of(scenario: Scenario) -> list[Path]:
    """Return the run folders of the same scenario."""
    parent = Path(scenario.output) / scenario.name
    return [p for p in parent.glob(f"*-{scenario.digest()}*") if (p / MARKER).is_file()]


def _first_free(parent: Path, stem: str) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, 1000):
        path = parent / (stem if attempt == 1 else f"{stem}-{attempt}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise OSError(17, "too many runs within one second")
