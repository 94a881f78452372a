"""Finished trials on disk, so that a command that was stopped goes on where it ended."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from recsim.files import csv_text, plain, with_nan, write_atomically
from recsim.runs.executor import one_thread
from recsim.scenario.trial import Trial, TrialResult


class Stored:
    """Finished trials in a folder, by what they compute.

    Args:
        folder: The folder, which is made when the first trial is written.
        digests: What each label computes; a row with other settings has other files.
    """

    def __init__(self, folder: Path, digests: Mapping[str, str]) -> None:
        self._folder, self._digests = folder, digests

    def write(self, trial: Trial, result: TrialResult) -> None:
        """Keep the numbers and the sums by user of a finished trial."""
        place = self._place(trial)
        place.mkdir(parents=True, exist_ok=True)
        if result.users is not None:
            write_atomically(place / "users.csv", csv_text(result.users))
        # Written last: a trial with numbers is finished.
        text = json.dumps(plain(result.numbers), indent=2, allow_nan=False)
        write_atomically(place / "result.json", text + "\n")

    def has(self, trial: Trial) -> bool:
        """Return whether a trial is finished."""
        return (self._place(trial) / "result.json").is_file()

    def result(self, trial: Trial) -> dict[str, Any]:
        """Return its numbers."""
        text = (self._place(trial) / "result.json").read_text(encoding="utf-8")
        numbers: dict[str, Any] = with_nan(json.loads(text))
        return numbers

    def users(self, trial: Trial) -> pd.DataFrame | None:
        """Return its sums by user, where it has any."""
        file = self._place(trial) / "users.csv"
        return pd.read_csv(file) if file.is_file() else None

    def curves(self, trial: Trial) -> pd.DataFrame:
        """Return nothing: curves are not kept."""
        return pd.DataFrame()

    def _place(self, trial: Trial) -> Path:
        name = f"{trial.agent}-{self._digests[trial.agent]}"
        return self._folder / name / f"seed-{trial.seed}"


def run_trial(scenario: Any, trial: Trial, stored: Stored) -> None:
    """Run a trial, store it with its CPU seconds, and say so on the error output."""
    start = time.process_time()
    with one_thread():
        done = scenario.run(trial)
    spent = time.process_time() - start
    stored.write(trial, replace(done, numbers={**done.numbers, "cpu_seconds": spent}))
    ndcg = done.numbers["metrics"]["ndcg@10"]
    print(f"{trial}: NDCG@10 {ndcg:.4f}, {spent:.0f} CPU s", file=sys.stderr, flush=True)
