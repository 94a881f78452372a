"""The results of a run: tables and pictures, and the files that hold them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsim.files import csv_text, plain, write_atomically

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Note:
    """A sentence below a table.

    Attributes:
        text: The sentence.
        level: ``info``; ``note`` for a limit of the numbers; ``warning`` where they should not be
            trusted.
    """

    text: str
    level: str = "info"


@dataclass(frozen=True, eq=False)
class Table:
    """One table, for people or for programs.

    Attributes:
        name: Its key in ``summary.json``.
        data: One row per line. The cells of a table for people are text, those of a table for
            programs numbers.
        title: What the numbers are.
        notes: Written below.
        left: Columns aligned left, the first ones.
        grouped: Whether a line is drawn where the first column changes.
        console: Whether the command line prints it.
        report: Whether the HTML report shows it.
        file: Name of the CSV file that holds it; empty for none.
        in_json: Whether ``summary.json`` holds its rows.
    """

    name: str
    data: pd.DataFrame
    title: str = ""
    notes: Sequence[Note] = ()
    left: int = 1
    grouped: bool = False
    console: bool = False
    report: bool = False
    file: str = ""
    in_json: bool = False

    @property
    def heads(self) -> list[str]:
        """Headings of the columns."""
        return [str(name) for name in self.data.columns]

    @property
    def rows(self) -> list[list[str]]:
        """The cells as text."""
        return [[str(cell) for cell in row] for row in self.data.itertuples(index=False)]

    def csv(self) -> str:
        """Return the table as CSV; lists in cells are joined by ``|``."""
        data = self.data
        for name in data.columns:
            if data[name].map(lambda cell: isinstance(cell, list)).any():
                data = data.assign(**{str(name): data[name].map(" | ".join)})
        return csv_text(data)


@dataclass(frozen=True, eq=False)
class Summary:
    """Tables and pictures of a run.

    Attributes:
        tables: In the order in which they are shown.
        figures: A function that draws each picture, by file name without ending.
    """

    tables: Sequence[Table]
    figures: Mapping[str, Callable[[], Figure]] = field(default_factory=dict)

    def table(self, name: str) -> Table:
        """Return the table with a name."""
        return next(table for table in self.tables if table.name == name)


def write_csv_files(folder: Path, summary: Summary) -> None:
    """Write the tables of a summary that have a file."""
    for table in summary.tables:
        if table.file:
            write_atomically(folder / table.file, table.csv())


def write_summary(folder: Path, summary: Summary, head: Mapping[str, Any]) -> None:
    """Write the CSV files of a summary and ``summary.json``.

    Args:
        folder: Where to write.
        summary: What to write.
        head: First entries of ``summary.json``.
    """
    write_csv_files(folder, summary)
    content = {
        **head,
        **{t.name: t.data.to_dict(orient="records") for t in summary.tables if t.in_json},
    }
    text = json.dumps(plain(content), indent=2, allow_nan=False) + "\n"
    write_atomically(folder / "summary.json", text)
