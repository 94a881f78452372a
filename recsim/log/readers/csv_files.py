"""Opening a file of rows: its format by its content, and the lines of a CSV file for messages."""

from __future__ import annotations

import contextlib
import csv
import difflib
import io
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.csv as pacsv

from recsim.errors import LogError
from recsim.log.readers.cells import TYPES, Kind
from recsim.log.readers.packed_files import DAMAGE, PARQUET, open_unpacked, packing_of

FileFormat = Literal["csv", "parquet"]

# First bytes of files that are no CSV, and what to do about them.
_REFUSED = {
    b"PK\x05\x06": "is a zip archive without a file",
    b"\xff\xfe": "is UTF-16: save it as UTF-8",
    b"\xfe\xff": "is UTF-16: save it as UTF-8",
    b"ARROW1": "is an Arrow (Feather) file: save it as Parquet",
    b"SQLite format 3": "is a database: export the table as CSV or Parquet",
}
_BLOCK = 2**20
# Names of files that are compared with that of a missing one.
_COMPARED = 1000


def require_file(path: Path, advice: str = "") -> None:
    """Refuse a path that is not a file.

    Args:
        path: The file.
        advice: End of the message.

    Raises:
        LogError: If it does not exist or is a folder.
    """
    if path.is_file():
        return
    if path.is_dir():
        raise LogError(f"{path} is a folder, not a file. {advice}".rstrip())
    beside: list[str] = []
    with contextlib.suppress(OSError):
        beside = [other.name for other in itertools.islice(path.parent.iterdir(), _COMPARED)]
    # Closer than usual: test.csv is no misspelt train.csv.
    close = difflib.get_close_matches(path.name, sorted(beside), n=1, cutoff=0.85)
    near = f"Did you mean {close[0]!r}? " if close else ""
    raise LogError(f"{path} does not exist. {near}{advice}".rstrip())


def file_format(path: Path) -> FileFormat:
    """Return whether a file is Parquet or CSV, by its first bytes and not by its name.

    Raises:
        LogError: If it is neither, or its name says Parquet, gzip, zip ... and it is not.
    """
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(PARQUET):
        return "parquet"
    name = path.name.lower()
    if name.endswith((".parquet", ".pq")):
        raise LogError(f"{path} is not a valid Parquet file: it does not begin with PAR1.")
    for magic, reason in _REFUSED.items():
        if start.startswith(magic):
            raise LogError(f"{path} {reason}.")
    packing_of(path)
    return "csv"


def column_names_of_csv(path: Path, sep: str) -> list[str]:
    """Return the fields of the first row of a CSV file; none if it is empty.

    Raises:
        LogError: If it is an archive or another file that is not text.
    """
    fields = next((fields for _, fields in csv_rows(path, sep)), [])
    if any("\0" in field for field in fields):
        raise LogError(f"{path} is not text, perhaps a tar archive: unpack it.")
    return fields


def csv_rows(path: Path, sep: str, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the last line and the fields of every row that is not blank.

    Args:
        path: The file; packed ones are unpacked.
        sep: Field separator.
        strict: Whether to refuse quotation marks that do not enclose a whole field.

    Raises:
        LogError: If the file is damaged or not UTF-8; says near which line.
    """
    reader = csv.reader((text for _, text in text_lines(path)), delimiter=sep, strict=strict)
    line = 0
    try:
        for fields in reader:
            line = reader.line_num
            if fields:
                yield line, fields
    except csv.Error as error:
        raise LogError(f"{path}, near line {line + 1}: {error}.") from error


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of every line, with its end.

    Args:
        path: The file; packed ones are unpacked.

    Raises:
        LogError: If the file is damaged or not UTF-8; says near which line.
    """
    packing, line = packing_of(path), 0
    try:
        with (
            open_unpacked(path) as file,
            io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as texts,
        ):
            for text in texts:
                line += 1
                yield line, text
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise LogError(
            f"{path}, near line {line + 1}: the byte 0x{byte:02x} is not UTF-8 text: save the file "
            "as CSV in UTF-8, or as Parquet."
        ) from error
    except DAMAGE as error:
        kind = f"a valid {packing} file" if packing else "a file that can be read"
        reason = str(error).rstrip(".")
        raise LogError(f"{path} is not {kind}: near line {line + 1}: {reason}.") from error


def read_csv_table(
    path: Path, types: Mapping[str, pa.DataType], sep: str, header: list[str] | None
) -> pa.Table:
    """Read some columns of a CSV file.

    Args:
        path: The file.
        types: The columns, and what they hold. If a cell of a number is none, all columns are read
            as text instead.
        sep: Field separator.
        header: Names of all columns, for a file without a header.

    Raises:
        LogError: If the file is damaged, or a row has more or fewer fields than the first.
    """
    texts = dict.fromkeys(types, pa.string())
    for wanted in (dict(types), texts):
        try:
            return _read(path, wanted, sep, header)
        except (pa.ArrowInvalid, *DAMAGE) as error:
            _refuse_lengths(path, sep, header)
            reason = error
    raise LogError(f"{path} cannot be read: {reason}") from reason


def _read(
    path: Path, types: Mapping[str, pa.DataType], sep: str, header: list[str] | None
) -> pa.Table:
    packing = packing_of(path)
    # Arrow unpacks faster than Python.
    by_arrow = packing in ("gzip", "bz2")
    with pa.OSFile(str(path)) if by_arrow or not packing else open_unpacked(path) as raw:
        file = pa.CompressedInputStream(raw, packing) if by_arrow else raw
        return pacsv.read_csv(
            file,
            read_options=pacsv.ReadOptions(column_names=header),
            parse_options=pacsv.ParseOptions(delimiter=sep, newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types=types, include_columns=list(types), strings_can_be_null=False
            ),
        )


def _refuse_lengths(path: Path, sep: str, header: list[str] | None) -> None:
    """Raise for the first row whose number of fields is another than that of the columns."""
    rows = csv_rows(path, sep)
    names = header if header is not None else next(rows)[1]
    for line, fields in rows:
        if len(fields) != len(names):
            there = f"a row is {sep.join(names)}:" if header else "the header names"
            raise LogError(f"{path}, line {line}: {len(fields)} fields, but {there} {len(names)}.")


def check_quotes(path: Path, sep: str, rows: int) -> None:
    """Refuse a file in which a quotation mark that was not closed has swallowed rows.

    Args:
        path: The file.
        sep: Field separator.
        rows: Rows that were read, the header included. A file with as many lines has no such mark.

    Raises:
        LogError: If a quotation mark does not enclose a whole field; says near which line.
    """
    lines, last = 0, b"\n"
    with open_unpacked(path) as file:
        while block := file.read(_BLOCK):
            lines += block.count(b"\n")
            last = block[-1:]
    if lines + (last != b"\n") > rows:
        for _ in csv_rows(path, sep, strict=True):
            pass


def known_types(kinds: Mapping[str, Kind], lists: list[str]) -> dict[str, pa.DataType]:
    """Return what the columns of a CSV file hold; lists and times are text there."""
    return {name: pa.string() if name in lists else TYPES[kind] for name, kind in kinds.items()}
