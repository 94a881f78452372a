"""Named, typed columns of a CSV or Parquet file; errors give the line of the malformed entry."""

from __future__ import annotations

import csv
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recsim.arrays import Bools, Floats, Ints
from recsim.errors import LogError, did_you_mean
from recsim.log.validation import NOT_PROPENSITY, not_propensities

Kind = Literal["int", "float", "text", "time"]

_TYPES: dict[Kind, pa.DataType] = {
    "int": pa.int64(),
    "float": pa.float64(),
    "text": pa.string(),
    "time": pa.string(),
}
_WORDS: dict[Kind, str] = {
    "int": "a whole number",
    "float": "a finite number",
    "text": "text",
    "time": "a time such as 2019-11-24 00:01:29 or seconds since 1970",
}


class Columns:
    """Columns of one file.

    Attributes:
        path: The file.
        length: Rows, N.
    """

    def __init__(
        self, path: Path, table: pa.Table, kinds: Mapping[str, Kind], sep: str, header: bool = True
    ) -> None:
        self.path = path
        self.length = len(table)
        self._table = table
        self._kinds = kinds
        self._sep = sep
        self._first = int(header)  # rows of the file before the data

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a column, ``(N,)``: int64, float64, object (text), or float64 seconds (time)."""
        column, kind = self._table[name], self._kinds[name]
        if kind == "time":
            return self._seconds(name)
        if kind == "text":
            return np.asarray(self._cast(name, column, kind).to_numpy(), dtype=object)
        values: NDArray[Any] = self._cast(name, column, kind).to_numpy()
        self.refuse(~np.isfinite(values), name, f"is not {_WORDS[kind]}")
        return values

    def flags(self, name: str, message: str = "is neither 0 nor 1") -> Ints:
        """Return a column whose entries must be 0 or 1, ``(N,)``."""
        values: Ints = self[name]
        self.refuse((values != 0) & (values != 1), name, message)
        return values

    def propensities(self, name: str) -> Floats:
        """Return a column whose entries must be probabilities in (0, 1], ``(N,)``."""
        values: Floats = self[name]
        self.refuse(not_propensities(values), name, NOT_PROPENSITY)
        return values

    def unique(self, name: str) -> NDArray[Any]:
        """Return a column whose entries must all differ, ``(N,)``."""
        values = self[name]
        repeated = np.ones(self.length, dtype=np.bool_)
        repeated[np.unique(values, return_index=True)[1]] = False
        self.refuse(repeated, name, "is listed twice")
        return values

    def lists(self, name: str, separator: str) -> tuple[Ints, NDArray[Any]]:
        """Return a column of lists as lengths ``(N,)`` and entries, one after the other.

        Args:
            name: The column.
            separator: Separator of the entries in CSV, where a list is text.
        """
        column = self._table[name].combine_chunks()
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = pc.split_pattern(column, separator)
        elif not _is_list(column.type):
            self.fail(0, name, f"holds {column.type}, not lists")
        self.refuse(column.is_null().to_numpy(zero_copy_only=False), name, "is missing")
        lengths = pc.list_value_length(column).to_numpy().astype(np.int64)
        row = np.repeat(np.arange(self.length), lengths)
        entries, kind = pc.list_flatten(column), self._kinds[name]
        try:
            if pa.types.is_string(entries.type):
                entries = pc.utf8_trim_whitespace(entries)
            values = entries.cast(_TYPES[kind]).to_numpy(zero_copy_only=False)
            bad = np.asarray(entries.is_null())
        except pa.ArrowInvalid:
            bad = np.array([not _parses(kind, value) for value in entries.to_pylist()])
            values = np.zeros(len(bad))
        if kind == "float" and not bad.any():
            bad = ~np.isfinite(values)
        if bad.any():
            place = int(np.argmax(bad))
            text = f"{entries[place].as_py()!r} in the list is not {_WORDS[kind]}"
            self.fail(int(row[place]), name, text, show=False)
        return lengths, values

    def refuse(self, wrong: Bools, name: str, message: str) -> None:
        """Raise for the first row of ``wrong``, ``(N,)``, with its line, value and ``message``."""
        if wrong.any():
            self.fail(int(np.argmax(wrong)), name, message)

    def fail(self, row: int, name: str, message: str, *, show: bool = True) -> NoReturn:
        """Raise for one row of a column."""
        value = f"{self._table[name][row].as_py()!r} " if show and self.length else ""
        raise LogError(f"{self.where(row)}, column {name!r}: {value}{message}.")

    def where(self, row: int) -> str:
        """Return file and line of a row, for a message."""
        if _is_parquet(self.path):
            return f"{self.path}, row {row}"
        for number, (line, _) in enumerate(_csv_rows(self.path, self._sep)):
            if number == row + self._first:
                return f"{self.path}, line {line}"
        return f"{self.path}, row {row}"

    def _cast(self, name: str, column: pa.ChunkedArray, kind: Kind) -> pa.ChunkedArray:
        missing = np.asarray(column.is_null())
        if missing.any():
            self.fail(int(np.argmax(missing)), name, "the entry is missing", show=False)
        try:
            return column.cast(_TYPES[kind])
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            for row, value in enumerate(column.to_pylist()):
                if not _parses(kind, value):
                    self.fail(row, name, f"is not {_WORDS[kind]}")
            self.fail(0, name, f"cannot be read as {_WORDS[kind]}: it is {column.type}")

    def _seconds(self, name: str) -> Floats:
        column = self._table[name]
        if pa.types.is_temporal(column.type):
            column = column.cast(pa.timestamp("us", tz=getattr(column.type, "tz", None)))
            seconds = pc.divide(self._cast(name, column.cast(pa.int64()), "float"), 1e6)
            return np.asarray(seconds.to_numpy())
        if not pa.types.is_string(column.type):
            return np.asarray(self._cast(name, column, "float").to_numpy())
        text = self._cast(name, column, "text")
        try:
            return np.asarray(text.cast(pa.float64()).to_numpy())
        except pa.ArrowInvalid:
            pass
        import pandas as pd

        times = pd.to_datetime(
            pd.Series(text.to_numpy()), utc=True, format="ISO8601", errors="coerce"
        )
        self.refuse(times.isna().to_numpy(), name, f"is not {_WORDS['time']}")
        return times.to_numpy("datetime64[us]").astype(np.int64) / 1e6


def read_columns(
    path: str | Path,
    kinds: Mapping[str, Kind],
    *,
    lists: Sequence[str] = (),
    separator: str = ",",
    missing: str = "",
    header: Sequence[str] | None = None,
) -> Columns:
    """Read some columns of a CSV or Parquet file.

    Args:
        path: The file; CSV unless its name ends in ``.parquet``. ``.csv.gz`` is unpacked.
        kinds: Column name to kind.
        lists: Columns that hold lists; see `Columns.lists`.
        separator: Field separator of the CSV file.
        missing: Advice at the end of the message if the file does not exist.
        header: Names of all columns, for a CSV file without a header.

    Raises:
        LogError: If the file is missing, is not of the format that its name says, lacks a column,
            or has a malformed row; the message gives file, line and column.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise LogError(f"{path} {what}. {missing}".rstrip())
    if _is_parquet(path):
        table = _read_parquet(path, kinds)
    else:
        types = {name: pa.string() if name in lists else _TYPES[k] for name, k in kinds.items()}
        table = _read_csv(path, kinds, types, separator, header)
    if len(table) == 0:
        raise LogError(f"{path} has no rows.")
    return Columns(path, table, kinds, separator, header is None)


def column_names(path: str | Path, *, separator: str = ",") -> list[str]:
    """Return the names of the columns of a CSV or Parquet file."""
    path = Path(path)
    if _is_parquet(path):
        return list(pq.read_schema(path).names)
    return next((fields for _, fields in _csv_rows(path, separator)), [])


def whole_days(seconds: Floats) -> Ints:
    """Return calendar days (UTC), counted from the earliest day, ``(N,)``.

    Args:
        seconds: Seconds since 1970, ``(N,)``.
    """
    days: Ints = (seconds // 86_400).astype(np.int64)
    earliest: np.int64 = days.min(initial=2**62)
    return days - earliest


def _read_parquet(path: Path, kinds: Mapping[str, Kind]) -> pa.Table:
    try:
        _check_names(path, column_names(path), kinds)
        return pq.read_table(path, columns=list(kinds))
    except (pa.ArrowInvalid, OSError) as error:
        raise LogError(f"{path} is not a valid Parquet file: {error}") from error


def _read_csv(
    path: Path,
    kinds: Mapping[str, Kind],
    types: dict[str, pa.DataType],
    sep: str,
    header: Sequence[str] | None,
) -> pa.Table:
    names = list(header or column_names(path, separator=sep))
    if not names:
        raise LogError(f"{path} is empty; its first line must name the columns.")
    if header is not None and not column_names(path, separator=sep):
        raise LogError(f"{path} has no rows.")
    _check_names(path, names, kinds)
    options = pacsv.ConvertOptions(
        column_types=types, include_columns=list(kinds), strings_can_be_null=False
    )
    parse = pacsv.ParseOptions(delimiter=sep, newlines_in_values=True)
    try:
        read = pacsv.ReadOptions(column_names=header)
        return pacsv.read_csv(path, read_options=read, parse_options=parse, convert_options=options)
    except (pa.ArrowInvalid, OSError) as error:
        _refuse_malformed(path, names, kinds, types, sep, header is None)
        raise LogError(f"{path} cannot be read: {error}") from error


def _refuse_malformed(
    path: Path,
    names: list[str],
    kinds: Mapping[str, Kind],
    types: dict[str, pa.DataType],
    sep: str,
    header: bool,
) -> None:
    """Raise for the first row that pyarrow could not have read, if there is one."""
    numbers = {name: kind for name, kind in kinds.items() if types[name] != pa.string()}
    rows = _csv_rows(path, sep)
    if header:
        next(rows)
    for line, fields in rows:
        if len(fields) != len(names):
            there = "the header names" if header else f"a row is {sep.join(names)}:"
            raise LogError(f"{path}, line {line}: {len(fields)} fields, but {there} {len(names)}.")
        for name, kind in numbers.items():
            value = fields[names.index(name)]
            if not _parses(kind, value):
                raise LogError(
                    f"{path}, line {line}, column {name!r}: {value!r} is not {_WORDS[kind]}."
                )


def _csv_rows(path: Path, sep: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the last line and the fields of every row that is not blank."""
    opener: Callable[..., Any] = open
    if path.suffix == ".gz":
        import gzip

        opener = gzip.open
    line = 0
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=sep)
            for fields in reader:
                line = reader.line_num
                if fields:
                    yield line, fields
    except (UnicodeDecodeError, csv.Error) as error:
        raise LogError(f"{path}, near line {line + 1}: {error}.") from error
    except (OSError, EOFError, zlib.error) as error:  # gzip reports damage by all three
        kind = "a valid gzip file" if path.suffix == ".gz" else "a file that can be read"
        reason = str(error).rstrip(".")
        raise LogError(f"{path} is not {kind}: near line {line + 1}: {reason}.") from error


def _check_names(path: Path, names: list[str], wanted: Mapping[str, Kind]) -> None:
    for name in wanted:
        if name not in names:
            raise LogError(f"{path} has no column {name!r}.{did_you_mean(name, names)}")
    for name in wanted:
        if names.count(name) > 1:
            raise LogError(f"{path} names the column {name!r} twice.")


def _parses(kind: Kind, value: Any) -> bool:
    if value is None:
        return False
    try:
        number = int(value) if kind == "int" else float(value) if kind == "float" else 0
    except (ValueError, OverflowError, TypeError):
        return False
    if kind == "int":
        return -(2**63) <= number < 2**63 and (isinstance(value, str) or number == value)
    return math.isfinite(number)


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _is_parquet(path: Path) -> bool:
    return path.suffix in {".parquet", ".pq"}
