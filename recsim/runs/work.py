"""Run the trials that a run folder lacks, and summarise all of them."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from recsim.report.console import Reporter
from recsim.report.html import Page, write_report
from recsim.report.summary import Summary, write_summary
from recsim.runs.executor import Executor, ProcessExecutor, SerialExecutor
from recsim.runs.folder import RunFolder
from recsim.runs.tracking import BUILTIN, Tracker, Tracking, of_folder
from recsim.scenario.trial import Trial


def work(
    folder: RunFolder,
    workers: int | None,
    executor: Executor | None,
    console: Console,
    trackers: Sequence[Tracker] = (),
) -> tuple[list[str], Summary]:
    """Run the trials that a folder lacks, write tables and report; return failures and summary.

    Args:
        folder: The run folder, locked.
        workers: Processes; by default as many as there are cores.
        executor: Another engine, in place of local processes.
        console: Where progress is shown.
        trackers: Trackers beside those that the scenario names.

    Raises:
        KeyboardInterrupt: After an interrupt; finished trials are kept and can be resumed.
    """
    folder.clean()
    for name, (before, now) in folder.changed_versions().items():
        console.print(
            f"warning: this run was begun with {name} {before}, now it is {now}: "
            "numbers may differ.",
            soft_wrap=True,
        )
    console.print(f"run folder: {folder.path}", soft_wrap=True, highlight=False)
    trials = folder.scenario.trials()
    todo = [trial for trial in trials if not folder.has(trial)]
    if executor is None:
        count = min(workers or _cores(), max(len(todo), 1))
        executor = SerialExecutor() if count == 1 else ProcessExecutor(count)
    for trial in todo:
        executor.submit(trial, run_trial, str(folder.path), trial)
    failed = []
    own = [BUILTIN[name](folder.path) for name in folder.scenario.track]
    tracking = Tracking([*own, *trackers], console)
    tracking.start(folder.path.name, folder.scenario.resolved())
    try:
        if tracking:
            for trial in folder.scenario.finished(folder):
                tracking.finished_before(trial, *of_folder(folder, trial))
        with Reporter(console, len(trials), len(trials) - len(todo)) as reporter:
            for outcome in executor.gather():
                if outcome.error is None:
                    reporter.finished(outcome.key)
                    if tracking:
                        tracking.finished(outcome.key, *of_folder(folder, outcome.key))
                    continue
                path = folder.write_error(outcome.key, outcome.error)
                reporter.failed(outcome.key, outcome.error, str(path))
                failed.append(str(outcome.key))
        summary = summarise(folder)
    except KeyboardInterrupt:
        executor.cancel()
        console.print(
            f"interrupted: {len(folder.scenario.finished(folder))} of {len(trials)} trials are "
            f"finished and kept in {folder.path}; continue with the same command and --resume.",
            soft_wrap=True,
        )
        raise
    finally:
        tracking.finish()
    return failed, summary


def run_trial(folder: str | Path, trial: Trial) -> None:
    """Compute a trial of a run and write it into the run folder.

    Args:
        folder: The run folder; the scenario is read from it.
        trial: Which one.
    """
    run = RunFolder.open(folder)
    begin = time.perf_counter()
    result = run.scenario.run(trial)
    seconds = round(time.perf_counter() - begin, 3)
    run.write(trial, replace(result, numbers={**result.numbers, "seconds": seconds}))


def summarise(folder: RunFolder) -> Summary:
    """Write the tables, pictures and report of a run, and return them."""
    scenario = folder.scenario
    summary = write_tables(folder)
    page = Page(
        title=scenario.name,
        question=scenario.question or scenario.description,
        missing=_missing(folder),
        settings=(folder.path / "scenario.yaml").read_text(encoding="utf-8"),
        digest=folder.info["digest"],
        versions=folder.info["versions"],
    )
    finished = bool(scenario.finished(folder))
    write_report(folder.path / "report.html", page, summary if finished else None)
    return summary


def write_tables(folder: RunFolder) -> Summary:
    """Write the tables of a run, and return them with its pictures."""
    summary = folder.scenario.summarise(folder)
    level = folder.scenario.level
    facts = {key: value for key, value in folder.info.items() if key != "inputs"}
    head = {**facts, "missing": _missing(folder), "level": level}
    write_summary(folder.path, summary, head)
    return summary


def _missing(folder: RunFolder) -> list[str]:
    return [str(trial) for trial in folder.scenario.trials() if not folder.has(trial)]


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
