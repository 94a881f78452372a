"""What a run says while it goes on and when it is over."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from recsim.estimators.accuracy import misses
from recsim.metrics.model_error import model_error_text
from recsim.report.accuracy import ACCURACY_HEADS, accuracy_caption, accuracy_cells
from recsim.report.tables import (
    benchmark_table,
    held_out_text,
    main_metrics,
    seeds_table,
    summary_table,
    trials,
    values_table,
)
from recsim.report.words import (
    INTERVAL_WORDS,
    estimator_text,
    interval_text,
    number,
    policy_texts,
    seeds_note,
    shows_case,
    warnings_of,
)
from recsim.runs.folder import RunFolder, Trial

__all__ = ["Reporter", "print_results"]

_OF_WEIGHTS = ("largest weight", "clipped", "unsupported")


class Reporter:
    """Shows progress: a bar on a terminal, plain lines anywhere else.

    Args:
        console: Where to write.
        total: Trials of the run.
        done: Trials that were finished before.
    """

    def __init__(self, console: Console, total: int, done: int = 0) -> None:
        self._console = console
        self._total = total
        self._done = done
        self._begin = time.monotonic()
        self._bar: Progress | None = None
        if console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=console,
                transient=True,
            )

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task("trials", total=self._total, completed=self._done)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the screen clean."""
        if self._bar is not None:
            self._bar.stop()

    def finished(self, trial: Trial) -> None:
        """Say that a trial is done."""
        self._advance(f"done: {trial}")

    def failed(self, trial: Trial, error: str, path: str) -> None:
        """Say that a trial failed, and where its traceback is."""
        last = error.strip().splitlines()[-1]
        message = f"[red]failed:[/red] {escape(str(trial))}: {escape(last)} (all of it: {path})"
        self._console.print(message, soft_wrap=True)
        self._advance(None)

    def _advance(self, line: str | None) -> None:
        self._done += 1
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done)
        elif line:
            seconds = time.monotonic() - self._begin
            self._console.print(
                f"[{self._done}/{self._total}] {line} ({seconds:.1f} s so far)",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )


def make_console(*, stderr: bool = False) -> Console:
    """Return a console that keeps tables whole where no terminal says how wide it is."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else 180)


def print_results(run: RunFolder, console: Console) -> None:
    """Print the main table of a run."""
    if not any(run.has(trial) for trial in trials(run.scenario)):
        return
    kinds = {
        "env": _print_metrics,
        "data": _print_values,
        "benchmark": _print_accuracy,
        "holdout": _print_metrics,
    }
    kinds[run.scenario.kind](run, console)


def _print_metrics(run: RunFolder, console: Console) -> None:
    seeds = seeds_table(run)
    table = summary_table(run, seeds).set_index(["agent", "metric"])
    names = main_metrics(run.scenario, list(seeds.columns[2:]))
    shown = Table(
        title=f"{run.scenario.name}: interquartile mean over seeds "
        f"[{run.scenario.bootstrap.level:.0%} interval]".replace("[", r"\["),
        title_justify="left",
    )
    shown.add_column("agent", no_wrap=True)
    shown.add_column("seeds", justify="right")
    for name in names:
        shown.add_column(name.replace("_", " "), justify="right")
    for agent in seeds["agent"].unique():
        cells = [table.loc[(agent, name)] for name in names]
        shown.add_row(
            escape(str(agent)),
            str(int((seeds["agent"] == agent).sum())),
            *(_cell(console, c["iqm"], c["low"], c["high"]) for c in cells),
        )
    console.print(shown)
    if run.scenario.holdout is not None:
        console.print(held_out_text(run), highlight=False, soft_wrap=True)
    error = model_error_text(seeds)
    if error:
        console.print(error, highlight=False, soft_wrap=True)
    note = seeds_note(int(seeds["agent"].value_counts().min()))
    if note:
        console.print(f"[yellow]note:[/yellow] {note}", soft_wrap=True)


def _print_values(run: RunFolder, console: Console) -> None:
    values = values_table(run)
    level = f"{run.scenario.bootstrap.level:.0%}"
    kind = INTERVAL_WORDS[run.scenario.interval]
    shown = Table(
        title=rf"{run.scenario.name}: mean reward \[{level} {kind} interval]",
        title_justify="left",
    )
    several = shows_case(values)
    for name in (*(["log"] if several else []), "policy", "estimator"):
        shown.add_column(name)
    for name in ("value", "effective sample", "impressions", *_OF_WEIGHTS):
        shown.add_column(name, justify="right")
    previous = None
    for policy, (_, row) in zip(policy_texts(values), values.iterrows(), strict=True):
        if previous is not None and row["case"] != previous:
            shown.add_section()
        previous = row["case"]
        doubtful = " [yellow]![/yellow]" if row["warnings"] else ""
        shown.add_row(
            *([escape(str(row["case"]))] if several else []),
            escape(policy),
            escape(estimator_text(row)) + doubtful,
            _cell(console, row["value"], row["low"], row["high"]),
            number(row["ess"]),
            number(row["n"]),
            number(row["max_weight"]),
            "" if pd.isna(row["clip"]) else f"{row['clipped_share']:.2%}",
            "" if pd.isna(row["unsupported"]) else number(row["unsupported"]),
        )
    console.print(shown)
    for text in warnings_of(values):
        console.print(f"[yellow]warning:[/yellow] {escape(text)}", soft_wrap=True)


def _print_accuracy(run: RunFolder, console: Console) -> None:
    table, level = benchmark_table(run), run.scenario.bootstrap.level
    shown = Table(
        title=escape(f"{run.scenario.name}: {accuracy_caption(level)}"), title_justify="left"
    )
    for index, name in enumerate(ACCURACY_HEADS):
        shown.add_column(name, justify="left" if index < 2 else "right")
    policy = None
    for cells in accuracy_cells(table):
        if policy is not None and cells[0] != policy:
            shown.add_section()
        policy = cells[0]
        shown.add_row(*map(escape, cells))
    console.print(shown)
    for text in misses(table, level):
        console.print(f"[yellow]note:[/yellow] {escape(text)}", soft_wrap=True)


def _cell(console: Console, value: float, low: float, high: float) -> str:
    text = escape(interval_text(value, low, high))
    # A narrow table would break inside the brackets.
    return text.replace(" [", "\n[") if console.width < 110 else text
