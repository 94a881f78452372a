"""Names and types survive every way into a log, and a saved log."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim.log import SlateLog, read_log
from recsim.log.readers.cells import NO_VALUE, CellError, check_ids

COLUMNS = {
    **{"item": "sku", "click": "bought", "user": "who", "time": "at", "logger": "policy"},
    "target_propensity": {"A": "p_a", "B é": "p_b"},
    "feedback": {"pay": "pay"},
}


def is_id(text):
    """Return whether a text is an id; some stand for a missing one."""
    try:
        check_ids(pa.chunked_array([[text]]))
    except CellError:
        return False
    return text.strip() not in ("", "-1", *NO_VALUE) and text.isprintable()


TEXTS = st.one_of(
    st.from_regex(r"0*[0-9]{1,4}", fullmatch=True),
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=6),
    st.sampled_from(["a,b", 'a"b', "a|b", "a'b", "ü x", "True", "1.0", "x;y", "#1"]),
).filter(is_id)
ROWS = st.lists(
    st.tuples(
        TEXTS,
        TEXTS,
        st.booleans(),
        st.sampled_from(["A", "B é"]),
        st.floats(1e-6, 1.0),
        st.floats(-1e6, 1e6),
    ),
    min_size=1,
    max_size=8,
)


def frame_of(rows, whole):
    """Return a table; items are whole numbers or text."""
    who, sku, bought, policy, p, pay = (list(column) for column in zip(*rows, strict=True))
    items = [sum(map(ord, name)) for name in sku] if whole else sku
    who = [f"u{name}" for name in who]  # in CSV, users who are all whole numbers are numbers
    table = {"who": who, "sku": items, "bought": bought, "policy": policy, "pay": pay}
    table |= {"p_a": p, "p_b": [1.0 - value / 2 for value in p]}
    at = pd.date_range("2024-05-01", periods=len(rows), freq="7h", tz="UTC")
    return pd.DataFrame(table).assign(at=at)


def in_memory():
    """Yield names and functions from a pandas DataFrame to other tables of the same content."""
    yield "arrow", lambda frame: pa.Table.from_pandas(frame, preserve_index=False)
    yield "categories", lambda frame: frame.astype({"who": "category", "policy": "category"})
    yield "nullable", lambda frame: frame.convert_dtypes()
    polars = pytest.importorskip("polars")
    yield "polars", polars.from_pandas
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect()
    yield "duckdb", connection.from_df


def assert_same(log, other, way):
    pd.testing.assert_frame_equal(log.to_pandas(), other.to_pandas(), obj=way)
    for name in ("item_names", "user_names"):
        mine, theirs = getattr(log, name).values, getattr(other, name).values
        assert mine.dtype == theirs.dtype, way
        assert mine.tolist() == theirs.tolist(), way
    assert log.logger_names == other.logger_names, way
    assert log.target_propensities.keys() == other.target_propensities.keys(), way
    np.testing.assert_array_equal(log.time, other.time, err_msg=way)


@settings(deadline=None, max_examples=20)
@given(ROWS, st.booleans())
def test_names_and_types_survive_every_way(rows, whole):
    frame = frame_of(rows, whole)
    options = {"columns": COLUMNS, "text_ids": not whole}
    log = read_log("table", data=frame, **options)
    known = set(frame["sku"] if whole else frame["sku"].str.strip())
    assert set(log.item_names.values.tolist()) == known
    assert set(log.logger_names) == set(frame["policy"])
    for way, table in in_memory():
        assert_same(read_log("table", data=table(frame), **options), log, way)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frame.to_csv(folder / "log.csv", index=False)
        frame.to_csv(folder / "log.csv.gz", index=False)
        frame.to_parquet(folder / "log.parquet", index=False)
        (folder / "parts").mkdir()
        for number, part in enumerate((frame[:2], frame[2:])):
            part.to_parquet(folder / "parts" / f"{number}.parquet", index=False)
        for file in ("log.csv", "log.csv.gz", "log.parquet", "parts"):
            assert_same(read_log("table", path=folder / file, **options), log, file)
        saved = log.save(folder / "saved")
        assert_same(SlateLog.load(saved), log, "saved")
        pieces = list(SlateLog.scan(saved, batch_rows=3))
        assert_same(SlateLog.concat(pieces, same_users=True), log, "pieces")
