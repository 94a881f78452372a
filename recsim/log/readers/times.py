"""Times in a file: dates, or numbers whose unit is declared or follows from their size.

Numbers are times since 1970. Without a declared unit it follows from their size:

==================  ==============  ============================
size                unit            years that it means
==================  ==============  ============================
below 4.2e9         seconds         up to 2103
1e11 ... 4.2e12     milliseconds    1973 to 2103
1e14 ... 4.2e15     microseconds    1973 to 2103
1e17 ... 4.2e18     nanoseconds     1973 to 2103
==================  ==============  ============================

All numbers of a column must have one unit. Other sizes are refused, and so are whole numbers that
all read as dates (20191124): as seconds they would lie in 1970. With a declared unit, numbers are
refused that would lie after the year 5138, such as milliseconds that are declared as seconds.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsim.arrays import Floats, Ints
from recsim.log.readers.cells import WORDS, CellError, converted, is_text, plain, refuse_first

TimeUnit = Literal["s", "ms", "us", "ns"]

_PER_SECOND: dict[TimeUnit, float] = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_NAMES: dict[TimeUnit, str] = {
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
}
_EARLIEST, _LATEST = 1e8, 4.2e9  # seconds: March 1973, February 2103
_FARTHEST = 1e11  # seconds: November 5138; milliseconds since 1973 are more
_ZONE = r"(?i)[:T ]\d+([.,]\d+)?\s*(Z|[+-]\d\d(:?\d\d)?|UTC|GMT)\s*$"
_SECONDS_A_DAY = 86_400


def seconds(column: pa.ChunkedArray, unit: TimeUnit | None = None) -> Floats:
    """Return times as seconds since 1970 (UTC), ``(N,)``; dates without a zone are taken as UTC.

    Args:
        column: N times: of a type for times, or numbers, or text that holds either.
        unit: Unit of numbers; None to infer it from their size.

    Raises:
        CellError: If a time is missing or cannot be read, some have a zone and others none, or
            numbers have several units or one that cannot be inferred; says which is the first.
    """
    column = plain(column)
    refuse_first(column.is_null(), column, "the entry is missing", show=False)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        zone = getattr(column.type, "tz", None)
        micro = column.cast(pa.timestamp("us", tz=zone), safe=False).cast(pa.int64())
        return np.asarray(micro.to_numpy() / 1e6)
    if pa.types.is_temporal(column.type):
        raise CellError(0, None, f"the column holds {column.type}, which has no date")
    if not is_text(column.type):
        return _of_numbers(column, converted(column, "float"), unit)
    text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    refuse_first(pc.equal(text, ""), column, "the entry is missing", show=False)
    # What the first cell is decides how all are read, so that the message names the odd one.
    if _is_number(text[0].as_py()):
        wrong = [not _is_number(value) for value in text.to_pylist()]
        refuse_first(wrong, column, f"is not a number of {_unit_words(unit)}, as the first time is")
        return _of_numbers(column, text.cast(pa.float64()).to_numpy(), unit)
    return _of_dates(column, text)


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text))) and "_" not in text
    except ValueError:
        return False


def _unit_words(unit: TimeUnit | None) -> str:
    return f"{_NAMES[unit] if unit else 'seconds'} since 1970"


def _of_numbers(column: pa.ChunkedArray, values: Floats, unit: TimeUnit | None) -> Floats:
    refuse_first(~np.isfinite(values), column, f"is not {WORDS['time']}")
    if unit is None:
        unit = _inferred(column, values)
    else:
        _check_declared(column, values, unit)
    return values / _PER_SECOND[unit]


def _check_declared(column: pa.ChunkedArray, values: Floats, unit: TimeUnit) -> None:
    """Refuse times that cannot have the declared unit, as they would lie after the year 5138."""
    beyond = np.abs(values) >= _FARTHEST * _PER_SECOND[unit]
    if beyond.any():
        size = abs(float(values[np.argmax(beyond)]))
        fitting = [u for u, per in _PER_SECOND.items() if size <= _LATEST * per]
        right = f"; time_unit: {fitting[0]} would fit" if fitting else ""
        message = f"is not a time in {_NAMES[unit]} since 1970: it would lie after the year 5138"
        refuse_first(beyond, column, f"{message}{right}")


def _inferred(column: pa.ChunkedArray, values: Floats) -> TimeUnit:
    """Return the unit of a column of numbers, which its size tells."""
    advice = "declare the unit with time_unit: s, ms, us or ns"
    size = np.abs(values)
    units: list[TimeUnit] = ["s", "ms", "us", "ns"]
    of_each = np.full(len(values), -1)
    for number, unit in enumerate(units):
        least = _EARLIEST * _PER_SECOND[unit] if number else 0.0
        of_each[(size >= least) & (size <= _LATEST * _PER_SECOND[unit])] = number
    unknown = (
        f"is not between 1973 and 2103 if read as seconds, milli-, micro- or nanoseconds: {advice}"
    )
    refuse_first(of_each < 0, column, unknown)
    unit = units[int(of_each[0])] if len(values) else "s"
    if len(values):
        mixed = f"has another unit than the first time, which is in {_NAMES[unit]}: {advice}"
        refuse_first(of_each != of_each[0], column, mixed)
    if unit == "s" and len(values) and are_dates(values):
        raise CellError(
            0, column[0].as_py(), f"is a date, or seconds in 1970: write 2019-11-24, or {advice}"
        )
    return unit


def are_dates(values: Floats | Ints) -> bool:
    """Return whether all numbers are dates such as 20191124."""
    if not ((values >= 19_000_101) & (values <= 21_001_231) & (values == np.floor(values))).all():
        return False
    month, day = values // 100 % 100, values % 100
    return bool(((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)).all())


def _of_dates(column: pa.ChunkedArray, text: pa.ChunkedArray) -> Floats:
    import pandas as pd

    series = pd.Series(text.to_numpy())
    times = pd.to_datetime(series, utc=True, format="ISO8601", errors="coerce")
    refuse_first(times.isna().to_numpy(), column, f"is not {WORDS['time']}")
    zoned = np.asarray(pc.match_substring_regex(text, _ZONE))
    if len(zoned) and zoned.any() and not zoned.all():
        what = (
            "no time zone, and the first time has one"
            if zoned[0]
            else ("a time zone, and the first time has none")
        )
        refuse_first(zoned != zoned[0], column, f"has {what}")
    return np.asarray(times.to_numpy("datetime64[us]").astype(np.int64) / 1e6)


def whole_days(seconds: Floats) -> Ints:
    """Return calendar days (UTC), counted from the earliest day, ``(N,)``.

    Args:
        seconds: Seconds since 1970, ``(N,)``.
    """
    days: Ints = (seconds // _SECONDS_A_DAY).astype(np.int64)
    earliest: np.int64 = days.min(initial=2**62)
    return days - earliest
