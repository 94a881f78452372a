"""Which names the ids of files become: text or whole numbers, with their leading zeros."""

import numpy as np
import pandas as pd
import pytest

from recsim.log import read_log

COLUMNS = {"item": "item", "click": "click", "user": "user"}


def names(log):
    return list(log.item_names), list(log.user_names)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["7", "10", "9"], [7, 9, 10]),  # all whole: numbers, in their order
        (["007", "7", "10"], ["007", "7", "10"]),  # two items; one leading zero makes all text
        (["7", "A7", "10"], ["10", "7", "A7"]),
        (["0", "-3", "5"], [-3, 0, 5]),
        (["+7", "7", "8"], ["+7", "7", "8"]),
        (["7.0", "8", "9"], ["7.0", "8", "9"]),
        ([str(2**63), "1", "2"], ["1", "2", str(2**63)]),
    ],
)
def test_ids_of_a_csv_are_numbers_only_if_all_are_written_as_such(tmp_path, ids, expected):
    path = tmp_path / "log.csv"
    lines = [f"{one},1,{one},{time}" for time, one in enumerate(ids * 3)]
    path.write_text("\n".join(["item,click,user,timestamp", *lines]))
    for log in (read_log("table", path=path, columns=COLUMNS), read_log("events", path=path)):
        assert names(log) == (expected, expected)
    as_text = {"path": path, "text_ids": True}
    for log in (read_log("table", columns=COLUMNS, **as_text), read_log("events", **as_text)):
        assert names(log) == ([str(one) for one in expected],) * 2


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([7, 10, 9], [7, 9, 10]),
        (["7", "10", "9"], ["7", "9", "10"]),  # Parquet tells text from numbers
        (pd.Categorical(["7", "10", "9"]), ["7", "9", "10"]),
        (np.array([7, 10, 9], dtype=np.uint8), [7, 9, 10]),
        ([7.0, 10.0, 9.0], [7, 9, 10]),  # a column that had gaps
    ],
)
def test_a_typed_column_keeps_its_type(tmp_path, ids, expected):
    path = tmp_path / "log.parquet"
    frame = pd.DataFrame({"item": ids, "user": ids, "click": 1, "timestamp": 0})
    frame = pd.concat([frame] * 3).assign(timestamp=range(9))
    frame.to_parquet(path)
    for log in (read_log("table", path=path, columns=COLUMNS), read_log("events", path=path)):
        assert names(log) == (expected, expected)


@pytest.mark.parametrize("ids", [["007", "7"], [7, 8]])
def test_ids_in_lists_and_in_several_columns(tmp_path, ids):
    columns = {"layout": "columns", "columns": {"item": ["a", "b"], "click": ["c", "d"]}}
    (tmp_path / "log.csv").write_text(f"a,b,c,d\n{ids[0]},{ids[1]},0,1\n")
    wide = read_log("table", path=tmp_path / "log.csv", **columns)
    (tmp_path / "lists.csv").write_text(f"item,click\n{ids[0]}|{ids[1]},0|1\n")
    lists = {"layout": "lists", "columns": {"item": "item", "click": "click"}}
    narrow = read_log("table", path=tmp_path / "lists.csv", **lists)
    pd.DataFrame({"item": [ids], "click": [[0, 1]]}).to_parquet(tmp_path / "lists.parquet")
    typed = read_log("table", path=tmp_path / "lists.parquet", **lists)
    for log in (wide, narrow, typed):
        assert list(log.item_names) == ids
        assert log.user_names is None  # anonymous


def test_the_catalogue_of_a_table_names_all_its_items(tmp_path):
    (tmp_path / "items.csv").write_text("sku,price\n010,3\n9,4\n10,5\n")
    (tmp_path / "log.csv").write_text("item,click\n9,1\n010,0\n")
    columns = {"item": "item", "click": "click"}
    items = {"path": tmp_path / "items.csv", "item": "sku", "features": ["price"]}
    log = read_log("table", path=tmp_path / "log.csv", columns=columns, items=items)
    assert list(log.item_names) == ["010", "9", "10"]
    assert log.slate[:, 0].tolist() == [1, 0]
    (tmp_path / "log.csv").write_text("item,click\n2,1\n0,0\n")
    log = read_log("table", path=tmp_path / "log.csv", columns=columns, num_items=3)
    assert log.item_names is None  # ids are numbers from 0 already


@pytest.mark.parametrize("text_ids", [False, True])
def test_lines_of_sequences(tmp_path, text_ids):
    (tmp_path / "lines.txt").write_text("12 5 7 5\n3 7 9 7 5\n8 1 2\n")
    log = read_log("sequences", path=tmp_path / "lines.txt", text_ids=text_ids)
    # User 8 has two events only, and with them items 1 and 2 are gone.
    expected = ([5, 7, 9], [3, 12])
    assert names(log) == (tuple([*map(str, ids)] for ids in expected) if text_ids else expected)
    (tmp_path / "lines.txt").write_text("12 05 7 05\n3 7 9 7 05\n")
    log = read_log("sequences", path=tmp_path / "lines.txt")
    assert names(log) == (["05", "7", "9"], [3, 12])
