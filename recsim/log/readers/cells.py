"""From the cells of a file to numbers and text; a cell that cannot be read is named.

A CSV file writes the same value in several ways: a click is ``1``, ``1.0`` or ``True``. Parquet has
types for them. Both are read by the same rules, so that the same data give the same log.
"""

from __future__ import annotations

import math
import re
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Kind = Literal["int", "float", "text", "time"]

TYPES: dict[Kind, pa.DataType] = {
    "int": pa.int64(),
    "float": pa.float64(),
    "text": pa.string(),
    "time": pa.string(),
}
WORDS: dict[Kind, str] = {
    "int": "a whole number",
    "float": "a finite number",
    "text": "text",
    "time": "a time such as 2019-11-24 00:01:29 or seconds since 1970",
}

# What pandas, Python, databases and spreadsheets write for a missing value.
NO_VALUE = ("nan", "NaN", "None", "null", "NULL", "NaT", "<NA>", "N/A", "#N/A", "undefined")

_EXACT = 2**53  # below it float64 tells all whole numbers apart
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")
_FLAGS = ("yes", "no", "y", "n", "t", "f", "on", "off")
_SHORTENED = r"^\s*[+-]?\d(\.\d+)?[eE]\+\d+\s*$"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class CellError(Exception):
    """A cell that cannot be read.

    Attributes:
        place: Its number in the column, or among the entries of all lists.
        value: Its content; None if it is missing.
        message: What is wrong with it.
    """

    def __init__(self, place: int, value: Any, message: str) -> None:
        super().__init__(message)
        self.place = place
        self.value = value
        self.message = message


def converted(column: pa.ChunkedArray, kind: Kind) -> NDArray[Any]:
    """Return the values of a column, ``(N,)``: int64, float64 or object (text).

    Numbers may be written as text; ``true`` and ``false`` count as 1 and 0. Text loses the spaces
    at its ends.

    Args:
        column: N cells of any type that a file may have.
        kind: ``int``, ``float`` or ``text``.

    Raises:
        CellError: If a cell is missing, or is not of this kind; says which is the first.
    """
    column = plain(column)
    refuse_first(column.is_null(), column, "the entry is missing", show=False)
    if kind == "text":
        return _texts(column)
    if is_text(column.type):
        return _numbers_of_text(column, kind)
    try:
        # float64 cannot hold every whole number of 64 bits; as an amount the nearest one will do.
        values: NDArray[Any] = column.cast(TYPES[kind], safe=kind == "int").to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        for place, value in enumerate(column.to_pylist()):
            if not _parses(kind, value):
                raise CellError(place, value, f"is not {WORDS[kind]}") from None
        raise CellError(0, None, f"the column holds {column.type}, not numbers") from None
    refuse_first(~np.isfinite(values), column, f"is not {WORDS[kind]}")
    return values


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column in a plain type: no dictionary (a categorical), no view, UUIDs as text."""
    if pa.types.is_dictionary(column.type):
        values = column.type.value_type
        if pa.types.is_string_view(values):  # what polars has; no cast leads to a view
            values = pa.string()
            column = column.cast(pa.dictionary(column.type.index_type, values))
        column = column.cast(values)
    if is_uuid(column.type):
        texts = [None if value is None else str(value) for value in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])
    return column.cast(pa.string()) if pa.types.is_string_view(column.type) else column


def is_uuid(kind: pa.DataType) -> bool:
    """Return whether a column holds UUIDs."""
    return bool(getattr(kind, "extension_name", "") == "arrow.uuid")


def is_text(kind: pa.DataType) -> bool:
    """Return whether a column holds text."""
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def refuse_first(wrong: Any, column: pa.ChunkedArray, message: str, *, show: bool = True) -> None:
    """Raise a `CellError` for the first cell of ``wrong``, ``(N,)``, if there is one."""
    wrong = np.asarray(wrong)
    if wrong.any():
        place = int(np.argmax(wrong))
        raise CellError(place, column[place].as_py() if show else None, message)


def _texts(column: pa.ChunkedArray) -> NDArray[Any]:
    """Return a column as text, whole numbers in the same way whatever their type."""
    if pa.types.is_floating(column.type):
        exact = {16: 2**11, 32: 2**24}.get(column.type.bit_width, _EXACT)
        values = column.cast(pa.float64()).to_numpy()
        refuse_first(~np.isfinite(values), column, "is not finite")
        lost = np.abs(values) >= exact
        refuse_first(lost, column, "is a number that has lost digits: write ids as text")
        if (values == np.floor(values)).all():
            column = column.cast(pa.int64())
    try:
        if pa.types.is_fixed_size_binary(column.type):
            raise pa.ArrowInvalid("These are bytes.")
        text = column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise CellError(0, None, f"the column holds {column.type}, not text") from None
    return np.asarray(pc.utf8_trim_whitespace(text).to_numpy(), dtype=object)


def check_ids(column: pa.ChunkedArray) -> None:
    """Refuse ids that stand for others.

    Those that a program has shortened, such as ``1.23457E+17``, and words that programs write where
    a value is missing, such as ``nan``: unrelated rows would become one user, session or item.

    Raises:
        CellError: For the first such id.
    """
    column = plain(column)
    if is_text(column.type):
        wrong = pc.fill_null(pc.match_substring_regex(column, _SHORTENED), False)
        message = "is a number that has lost digits: write ids in full, as text"
        refuse_first(wrong, column, message)
        absent = pc.is_in(pc.utf8_trim_whitespace(column), pa.array(NO_VALUE, column.type))
        refuse_first(absent, column, "is not an id, but stands for a missing one")


def _numbers_of_text(column: pa.ChunkedArray, kind: Kind) -> NDArray[Any]:
    text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    lower = pc.utf8_lower(text)
    no = pc.if_else(pc.equal(lower, "false"), "0", text)
    flags = pc.if_else(pc.equal(lower, "true"), "1", no)
    try:
        if kind == "int":
            try:
                return np.asarray(flags.cast(pa.int64()).to_numpy())
            except pa.ArrowInvalid:  # written as 1.0
                return np.asarray(flags.cast(pa.float64()).cast(pa.int64()).to_numpy())
        values: NDArray[Any] = flags.cast(pa.float64()).to_numpy()
        refuse_first(~np.isfinite(values), column, f"is not {WORDS[kind]}")
        return values
    except pa.ArrowInvalid:
        pass
    for place, value in enumerate(flags.to_pylist()):
        if value == "":
            raise CellError(place, None, "the entry is missing")
        if not _parses(kind, value):
            raise CellError(place, column[place].as_py(), f"is not {WORDS[kind]}{_advice(value)}")
    raise CellError(0, None, f"the column cannot be read as {WORDS[kind]}")


def _advice(text: str) -> str:
    """Return what to write in place of text that is not a number."""
    if _DECIMAL_COMMA.fullmatch(text):
        return "; write decimals with a point"
    if text.lower() in _FLAGS:
        return "; write 1 or true for yes, 0 or false for no"
    return ""


def is_number(text: str) -> bool:
    """Return whether a cell of text is a finite number, or true or false."""
    return text.strip().lower() in ("true", "false") or _parses("float", text.strip())


def _parses(kind: Kind, value: Any) -> bool:
    """Return whether one cell is a number of this kind."""
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            return False
        if kind == "int" and re.fullmatch(r"[+-]?\d+", value):
            return -(2**63) <= int(value) < 2**63
    try:
        number = float(value)
    except (ValueError, OverflowError, TypeError):
        return False
    if kind == "int":
        return number.is_integer() and abs(number) < 2**63
    return math.isfinite(number)
