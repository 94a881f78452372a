"""Tables that are not files: of pandas, polars, Arrow or DuckDB."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self
from uuid import UUID

import pyarrow as pa
from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from recsim.errors import LogError
from recsim.log.readers.cells import is_uuid

_TITLES = {
    "pandas": "the pandas DataFrame",
    "polars": "the polars DataFrame",
    "duckdb": "the DuckDB relation",
    "_duckdb": "the DuckDB relation",
    "pyarrow": "the Arrow table",
}


@dataclass(frozen=True, eq=False)
class TableInMemory:
    """A table of named columns.

    Attributes:
        given: A pandas DataFrame, or anything with Arrow's stream interface: a polars DataFrame, an
            Arrow table, a DuckDB relation.
    """

    given: Any

    @staticmethod
    def of(given: Any) -> TableInMemory:
        """Return a table as one in memory.

        Raises:
            ValueError: If it is something else.
        """
        if isinstance(given, TableInMemory):
            return given
        kind = type(given).__name__
        if kind == "LazyFrame":
            raise ValueError("is a LazyFrame, which is not computed yet: give its collect()")
        if isinstance(given, str | Path):
            raise ValueError("must be a table in memory; give the name of a file as 'path'")
        if kind == "Series":
            raise ValueError("is a Series, one column without others: give a DataFrame")
        if not hasattr(given, "__arrow_c_stream__"):
            raise ValueError(
                "must be a table in memory: a pandas or polars DataFrame, an Arrow table or a "
                f"DuckDB relation, not {kind}"
            )
        return TableInMemory(given)

    def __str__(self) -> str:
        return _TITLES.get(self._library, "the table")

    def names(self) -> list[str]:
        """Return the names of all columns; of those that are not text, how they print.

        Raises:
            LogError: If the table cannot be read, such as a relation whose connection is closed.
        """
        with self._readable():
            # Not those of the stream, for which DuckDB would run its query once more.
            columns = getattr(self.given, "columns", None)
            if columns is None or isinstance(self.given, pa.Table):
                columns = self._stream().schema.names
            return [str(name) for name in columns]

    def read(self, names: Sequence[str]) -> pa.Table:
        """Return some columns.

        Raises:
            LogError: If the table cannot be read, or a column holds values of several types.
        """
        if self._library == "pandas":
            own = self.names()
            columns = {name: self.given.iloc[:, own.index(name)] for name in names}
            return pa.table({name: self._of_pandas(name, of) for name, of in columns.items()})
        with self._readable():
            stream = self._stream()
            schema = pa.schema([stream.schema.field(name) for name in names])
            return pa.Table.from_batches([batch.select(list(names)) for batch in stream], schema)

    @property
    def _library(self) -> str:
        return type(self.given).__module__.partition(".")[0]

    def _stream(self) -> pa.RecordBatchReader:
        table = self.given
        if self._library == "polars":  # its own types of text are not known everywhere
            import polars

            table = table.to_arrow(compat_level=polars.CompatLevel.oldest())
        return pa.RecordBatchReader.from_stream(table)

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # each library has its own; DuckDB runs the query only here
            raise LogError(f"{self} cannot be read as a table: {error}") from error

    def _of_pandas(self, name: str, column: Any) -> pa.Array | pa.ChunkedArray:
        advice = "A column must hold values of one type, such as text: df[...].astype(str)."
        if hasattr(column, "sparse"):
            column = column.sparse.to_dense()
        if len(column) and isinstance(column.iloc[0], UUID):  # which Arrow knows since version 21
            column = column.map(lambda own: str(own) if isinstance(own, UUID) else own)
        try:
            values = pa.array(column, from_pandas=True)
        except (pa.ArrowException, TypeError) as error:
            reason = str(error).rstrip(".")
            raise LogError(f"{self}, column {name!r} cannot be read: {reason}. {advice}") from error
        if isinstance(values.type, pa.BaseExtensionType) and not is_uuid(values.type):
            raise LogError(f"{self}, column {name!r} holds {column.dtype}. {advice}")
        return values


def _in_memory(given: Any) -> TableInMemory | None:
    return None if given is None else TableInMemory.of(given)


def _path(given: Any) -> Any:
    if hasattr(given, "__arrow_c_stream__"):
        raise ValueError(f"is {TableInMemory(given)}, not the name of a file: give it as 'data'")
    return given


class TableSource(BaseModel):
    """A table in a file or in memory.

    Attributes:
        path: The file: Parquet, or CSV in UTF-8 with a header, which may be packed (gzip, bz2, xz,
            zstd, lz4, or a zip archive of one file). Its content decides which. Or several, see
            `recsim.log.readers.many_files`: a pattern such as ``day-*.csv``, or a folder of
            Parquet files, partitioned or not.
        data: A table in memory instead: a pandas or polars DataFrame, an Arrow table or a DuckDB
            relation. An index of pandas is not read.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    path: Annotated[Path | None, BeforeValidator(_path)] = None
    data: Annotated[TableInMemory | None, BeforeValidator(_in_memory)] = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.data is None):
            found = "is missing: give a file," if self.path is None else "is one of two sources:"
            rest = "or a table in memory as 'data'" if self.path is None else "'data' is the other"
            raise ValueError(f"path {found} {rest}")
        return self

    @property
    def source(self) -> Path | TableInMemory:
        """The path, or the table in memory; printed, its name for messages."""
        found = self.data if self.path is None else self.path
        assert found is not None
        return found
