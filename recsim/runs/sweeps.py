"""Run every point of a sweep, put all of them into one table, and measure the best one again.

::

    runs/<scenario>/sweep-<time>-<digest>/
      sweep.yaml          the scenario with its sweep
      points/...          a run folder for every point; see `recsim.runs.folder`
      chosen/...          that of the best point with new seeds
      sweep.csv           the numbers of all points, one below the other
      chosen.csv          those of the best point, with the seeds of the sweep and with new ones
      report.html

A sweep that was interrupted goes on in its folder: finished trials are not repeated, and Optuna
chooses the same points again, because the sampler has a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from rich.console import Console

from recsim.errors import RunError, ScenarioError, did_you_mean
from recsim.files import write_atomically
from recsim.report.html import Page, write_report
from recsim.report.summary import Note, Summary, Table, write_csv_files
from recsim.report.words import interval_text
from recsim.runs.executor import Executor
from recsim.runs.folder import RunFolder, new_folder, versions
from recsim.runs.lock import locked
from recsim.runs.tracking import Tracker
from recsim.runs.work import work
from recsim.scenario.schema import Scenario
from recsim.scenario.sweeps import Range, Sweep, Values, in_words

MARKER = "sweep.yaml"


@dataclass(frozen=True, eq=False)
class SweepRun:
    """A finished sweep.

    Attributes:
        path: Its folder.
        table: The numbers of all points: ``point``, the swept keys, and the columns of the
            ``summary.csv`` of a run.
        chosen: Values of the best point, or None without ``select``.
        failed: Trials that failed, in words.
        summary: Its tables.
    """

    path: Path
    table: pd.DataFrame
    chosen: Values | None
    failed: list[str]
    summary: Summary


def folder_of(sweep: Sweep, resume: bool | str | Path) -> Path:
    """Return the folder of a new sweep, or of the one that is continued.

    Raises:
        RunError: If there is none to continue, or the folder belongs to another sweep.
    """
    parent, digest = Path(sweep.base.output) / sweep.base.name, sweep.digest()
    if resume is False:
        path = new_folder(parent, f"sweep-{datetime.now():%Y%m%d-%H%M%S}-{digest}")
        text = yaml.safe_dump(sweep.resolved(), sort_keys=False, allow_unicode=True)
        write_atomically(path / MARKER, text)
        return path
    if resume is True:
        found = [p for p in parent.glob(f"sweep-*-{digest}*") if (p / MARKER).is_file()]
        if not found:
            raise RunError(f"nothing to resume: {parent} has no sweep with these settings.")
        return max(found, key=lambda p: p.name)
    path = Path(resume)
    if not (path / MARKER).is_file():
        raise RunError(f"{path} is not the folder of a sweep: it has no {MARKER}.")
    if f"-{digest}" not in path.name:
        raise RunError(
            f"{path} belongs to another sweep or other settings. Run without --resume to start a "
            "new one."
        )
    return path


def run_points(
    sweep: Sweep,
    path: Path,
    workers: int | None,
    executor: Executor | None,
    console: Console,
    trackers: Sequence[Tracker] = (),
) -> SweepRun:
    """Run what the folder of a sweep lacks, and write its tables and report.

    Args:
        sweep: The sweep; checked.
        path: Its folder.
        workers: Processes.
        executor: Another engine to run on, in place of local processes.
        console: Where progress is shown.
        trackers: Objects that finished trials are logged to.

    Raises:
        KeyboardInterrupt: After an interrupt; finished trials are kept.
    """
    failed: list[str] = []
    frames: list[pd.DataFrame] = []
    points: list[Values] = []

    def run(values: Values) -> float:
        """Run a point; return the mean by which it is chosen."""
        number = len(points)
        console.print(f"point {number}: {in_words(values)}", soft_wrap=True, highlight=False)
        scenario = sweep.scenario(values)
        if sweep.spec.grid is None:
            scenario.check()
        faults, table = _run(scenario, path / "points", workers, executor, console, trackers)
        failed.extend(f"{fault} of point {number}" for fault in faults)
        head = {"point": number, **values}
        for place, (key, value) in enumerate(head.items()):
            plain = value if isinstance(value, int | float | str) else str(value)
            table.insert(place, key, [plain] * len(table))
        frames.append(table)
        points.append(values)
        return _mean(sweep, table) if sweep.spec.select else float("nan")

    with locked(path):
        if sweep.spec.grid is not None:
            for values in sweep.grid():
                run(values)
        else:
            _by_optuna(sweep, run)
        table = pd.concat(frames, ignore_index=True)
        chosen, checked = _chosen(sweep, points, table), pd.DataFrame()
        if chosen is not None and sweep.spec.select and sweep.spec.select.seeds:
            console.print(f"the best point with new seeds: {in_words(chosen)}", soft_wrap=True)
            first = max(sweep.base.seeds) + 1
            seeds = range(first, first + sweep.spec.select.seeds)
            faults, checked = _run(
                sweep.scenario(chosen, seeds), path / "chosen", workers, executor, console, trackers
            )
            failed.extend(f"{fault} of the best point" for fault in faults)
        summary = _summary(sweep, points, table, chosen, checked)
        write_csv_files(path, summary)
        base = sweep.base
        page = Page(
            title=f"{base.name}, a sweep",
            question=base.question or base.description,
            missing=failed,
            settings=(path / MARKER).read_text(encoding="utf-8"),
            digest=sweep.digest(),
            versions=versions(),
        )
        write_report(path / "report.html", page, summary)
    return SweepRun(path, table, chosen, failed, summary)


def _run(scenario: Scenario, parent: Path, *options: Any) -> tuple[list[str], pd.DataFrame]:
    """Run a scenario in a folder below ``parent``; return what failed and its table."""
    scenario = scenario.model_copy(update={"output": str(parent)})
    folder = RunFolder.newest_or_new(scenario)
    with locked(folder.path):
        failed, summary = work(folder, *options)
    tables = [table.data for table in summary.tables if table.file == "summary.csv"]
    return failed, tables[0].copy() if tables else pd.DataFrame()


def _by_optuna(sweep: Sweep, run: Callable[[Values], float]) -> None:
    """Let Optuna choose the points."""
    spec, lower = sweep.spec.optuna, _lower_is_better(sweep)
    assert spec is not None
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="minimize" if lower else "maximize",
        sampler=optuna.samplers.TPESampler(seed=spec.seed),
    )
    for _ in range(spec.trials):
        asked = study.ask()
        values: Values = {}
        for key, of in spec.space.items():
            if not isinstance(of, Range):
                # Optuna takes plain values only; a list or a mapping is chosen by its position.
                values[key] = of[asked.suggest_categorical(key, list(range(len(of))))]
            elif isinstance(of.low, int) and isinstance(of.high, int):
                values[key] = asked.suggest_int(key, of.low, of.high, log=of.log)
            else:
                values[key] = asked.suggest_float(key, of.low, of.high, log=of.log)
        mean = run(values)
        if mean == mean:
            study.tell(asked, mean)
        else:
            study.tell(asked, state=optuna.trial.TrialState.FAIL)


def _lower_is_better(sweep: Sweep) -> bool:
    assert sweep.spec.select is not None
    base: Any = sweep.base
    return bool(base.lower_is_better(sweep.spec.select.metric))


def _mean(sweep: Sweep, table: pd.DataFrame) -> float:
    """Return the mean of the metric by which points are chosen; NaN if it is not there.

    Raises:
        ScenarioError: If there is no such metric.
    """
    assert sweep.spec.select is not None
    metric = sweep.spec.select.metric
    if not len(table):
        return float("nan")
    known = list(dict.fromkeys(table["metric"]))
    if metric not in known:
        raise ScenarioError(
            f"sweep.select.metric: no metric is called {metric!r}.{did_you_mean(metric, known)}"
        )
    rows = table[(table["metric"] == metric) & (table["agent"] == sweep.selected_agent())]
    return float(rows["mean"].iloc[0]) if len(rows) else float("nan")


def _chosen(sweep: Sweep, points: list[Values], table: pd.DataFrame) -> Values | None:
    if sweep.spec.select is None:
        return None
    means = pd.Series(
        [_mean(sweep, table[table["point"] == number]) for number in range(len(points))]
    )
    if means.isna().all():
        return None
    array = means.to_numpy()
    return points[int(np.nanargmin(array) if _lower_is_better(sweep) else np.nanargmax(array))]


def _summary(
    sweep: Sweep,
    points: list[Values],
    table: pd.DataFrame,
    chosen: Values | None,
    checked: pd.DataFrame,
) -> Summary:
    """Return the tables of a sweep, for people and for programs."""
    tables = [Table("sweep", table, file="sweep.csv")]
    if "metric" not in table:
        return Summary(tables)
    names = _names(sweep, table)
    shown = table[table["metric"].isin(names)]
    cells = shown.apply(lambda row: interval_text(row["mean"], row["low"], row["high"]), axis=1)
    keys = ["point", *sweep.keys, "agent"]
    wide = (
        shown.assign(cell=cells)
        .pivot_table(index=keys, columns="metric", values="cell", aggfunc="first", sort=False)
        .reindex(columns=names)
        .fillna("-")
        .reset_index()
    )
    notes = []
    if chosen is not None and sweep.spec.select is not None:
        select = sweep.spec.select
        notes.append(
            Note(f"Best by {select.metric} of {sweep.selected_agent()}: {in_words(chosen)}.")
        )
        if len(points) > 1:
            notes.append(
                Note(
                    f"The best of {len(points)} points was chosen by these numbers, so its own is "
                    "too good on average"
                    + ("; the table below has it with new seeds." if len(checked) else "."),
                    "note",
                )
            )
    title = f"{sweep.base.name}: {len(points)} points, mean over {len(sweep.base.seeds)} seeds"
    tables.append(
        Table("points", wide, title, notes, left=len(keys), grouped=True, console=True, report=True)
    )
    if len(checked) and chosen is not None:
        number = points.index(chosen)
        before = table[table["point"] == number]
        both = before.merge(checked, on=["agent", "metric"], suffixes=("", "_new"))
        tables.append(Table("chosen_numbers", both, file="chosen.csv"))
        rows = both[both["metric"].isin(names)]
        people = pd.DataFrame(
            {
                "agent": rows["agent"],
                "metric": rows["metric"],
                "seeds of the sweep": [
                    interval_text(*row) for row in rows[["mean", "low", "high"]].to_numpy()
                ],
                "new seeds": [
                    interval_text(*row)
                    for row in rows[["mean_new", "low_new", "high_new"]].to_numpy()
                ],
            }
        )
        tables.append(
            Table(
                "chosen",
                people,
                f"The best point, {in_words(chosen)}",
                left=2,
                grouped=True,
                console=True,
                report=True,
            )
        )
    return Summary(tables)


def _names(sweep: Sweep, table: pd.DataFrame) -> list[str]:
    """Return the metrics that people see."""
    known, base = list(dict.fromkeys(table["metric"])), sweep.base
    names = base.shown_metrics(known) if hasattr(base, "shown_metrics") else known[:4]
    select = sweep.spec.select
    if select is not None and select.metric in known and select.metric not in names:
        names = [select.metric, *names]
    return list(names)
