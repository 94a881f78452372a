"""Console output during and after a run."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable

from recsim.report.summary import Note, Summary, Table


class Reporter:
    """Shows progress: a bar on a terminal, plain lines elsewhere.

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
        """Start the bar."""
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
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()

    def finished(self, trial: Any) -> None:
        """Report a finished trial."""
        self._advance(f"done: {trial}")

    def failed(self, trial: Any, error: str, path: str) -> None:
        """Report a failed trial, and where its traceback is."""
        last = error.strip().splitlines()[-1]
        message = f"[red]failed:[/red] {escape(str(trial))}: {escape(last)} (traceback: {path})"
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
    """Return a console that does not wrap tables if the output is not a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else 180)


def print_summary(summary: Summary, console: Console) -> None:
    """Print the tables of a run."""
    for table in summary.tables:
        if table.console:
            _print(table, console)


def _print(table: Table, console: Console) -> None:
    shown = RichTable(title=escape(table.title), title_justify="left")
    for index, name in enumerate(table.heads):
        left = index < table.left
        shown.add_column(escape(name), justify="left" if left else "right", no_wrap=index == 0)
    previous = None
    for cells in table.rows:
        if table.grouped and previous not in (None, cells[0]):
            shown.add_section()
        previous = cells[0]
        shown.add_row(*(_cell(cell, console) for cell in cells))
    console.print(shown)
    for note in table.notes:
        _print_note(note, console)


def _print_note(note: Note, console: Console) -> None:
    prefix = "" if note.level == "info" else f"[yellow]{note.level}:[/yellow] "
    console.print(prefix + escape(note.text), highlight=False, soft_wrap=True)


def _cell(text: str, console: Console) -> str:
    # A narrow table would break inside the brackets of an interval.
    return escape(text.replace(" [", "\n[") if console.width < 110 else text)
