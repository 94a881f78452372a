"""Lists in the cells of a CSV file, as several programs write them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsim.errors import LogError
from recsim.log import SlateLog, read_log
from recsim.log.readers.cells import CellError
from recsim.log.readers.list_cells import split_cells

LISTS: dict[str, Any] = {"layout": "lists", "columns": {"item": "item", "click": "click"}}


def read(folder: Path, text: str, **options: Any) -> SlateLog:
    path = folder / "log.csv"
    path.write_text(text)
    return read_log("table", path=path, **LISTS | options)


def split(*cells: str, separator: str = "|") -> list[list[str]]:
    return split_cells(pa.array(cells), separator).to_pylist()


PRINTED = [
    ("3|5|7", ["3", "5", "7"]),
    (" 3 | 5 ", ["3", "5"]),
    ("a", ["a"]),
    ("[1, 2, 3]", ["1", "2", "3"]),
    ("[1]", ["1"]),
    ("[]", []),
    ("[1, 2, 3,]", ["1", "2", "3"]),
    ("(1, 2)", ["1", "2"]),
    ("(1,)", ["1"]),
    ("('a', 'b')", ["a", "b"]),
    ("[1 2 3]", ["1", "2", "3"]),
    ("[ 1  2\n 13]", ["1", "2", "13"]),
    ("[0.5 1.e-05]", ["0.5", "1.e-05"]),
    ("['a', 'b']", ["a", "b"]),
    ("['a' 'b']", ["a", "b"]),
    ('["a", "b"]', ["a", "b"]),
    ("['new york, ny', \"o'hare\"]", ["new york, ny", "o'hare"]),
    (r"['o\'hare']", ["o'hare"]),
    ("['(500) Days', '[REC]']", ["(500) Days", "[REC]"]),
    ("[a, b c]", ["a", "b c"]),
    ("[True, False]", ["True", "False"]),
    ("[True False]", ["True", "False"]),
    ("[np.int64(3), np.int64(4)]", ["3", "4"]),
    ("[np.float64(0.5)]", ["0.5"]),
    ("(500) Days|Heat (1995)", ["(500) Days", "Heat (1995)"]),
    ("(untitled)", ["(untitled)"]),
    ("Heat (1995)|Up (2009)", ["Heat (1995)", "Up (2009)"]),
]


@pytest.mark.parametrize(("cell", "entries"), PRINTED)
def test_printed_lists_are_read(cell, entries):
    assert split(cell) == [entries]
    # Also among cells of other kinds, and among simple ones, which are read in bulk.
    assert split("[1, 2]", cell, "['x']") == [["1", "2"], entries, ["x"]]
    assert split("[1, 2]", cell) == [["1", "2"], entries]


@pytest.mark.parametrize(
    "cell",
    [
        "[1, 2",
        "[1, 2)",
        "[[1, 2], [3]]",
        "[1 2, 3]",
        "[new york]",
        "['a' b]",
        "['a, 'b']",
        "[1, None]",
        "[nan]",
        "[1, , 2]",
        "{1, 2}",
        "array([1, 2])",
        "[   0    1 ...  998  999]",
        "[None, 'a']",
    ],
)
def test_what_is_no_list_is_refused(cell):
    with pytest.raises(CellError) as error:
        split("[5, 6]", cell)
    assert error.value.place == 1


@given(st.lists(st.text(max_size=8).map(str.strip).filter(lambda t: t not in ("", "nan"))))
def test_lists_of_text_survive_python_and_json(texts):
    simple = [t for t in texts if t.isprintable() and "\\" not in t]
    assert split(json.dumps(simple, ensure_ascii=False)) == [simple]
    assert split(str(simple)) == [simple]


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=6))
def test_lists_of_numbers_survive_python_numpy_and_json(numbers):
    wanted = [str(number) for number in numbers]
    for text in (str(numbers), json.dumps(numbers), str(np.array(numbers)), str(tuple(numbers))):
        assert split(text) == [wanted]


@pytest.mark.parametrize(("cells", "mark"), [(("1,2", "3"), ","), (("a;b", "c;d"), ";")])
def test_another_separator_than_the_declared_one_is_refused(cells, mark):
    with pytest.raises(CellError, match=r"is not separated by .\|.: set list_separator"):
        split(*cells)
    assert split(*cells, separator=mark) == [cell.split(mark) for cell in cells]


def test_what_pandas_writes_is_read_back(tmp_path):
    items = [[3, 1, 2], [4], [1, 3]]
    clicks = [[0, 1, 0], [1], [0, 0]]
    frame = pd.DataFrame({"item": items, "click": clicks})
    frame.to_csv(tmp_path / "log.csv", index=False)
    frame.to_parquet(tmp_path / "log.parquet")
    texts = frame.assign(item=[[f"sku {i}" for i in row] for row in items])
    texts.to_csv(tmp_path / "texts.csv", index=False)
    arrays = frame.map(np.array)
    arrays.to_csv(tmp_path / "arrays.csv", index=False)
    for name in ("log.csv", "log.parquet", "texts.csv", "arrays.csv"):
        log = read_log("table", path=tmp_path / name, **LISTS)
        assert log.slate.tolist() == [[2, 0, 1], [3, -1, -1], [0, 2, -1]]
        assert log.clicks.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
        assert log.problem.num_items == 4


def test_a_list_in_a_column_for_one_item_is_refused(tmp_path):
    text = 'item,click\n4,0\n"[1, 2]",1\n'
    with pytest.raises(LogError, match=r"line 3, column 'item': '\[1, 2\]' is a list: use the lay"):
        read(tmp_path, text, layout="impressions")


def test_the_line_of_a_bad_list_is_named(tmp_path):
    with pytest.raises(LogError, match=r"line 3, column 'item': '\[1, 2' is not a list"):
        read(tmp_path, 'item,click\n"[1, 2]","[0, 1]"\n"[1, 2","[0, 1]"\n')
    with pytest.raises(LogError, match="line 3, column 'click': 'x' in the list is not a whole nu"):
        read(tmp_path, 'item,click\n"[1, 2]","[0, 1]"\n"[1, 2]","[0, x]"\n')
    with pytest.raises(LogError, match=r"line 2, column 'item': '2\|2' is in the slate already"):
        read(tmp_path, "item,click\n2|2,0|1\n")
