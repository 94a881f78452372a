"""One table in several files: a pattern such as ``day-*.csv``, or a folder of Parquet files."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa

from recsim.errors import LogError
from recsim.log.readers.cells import plain

# What engines write for a missing value of a partition key.
_NO_KEY = "__HIVE_DEFAULT_PARTITION__"
_ENDINGS = (".parquet", ".pq")


def files_of(path: Path) -> list[Path] | None:
    """Return the files of a table, in the order of their paths; None if it is a single file.

    Args:
        path: A file; a pattern with ``*``, ``?``, ``[...]`` or ``**``; or a folder, of which all
            Parquet files at any depth are meant. Files and folders whose names begin with ``_`` or
            ``.`` are not, as elsewhere.

    Raises:
        LogError: If no file fits the pattern.
    """
    if path.is_file():
        return None
    if path.is_dir():
        found = [file for file in path.rglob("*") if file.name.lower().endswith(_ENDINGS)]
        return sorted(file for file in found if not _hidden(file, path)) or None
    if not glob.has_magic(str(path)):
        return None
    files = sorted(Path(name) for name in glob.glob(str(path), recursive=True))
    files = [file for file in files if file.is_file()]
    if not files:
        raise LogError(f"{path}: no file fits this pattern.")
    return files


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(("_", ".")) for part in file.relative_to(folder).parts)


def partition_keys(file: Path) -> dict[str, str | None]:
    """Return the keys of a partitioned table that a path holds, as in ``day=3/part-0.parquet``."""
    pairs = [part.split("=", 1) for part in file.parts[:-1] if "=" in part]
    return {name: None if value == _NO_KEY else unquote(value) for name, value in pairs}


def with_keys(table: pa.Table, keys: dict[str, str | None]) -> pa.Table:
    """Return a table with further columns of one value each, as text."""
    for name, value in keys.items():
        table = table.append_column(name, pa.array([value] * len(table), pa.string()))
    return table


def joined(path: Path, files: Sequence[Path], tables: Sequence[pa.Table]) -> pa.Table:
    """Return tables of the same columns one below the other.

    A column that is text in some CSV files, because of what a cell holds, is text in all.

    Args:
        path: The table, for the message.
        files: Where each table is from.
        tables: The tables.

    Raises:
        LogError: If a column has types that do not fit together; names two files.
    """
    texts = [
        name
        for name in tables[0].column_names
        if any(pa.types.is_string(table.schema.field(name).type) for table in tables)
    ]
    casts = []
    for table in tables:
        for name in table.column_names:
            if pa.types.is_dictionary(table.schema.field(name).type):  # a categorical of pandas
                place = table.schema.get_field_index(name)
                table = table.set_column(place, name, plain(table[name]))
        for name in texts:
            kind = table.schema.field(name).type
            if not pa.types.is_string(kind) and not pa.types.is_nested(kind):
                place = table.schema.get_field_index(name)
                table = table.set_column(place, name, table[name].cast(pa.string()))
        casts.append(table)
    try:
        return pa.concat_tables(casts, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        for name in casts[0].column_names:
            kinds = [table.schema.field(name).type for table in casts]
            other = next((at for at, kind in enumerate(kinds) if kind != kinds[0]), None)
            if other is not None:
                raise LogError(
                    f"{path}, column {name!r}: holds {kinds[0]} in {files[0]} and {kinds[other]} "
                    f"in {files[other]}."
                ) from None
        raise
