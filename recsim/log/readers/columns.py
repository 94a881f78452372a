"""Named, typed columns of a table; errors give the line of the malformed entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recsim.arrays import Bools, Floats, Ints
from recsim.errors import LogError
from recsim.log.readers.cells import (
    CellError,
    Kind,
    check_ids,
    converted,
    is_number,
    is_text,
    plain,
)
from recsim.log.readers.csv_files import (
    check_quotes,
    column_names_of_csv,
    csv_rows,
    file_format,
    known_types,
    read_csv_table,
    require_file,
)
from recsim.log.readers.headers import check_names
from recsim.log.readers.in_memory import TableInMemory
from recsim.log.readers.list_cells import looks_like_a_list, split_cells
from recsim.log.readers.many_files import files_of, joined, partition_keys, with_keys
from recsim.log.readers.times import TimeUnit, seconds
from recsim.log.validation import NOT_PROPENSITY, TOO_LARGE, not_propensities, too_large

__all__ = ["Columns", "Kind", "read_columns"]


class Columns:
    """Columns of one table.

    Attributes:
        source: The file, or the table in memory; printed, its name for messages.
        table: The columns as they were read.
        length: Rows, N.
    """

    def __init__(
        self,
        source: Path | TableInMemory,
        table: pa.Table,
        kinds: Mapping[str, Kind],
        *,
        lists: Sequence[str] = (),
        csv_separator: str = "",
        header: bool = True,
        time_unit: TimeUnit | None = None,
        parts: Sequence[Columns] = (),
    ) -> None:
        self.source = source
        self._parts = parts  # of a table in several files
        self.length = len(table)
        self.table = table
        self._kinds = kinds
        self._lists = lists
        self._sep = csv_separator  # empty for typed columns
        self._first = int(header)  # rows of the file before the data
        self._unit = time_unit

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a column, ``(N,)``: int64, float64, object (text), or float64 seconds (time)."""
        return self.read(name, self._kinds[name])

    def read(self, name: str, kind: Kind) -> NDArray[Any]:
        """Return a column as another kind, ``(N,)``, which its text must allow."""
        column = self.table[name]
        try:
            return seconds(column, self._unit) if kind == "time" else converted(column, kind)
        except CellError as error:
            self._fail_at(error.place, name, error)

    def ids(self, name: str) -> NDArray[Any]:
        """Return a column of ids as text, ``(N,)``; see `check_ids`."""
        try:
            check_ids(self.table[name])
        except CellError as error:
            self._fail_at(error.place, name, error)
        return self[name]

    def may_be_whole(self, *names: str) -> bool:
        """Return whether ids of these columns are numbers if they look like whole numbers.

        In CSV nothing else tells; in a typed column of text, ids are text.
        """
        return bool(self._sep) or not any(_holds_text(self.table[name].type) for name in names)

    def flags(self, name: str, message: str = "is neither 0 nor 1") -> Ints:
        """Return a column whose entries must be 0 or 1, ``(N,)``."""
        values: Ints = self.read(name, "int")
        self.refuse((values != 0) & (values != 1), name, message)
        return values

    def propensities(self, name: str) -> Floats:
        """Return a column whose entries must be probabilities in (0, 1], ``(N,)``."""
        values: Floats = self.read(name, "float")
        self.refuse(not_propensities(values), name, NOT_PROPENSITY)
        return values

    def amounts(self, name: str) -> Floats:
        """Return a column of features or feedback, which agents see as float32, ``(N,)``."""
        values: Floats = self.read(name, "float")
        self.refuse(too_large(values), name, TOO_LARGE)
        return values

    def unique(self, name: str) -> NDArray[Any]:
        """Return a column of ids that must all differ, ``(N,)``."""
        values = self.ids(name) if self._kinds[name] == "text" else self[name]
        repeated = np.ones(self.length, dtype=np.bool_)
        repeated[np.unique(values, return_index=True)[1]] = False
        self.refuse(repeated, name, "is listed twice")
        return values

    def mostly_numbers(self, name: str) -> bool:
        """Return whether a column holds numbers: of text, most cells that are not empty."""
        column = plain(self.table[name])
        if not is_text(column.type):
            return not (_is_list(column.type) or pa.types.is_temporal(column.type))
        cells = [text for text in column.to_pylist() if text and text.strip()]
        return 2 * sum(map(is_number, cells)) > len(cells)

    def labels(self, name: str, separator: str) -> list[list[str]]:
        """Return a column of categories: those of each row, none of an empty or missing cell.

        Args:
            name: The column.
            separator: As in `lists`.
        """
        kind = plain(self.table[name]).type
        if not (is_text(kind) or _is_list(kind)):
            return [[value] for value in self[name]]
        lengths, entries = self.lists(name, separator, missing=True)
        parts = np.split(entries, np.cumsum(lengths)[:-1])
        return [[label for label in part if label] for part in parts]

    def lists(
        self, name: str, separator: str, *, missing: bool = False
    ) -> tuple[Ints, NDArray[Any]]:
        """Return a column of lists as lengths ``(N,)`` and entries, one after the other.

        Args:
            name: The column.
            separator: Separator of the entries in CSV, where a list is text; see
                `recsim.log.readers.list_cells`.
            missing: Whether a missing cell is an empty list. Otherwise it is refused.
        """
        column = plain(self.table[name]).combine_chunks()
        if missing and is_text(column.type):
            column = pc.fill_null(column, "")
        if is_text(column.type):
            try:
                column = split_cells(column, separator)
            except CellError as error:
                self._fail_at(error.place, name, error)
        elif not _is_list(column.type):
            self.fail(0, name, f"holds {column.type}, not lists")
        if not missing:
            self.refuse(column.is_null().to_numpy(zero_copy_only=False), name, "is missing")
        lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
        row = np.repeat(np.arange(self.length), lengths)
        try:
            entries = pa.chunked_array([pc.list_flatten(column)])
            if self._kinds[name] == "text":
                check_ids(entries)
            return lengths, converted(entries, self._kinds[name])
        except CellError as error:
            place = int(row[error.place]) if len(row) else 0
            self._fail_at(place, name, error, inside=" in the list")

    def refuse_lists(self, name: str, advice: str) -> None:
        """Raise for the first cell of text that is a printed list."""
        column = plain(self.table[name])
        if is_text(column.type):
            self.refuse(looks_like_a_list(column), name, f"is a list: {advice}")

    def refuse(self, wrong: Bools, name: str, message: str) -> None:
        """Raise for the first row of ``wrong``, ``(N,)``, with its line, value and ``message``."""
        if wrong.any():
            self.fail(int(np.argmax(wrong)), name, message)

    def fail(self, row: int, name: str, message: str, *, show: bool = True) -> NoReturn:
        """Raise for one row of a column."""
        value = f"{self._shown(row, name)!r} " if show and self.length else ""
        raise LogError(f"{self.where(row)}, column {name!r}: {value}{message}.")

    def where(self, row: int) -> str:
        """Return file and line of a row, for a message."""
        for part in self._parts:
            if row < part.length:
                return part.where(row)
            row -= part.length
        if self._sep:
            assert isinstance(self.source, Path)
            for number, (line, _) in enumerate(csv_rows(self.source, self._sep)):
                if number == row + self._first:
                    return f"{self.source}, line {line}"
        return f"{self.source}, row {row}"

    def _fail_at(self, row: int, name: str, error: CellError, inside: str = "") -> NoReturn:
        value = "" if error.value is None else f"{error.value!r}{inside} "
        self.fail(row, name, f"{value}{error.message}", show=False)

    def _shown(self, row: int, name: str) -> Any:
        """Return an entry for a message: as a number where the column holds numbers."""
        value = self.table[name][row].as_py()
        number = self._kinds[name] in ("int", "float") and name not in self._lists
        if isinstance(value, str) and number:
            return converted(self.table[name].slice(row, 1), self._kinds[name])[0].item()
        return value


def read_columns(
    source: str | Path | TableInMemory,
    kinds: Mapping[str, Kind],
    *,
    lists: Sequence[str] = (),
    separator: str = ",",
    missing: str = "",
    header: Sequence[str] | None = None,
    time_unit: TimeUnit | None = None,
) -> Columns:
    """Read some columns of a CSV or Parquet file, or of a table in memory.

    Args:
        source: The file, whose content decides whether it is Parquet or CSV, which may be packed
            (see `recsim.log.readers.packed_files`); several (`recsim.log.readers.many_files`); or
            the table.
        kinds: Column name to kind.
        lists: Columns that hold lists; see `Columns.lists`.
        separator: Field separator of the CSV file.
        missing: Advice at the end of the message if the file does not exist.
        header: Names of all columns, for a CSV file without a header.
        time_unit: Unit of times that are numbers; None to infer it, see `recsim.log.readers.times`.

    Raises:
        LogError: If the file is missing, is not of the format that its name says, lacks a column,
            or has a malformed row; the message gives file, line and column.
    """
    files = None if isinstance(source, TableInMemory) else files_of(Path(source))
    further: dict[str, Any] = {"lists": lists, "separator": separator}
    further |= {"header": header, "time_unit": time_unit}
    if files is None:
        found = _of_one(_opened(source, missing), kinds, **further)
    else:
        found = _of_files(Path(str(source)), files, kinds, **further)
    if not found.length:
        raise LogError(f"{source} has no rows.")
    return found


def _of_one(
    source: Path | TableInMemory,
    kinds: Mapping[str, Kind],
    *,
    lists: Sequence[str],
    separator: str,
    header: Sequence[str] | None,
    time_unit: TimeUnit | None,
) -> Columns:
    """Return the columns of a table in one file or in memory; see `read_columns`."""
    is_csv = not isinstance(source, TableInMemory) and file_format(source) == "csv"
    if isinstance(source, TableInMemory):
        check_names(source, source.names(), kinds)
        table = source.read(list(kinds))
    elif is_csv:
        table = _read_csv(source, kinds, list(lists), separator, header)
    else:
        table = _read_parquet(source, kinds)
    return Columns(
        source,
        table,
        kinds,
        lists=lists,
        csv_separator=separator if is_csv else "",
        header=header is None,
        time_unit=time_unit,
    )


def _of_files(
    path: Path,
    files: Sequence[Path],
    kinds: Mapping[str, Kind],
    *,
    separator: str,
    time_unit: TimeUnit | None,
    **options: Any,
) -> Columns:
    """Return the columns of a table in several files; see `read_columns`."""
    parts, tables = [], []
    for file in files:
        keys = {name: value for name, value in partition_keys(file).items() if name in kinds}
        own = {name: kind for name, kind in kinds.items() if name not in keys}
        part = _of_one(file, own, separator=separator, time_unit=time_unit, **options)
        parts.append(part)
        tables.append(with_keys(part.table, keys).select(list(kinds)))
    formats = {file_format(file) for file in files}
    if len(formats) > 1:
        raise LogError(f"{path} holds CSV and Parquet files: read them one after the other.")
    return Columns(
        path,
        joined(path, files, tables),
        kinds,
        lists=options["lists"],
        csv_separator=separator if formats == {"csv"} else "",
        time_unit=time_unit,
        parts=parts,
    )


def column_names(
    source: str | Path | TableInMemory, separator: str, *, missing: str = ""
) -> list[str]:
    """Return the names of all columns of a table.

    Args:
        source: CSV or Parquet, or a table in memory.
        separator: Field separator of CSV files.
        missing: Advice at the end of the message if the file does not exist.

    Raises:
        LogError: If the file is missing or damaged.
    """
    if not isinstance(source, TableInMemory) and (files := files_of(Path(source))):
        own = column_names(files[0], separator)
        return [*own, *(name for name in partition_keys(files[0]) if name not in own)]
    source = _opened(source, missing)
    if isinstance(source, TableInMemory):
        return source.names()
    if file_format(source) == "csv":
        return column_names_of_csv(source, separator)
    try:
        return list(pq.read_schema(source).names)
    except (pa.ArrowInvalid, OSError) as error:
        raise LogError(f"{source} is not a valid Parquet file: {error}") from error


def _opened(source: str | Path | TableInMemory, missing: str) -> Path | TableInMemory:
    """Return a path to a file that exists, or the table in memory."""
    if isinstance(source, TableInMemory):
        return source
    path = Path(source)
    require_file(path, missing)
    return path


def _read_parquet(path: Path, kinds: Mapping[str, Kind]) -> pa.Table:
    check_names(path, column_names(path, ""), kinds)
    try:
        return pq.ParquetFile(path).read(columns=list(kinds))
    except (pa.ArrowInvalid, OSError) as error:
        raise LogError(f"{path} is not a valid Parquet file: {error}") from error


def _read_csv(
    path: Path,
    kinds: Mapping[str, Kind],
    lists: list[str],
    sep: str,
    header: Sequence[str] | None,
) -> pa.Table:
    first = column_names_of_csv(path, sep)
    if not first:
        empty = "has no rows" if header else "is empty; its first line must name the columns"
        raise LogError(f"{path} {empty}.")
    names = list(header or first)
    check_names(path, names, kinds, sep)
    table = read_csv_table(path, known_types(kinds, lists), sep, list(header) if header else None)
    check_quotes(path, sep, len(table) + (header is None))
    return table


def _holds_text(kind: pa.DataType) -> bool:
    """Return whether the cells of a column, or the entries of its lists, are text."""
    while _is_list(kind) or pa.types.is_dictionary(kind):
        kind = kind.value_type
    return is_text(kind)


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))
