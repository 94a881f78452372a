"""Times: dates with and without a zone, and numbers of several units."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from recsim.errors import LogError
from recsim.log import SlateLog, make_reader, read_log
from recsim.log.readers.cells import CellError
from recsim.log.readers.times import seconds

COLUMNS = {"item": "item", "click": "click", "time": "t"}
START = 1_574_553_689  # 2019-11-24 00:01:29
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def read(folder: Path, times: list[Any], **options: Any) -> SlateLog:
    path = folder / "log.csv"
    rows = [f"{row},1,{time}" for row, time in enumerate(times)]
    path.write_text("\n".join(["item,click,t", *rows, ""]))
    return read_log("table", path=path, columns=COLUMNS, **options)


@pytest.mark.parametrize("unit", PER_SECOND)
@pytest.mark.parametrize("declared", [True, False])
def test_the_unit_of_numbers_is_inferred_or_declared(tmp_path, unit, declared):
    times = [(START + hours * 3600) * PER_SECOND[unit] for hours in (0, 23, 24, 48)]
    options = {"time_unit": unit} if declared else {}
    assert read(tmp_path, times, **options).day.tolist() == [0, 0, 1, 2]
    frame = pd.DataFrame({"item": range(4), "click": 1, "t": times})
    frame.to_parquet(tmp_path / "log.parquet")
    log = read_log("table", path=tmp_path / "log.parquet", columns=COLUMNS, **options)
    assert log.day.tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize("unit", PER_SECOND)
def test_every_unit_means_the_same_second(unit):
    numbers = pa.chunked_array([[START * PER_SECOND[unit]]])
    assert seconds(numbers).tolist() == [START]
    assert seconds(numbers.cast(pa.string())).tolist() == [START]


def test_the_rule_by_size_at_its_bounds():
    least, most = 10**8, 4_200_000_000
    assert seconds(pa.chunked_array([[0, most]])).tolist() == [0, most]
    for unit in ("ms", "us", "ns"):
        factor = PER_SECOND[unit]
        assert seconds(pa.chunked_array([[least * factor]])).tolist() == [least]
        assert seconds(pa.chunked_array([[most * factor]])).tolist() == [most]
        for outside in (least * factor - factor, most * factor + factor):
            with pytest.raises(CellError, match="is not between 1973 and 2103 if read"):
                seconds(pa.chunked_array([[outside]]))


@pytest.mark.parametrize(
    ("times", "line"),
    [
        ([START, START * 1000], 3),
        ([START * 1000, START * 1000, START], 4),
        ([START * 1000, 0], 3),
        ([START * 10**6, START * 1000], 3),
    ],
)
def test_mixed_units_are_refused(tmp_path, times, line):
    with pytest.raises(LogError, match=f"line {line}, column 't': .* has another unit than the fi"):
        read(tmp_path, times)


def test_a_declared_unit_is_believed(tmp_path):
    # A clock that starts at 0, in milliseconds.
    day = 86_400_000
    assert read(tmp_path, [0, day - 1, day], time_unit="ms").day.tolist() == [0, 0, 1]
    for unit, right in (("s", "ms"), ("ms", "us"), ("us", "ns")):
        times = [START * PER_SECOND[unit], START * PER_SECOND[right]]
        with pytest.raises(LogError, match=f"line 3, column 't': .*; time_unit: {right} would fit"):
            read(tmp_path, times, time_unit=unit)
    with pytest.raises(LogError, match="is not a time in nanoseconds since 1970: it would lie aft"):
        read(tmp_path, [1e21], time_unit="ns")
    with pytest.raises(LogError, match=r"table\.time_unit: must be 's', 'ms', 'us' or 'ns'"):
        make_reader("table", path="log.csv", columns=COLUMNS, time_unit="h")
    with pytest.raises(LogError, match=r"time_unit has no effect without columns.time"):
        make_reader("table", path="log.csv", columns={"item": "i", "click": "c"}, time_unit="s")


def test_whole_numbers_that_are_dates_are_refused(tmp_path):
    with pytest.raises(LogError, match=r"line 2, column 't': '?20191124.* is a date, or seconds"):
        read(tmp_path, [20191124, 20191125])
    assert read(tmp_path, [20191124, 20191125], time_unit="s").day.tolist() == [0, 0]
    with pytest.raises(LogError, match="is not between 1973 and 2103 if read"):
        read(tmp_path, [20191124000129])


@pytest.mark.parametrize(
    ("times", "line", "message"),
    [
        ([START, "", START], 3, "the entry is missing"),
        ([START, "x", START], 3, "'x' is not a number of seconds since 1970, as the first"),
        (["", START], 2, "the entry is missing"),
        ([START, "nan"], 3, "'nan' is not a number"),
        ([START, "inf"], 3, "'inf' is not a number"),
        ([START, "2019-11-24"], 3, "'2019-11-24' is not a number"),
        (["2019-11-24", START], 3, "is not a time such as"),
        (["2019-11-24", "24.11.2019"], 3, "'24.11.2019' is not a time such as"),
        (["2019-11-24 10:00", "2019-11-24 10:00Z"], 3, "has a time zone, and the first time has n"),
        (["2019-11-24 10:00+01:00", "2019-11-24 10:00"], 3, "has no time zone, and the first time"),
        (["2019-13-24"], 2, "'2019-13-24' is not a time such as"),
    ],
)
def test_the_line_of_a_bad_time_is_named(tmp_path, times, line, message):
    with pytest.raises(LogError, match=f"line {line}, column 't': .*{message}"):
        read(tmp_path, times)


@pytest.mark.parametrize(
    "text",
    [
        "2019-11-24 00:01:29",
        "2019-11-24T00:01:29Z",
        "2019-11-24 01:01:29+01:00",
        "2019-11-24 00:01:29.000000+00:00",
        "2019-11-23T19:01:29-0500",
        "20191124T000129Z",
    ],
)
def test_dates_are_read_with_their_zone(text):
    assert seconds(pa.chunked_array([[text]])).tolist() == [START]


def test_typed_times_of_parquet_are_read():
    moment = datetime(2019, 11, 24, 0, 1, 29, tzinfo=UTC)
    here = moment.astimezone(timezone(timedelta(hours=5)))
    for unit in PER_SECOND:
        for zone in (None, "UTC", "Asia/Tokyo"):
            column = pa.array([moment]).cast(pa.timestamp(unit, tz=zone))
            assert seconds(pa.chunked_array([column])).tolist() == [START]
    assert seconds(pa.chunked_array([pa.array([here])])).tolist() == [START]
    nanoseconds = pa.array([START * 10**9 + 7]).cast(pa.timestamp("ns"))
    assert seconds(pa.chunked_array([nanoseconds])).tolist() == [START]
    day = pa.array([moment.date()])
    assert seconds(pa.chunked_array([day])).tolist() == [START - 89]
    large = pa.array(["2019-11-24 00:01:29"], pa.large_string())
    assert seconds(pa.chunked_array([large])).tolist() == [START]
    with pytest.raises(CellError, match="which has no date"):
        seconds(pa.chunked_array([pa.array([np.timedelta64(3, "s")])]))
