import uuid

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim.errors import LogError
from recsim.log import read_log

COLUMNS = {"item": "sku", "click": "bought", "user": "who", "time": "at", "propensity": "p"}
FRAME = pd.DataFrame(
    {
        "who": ["ann", "bob", "ann", "007"],
        "sku": ["a1", "7", "b2", "a1"],
        "bought": [True, False, True, False],
        "at": pd.to_datetime(["2024-05-01", "2024-05-02", "2024-05-03", "2024-05-03"]),
        "p": [0.5, 0.25, 0.25, 1.0],
    }
)


def as_polars(frame):
    return pytest.importorskip("polars").from_pandas(frame)


def as_arrow_of_polars(frame):
    """Return an Arrow table with the types that polars itself has."""
    pl = pytest.importorskip("polars")
    return as_polars(frame).with_columns(pl.col("sku").cast(pl.Categorical)).to_arrow()


CONNECTIONS = []  # before version 2, DuckDB closes them with the last reference


def as_duckdb(frame):
    duckdb = pytest.importorskip("duckdb")
    CONNECTIONS.append(duckdb.connect())
    return CONNECTIONS[-1].from_df(frame)


def as_arrow(frame):
    return pa.Table.from_pandas(frame, preserve_index=False)


def as_batches(frame):
    return as_arrow(frame).to_reader(max_chunksize=2)


KINDS = {
    "pandas": lambda frame: frame,
    "pandas, an index": lambda frame: frame.set_index(np.arange(len(frame))[::-1]),
    "pandas, categories": lambda frame: frame.astype({"sku": "category"}),
    "pandas, objects": lambda frame: frame.astype(
        {name: object for name in ("sku", "who") if name in frame}
    ),
    "pandas, sparse": lambda frame: frame.assign(
        **{
            name: pd.arrays.SparseArray(frame[name])
            for name in ("bought", "price")
            if name in frame
        }
    ),
    "polars": as_polars,
    "arrow of polars, categories": as_arrow_of_polars,
    "duckdb": as_duckdb,
    "arrow": as_arrow,
    "batches": as_batches,
}


def assert_same_log(own, other):
    pd.testing.assert_frame_equal(own.to_pandas(), other.to_pandas())
    for names in ("item_names", "user_names"):
        mine, theirs = getattr(own.problem, names), getattr(other.problem, names)
        assert mine == theirs
        assert list(mine) == list(theirs)


@pytest.fixture(scope="module")
def from_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "log.parquet"
    FRAME.to_parquet(path, index=False)
    return read_log("table", path=path, columns=COLUMNS)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_table_in_memory_gives_the_log_of_its_file(from_file, kind):
    log = read_log("table", data=kind(FRAME), columns=COLUMNS)
    assert_same_log(log, from_file)
    assert list(log.problem.item_names) == ["7", "a1", "b2"]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_events_and_catalogues_can_be_in_memory(kind):
    events = pd.DataFrame(
        {"who": ["a"] * 3 + ["b"] * 3, "sku": [*"xyz", *"zyx"], "at": [1, 2, 3, 1, 2, 3]}
    )
    items = pd.DataFrame({"sku": [*"xyz"], "price": [1.0, 2.0, 4.0]})
    log = read_log(
        "events", data=kind(events), user="who", item="sku", timestamp="at", items=kind(items)
    )
    assert log.problem.item_features.ravel().tolist() == [1.0, 2.0, 4.0]
    assert log.slate.ravel().tolist() == [0, 2, 1, 1, 2, 0]


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1),
            st.integers(0, 2**63 - 1),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_ids_and_their_types_are_kept(rows):
    frame = pd.DataFrame({"who": [f"u{user}" for user, _ in rows], "sku": [n for _, n in rows]})
    columns = {"item": "sku", "user": "who"}
    log = read_log("table", data=frame, columns=columns)
    names = list(log.problem.item_names)
    assert sorted(names) == sorted(frame["sku"].unique().tolist())
    assert all(isinstance(name, int) for name in names)
    text = read_log("table", data=frame.astype({"sku": str}), columns=columns)
    assert list(text.problem.item_names) == [str(name) for name in names]
    for kind in (as_polars, as_arrow, as_duckdb):
        assert_same_log(read_log("table", data=kind(frame), columns=columns), log)


def test_uuids_are_text():
    ids = [uuid.UUID(int=number) for number in (3, 1, 2, 3)]
    frames = FRAME.assign(sku=ids), FRAME.assign(sku=[str(own) for own in ids])
    mine, theirs = (read_log("table", data=frame, columns=COLUMNS) for frame in frames)
    assert_same_log(mine, theirs)
    assert next(iter(mine.problem.item_names)) == "00000000-0000-0000-0000-000000000001"


def test_bytes_are_no_ids():
    table = as_arrow(FRAME).set_column(1, "sku", pa.array([b"ab"] * 4, pa.binary(2)))
    with pytest.raises(LogError, match="column 'sku': the column holds fixed_size_binary"):
        read_log("table", data=table, columns=COLUMNS)


def test_a_table_in_the_place_of_a_name_is_refused():
    with pytest.raises(
        LogError, match=r"not a DataFrame\. A table in memory is data: read_log\('t"
    ):
        read_log(FRAME, columns=COLUMNS)


def test_without_rewards_every_line_is_a_click():
    frame = FRAME[["who", "sku", "at"]]
    log = read_log("table", data=frame, columns={"item": "sku", "user": "who", "time": "at"})
    assert log.clicks.ravel().tolist() == [1, 1, 1, 1]
    assert log.feedback["click"].tolist() == [1.0, 1.0, 1.0, 1.0]
    assert log.problem.rewards == {"click": 1.0}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"propensity": "p"}, "every line is a click, and columns.propensity is of what was shown"),
        ({"slate": "who"}, "columns.slate is of what was shown"),
    ],
)
def test_lines_without_rewards_are_no_impressions(more, message):
    with pytest.raises(LogError, match=message):
        read_log("table", data=FRAME, columns={"item": "sku", **more})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sku": ["a", None, "b", "c"]}, "the pandas DataFrame, row 1, column 'sku': the entry is"),
        ({"sku": ["a", 3, "b", "c"]}, r"column 'sku' cannot be read: .*astype\(str\)"),
        ({"bought": [1, 0, 2, 0]}, "row 2, column 'bought': 2 is not a click: 0 or 1"),
        ({"bought": [1, 0, np.nan, 0]}, "row 2, column 'bought': the entry is missing"),
        ({"p": [0.5, 0.0, 1.0, 1.0]}, "row 1, column 'p': 0.0 is not a prob"),
        ({"at": [1, 2, 3, None]}, "row 3, column 'at': the entry is missing"),
    ],
)
def test_a_wrong_cell_is_named(change, message):
    with pytest.raises(LogError, match=message):
        read_log("table", data=FRAME.assign(**change), columns=COLUMNS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "path is missing: give a file, or a table in memory as 'data'"),
        ({"data": FRAME, "path": "a.csv"}, "path is one of two sources"),
        ({"data": "log.csv"}, "data: must be a table in memory; give the name of a file as 'path'"),
        (
            {"path": FRAME},
            "path: is the pandas DataFrame, not the name of a file: give it as 'data'",
        ),
        ({"data": {"sku": [1]}}, "Arrow table or a DuckDB relation, not dict"),
        ({"data": FRAME["sku"]}, "is a Series"),
        ({"data": FRAME.rename(columns={"sku": "skus"})}, "no column 'sku'. Did you mean 'skus'"),
        ({"data": FRAME[["sku", *FRAME.columns]]}, "names the column 'sku' twice"),
        ({"data": FRAME[:0]}, "the pandas DataFrame has no rows"),
    ],
)
def test_a_wrong_source_is_refused(options, message):
    with pytest.raises(LogError, match=message):
        read_log("table", columns=COLUMNS, **options)


def test_names_of_columns_may_be_numbers():
    numbered = FRAME.rename(columns={"sku": 0, "bought": 1})
    log = read_log("table", data=numbered, columns={"item": "0", "click": "1"})
    assert log.clicks.ravel().tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("kind", ["Categorical", "Enum"])
def test_categories_of_polars_are_text(from_file, kind):
    polars = pytest.importorskip("polars")
    dtype = polars.Categorical if kind == "Categorical" else polars.Enum(["b2", "a1", "7"])
    frame = as_polars(FRAME).with_columns(polars.col("sku").cast(dtype))
    assert_same_log(read_log("table", data=frame, columns=COLUMNS), from_file)


def test_a_type_that_is_no_value_is_refused():
    days = pd.period_range("2024-05-01", periods=4, freq="D")
    with pytest.raises(LogError, match=r"column 'sku' holds period\[D\]"):
        read_log("table", data=FRAME.assign(sku=days), columns=COLUMNS)


def test_a_relation_that_cannot_be_computed_is_refused():
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect()
    wrong = connection.sql("select 'a' as sku, error('no such shop') as bought")
    with pytest.raises(LogError, match=r"the DuckDB relation cannot be read .*no such shop"):
        read_log("table", data=wrong, columns={"item": "sku", "click": "bought"})
    relation = connection.from_df(FRAME)
    connection.close()
    with pytest.raises(LogError, match="already been closed"):
        read_log("table", data=relation, columns=COLUMNS)


def test_a_lazy_frame_is_refused():
    lazy = as_polars(FRAME).lazy()
    with pytest.raises(LogError, match=r"LazyFrame, which is not computed yet: give its collect"):
        read_log("table", data=lazy, columns=COLUMNS)
