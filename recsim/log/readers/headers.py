"""The names of the columns of a table, compared with those that are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from recsim.errors import LogError, did_you_mean, nearest
from recsim.log.readers.cells import Kind
from recsim.log.readers.in_memory import TableInMemory


def check_names(
    source: Path | TableInMemory, names: list[str], wanted: Mapping[str, Kind], sep: str = ""
) -> None:
    """Refuse a table that lacks a wanted column, or has it twice.

    Args:
        source: The table; printed, its name for messages.
        names: Names of its columns.
        wanted: The columns that are read.
        sep: Field separator of a CSV file.

    Raises:
        LogError: Names the column, the nearest one, or another separator that the file has.
    """
    for name in wanted:
        if name not in names:
            advice = _other_separator(names, wanted, sep)
            raise LogError(f"{source} has no column {name!r}.{advice}")
    for name in wanted:
        if names.count(name) > 1:
            raise LogError(f"{source} names the column {name!r} twice.")


def _other_separator(names: list[str], wanted: Mapping[str, Kind], sep: str) -> str:
    """Return advice about a header that lacks a column: its separator, or the nearest name."""
    for mark, shown in ((";", "';'"), ("\t", "a tab"), ("|", "'|'"), (",", "','")):
        parts = {part.strip() for part in names[0].split(mark)}
        if sep and len(parts) > 1 and parts & set(wanted):
            return f" Its fields are separated by {shown}: set separator."
    missing = next(name for name in wanted if name not in names)
    if sep and not set(names) & set(wanted) and not any(nearest(name, names) for name in wanted):
        first = ", ".join(names)
        return f" Its first line, which must name the columns, is {first!r}."
    return did_you_mean(missing, names)
