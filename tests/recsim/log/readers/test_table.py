import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsim.errors import LogError
from recsim.log import SlateLog, make_reader, read_log


def read(folder: Path, text: str, **options: Any) -> SlateLog:
    path = folder / "log.csv"
    path.write_text(text)
    return read_log("table", path=path, **options)


ONE = {"item": "item", "click": "click"}

IMPRESSIONS = """\
who,visit,when,page,place,item,click,p,minutes,age,city
ann,v1,2020-01-01 10:00,a,2,x,1,0.5,3.5,30,Oslo
bob,v1,2020-01-03 09:00,b,1,y,0,0.25,0,40,Rome
ann,v1,2020-01-01 10:00,a,1,z,0,0.125,0.5,30,Oslo
ann,v2,2020-01-02 00:00,c,7,x,0,1.0,1,30,Oslo
ann,v1,2020-01-01 10:05,d,1,x,0,1.0,0,30,Oslo
"""


def test_impressions_become_slates(tmp_path):
    log = read(
        tmp_path,
        IMPRESSIONS,
        columns={
            "item": "item",
            "click": "click",
            "propensity": "p",
            "slate": "page",
            "position": "place",
            "user": "who",
            "session": "visit",
            "time": "when",
            "feedback": {"watch": "minutes"},
            "user_features": ["age"],
            "user_categories": ["city"],
        },
        rewards={"watch": 2.0},
    )
    # In the order of time: pages a, d, c of ann, then b of bob. Items x, y, z are 0, 1, 2.
    assert log.slate.tolist() == [[2, 0], [0, -1], [0, -1], [1, -1]]
    assert log.clicks.tolist() == [[0, 1], [0, 0], [0, 0], [0, 0]]
    assert log.propensity.tolist() == [[0.125, 0.5], [1, 1], [1, 1], [0.25, 1]]
    assert log.position.tolist() == [[1, 2], [1, -1], [7, -1], [1, -1]]
    assert log.user.tolist() == [0, 0, 0, 1]
    assert log.session.tolist() == [0, 0, 1, 0]
    assert log.step.tolist() == [0, 1, 0, 0]
    assert log.day.tolist() == [0, 0, 1, 2]
    assert log.feedback["click"].tolist() == [1, 0, 0, 0]
    assert log.feedback["watch"].tolist() == [4.0, 0, 1, 0]
    assert log.problem.rewards == {"click": 0.0, "watch": 2.0}
    assert log.user_features.tolist() == [[30, 1, 0], [40, 0, 1]]
    assert not log.anonymous


def test_without_a_user_every_line_is_a_user_of_its_own(tmp_path):
    log = read(tmp_path, "item,click\n10,0\n9,1\n10,1\n", columns=ONE)
    assert log.anonymous
    assert not log.adaptive
    assert read(tmp_path, "item,click\nx,1\n", columns=ONE, adaptive=True).adaptive
    assert log.user.tolist() == [0, 1, 2]
    assert log.slate.tolist() == [[1], [0], [1]]  # whole numbers sort as numbers: 9, 10
    assert log.reward.tolist() == [0, 1, 1]
    assert log.propensity is None


def test_lists_and_columns_give_the_same_log(tmp_path):
    lists = read(
        tmp_path,
        "items,clicks,p,q\na|b,0|1,0.5|0.25,0.2\nc|a,0|0,0.5|0.5,0.1\n",
        layout="lists",
        columns={"item": "items", "click": "clicks", "propensity": "p", "slate_propensity": "q"},
    )
    columns = read(
        tmp_path,
        "i,j,c,d,p1,p2,q\na,b,0,1,0.5,0.25,0.2\nc,a,0,0,0.5,0.5,0.1\n",
        layout="columns",
        columns={
            "item": ["i", "j"],
            "click": ["c", "d"],
            "propensity": ["p1", "p2"],
            "slate_propensity": "q",
        },
    )
    for log in (lists, columns):
        assert log.slate.tolist() == [[0, 1], [2, 0]]
        assert log.clicks.tolist() == [[0, 1], [0, 0]]
        assert log.propensity.tolist() == [[0.5, 0.25], [0.5, 0.5]]
        assert log.slate_propensity.tolist() == [0.2, 0.1]


def test_lists_of_different_length_are_padded(tmp_path):
    log = read(tmp_path, "item,click\na|b|c,0|1|0\nd,1\n", layout="lists", columns=ONE)
    assert log.slate.tolist() == [[0, 1, 2], [3, -1, -1]]
    assert log.feedback["click"].tolist() == [1, 1]


def test_parquet_with_lists_and_times(tmp_path):
    frame = pd.DataFrame(
        {
            "item": [[3, 1], [0]],
            "click": [[True, False], [False]],
            "when": pd.to_datetime(["2020-01-02 01:00", "2020-01-01 23:00"]),
            "user": [7, 7],
        }
    )
    frame.to_parquet(tmp_path / "log.parquet")
    log = read_log(
        "table",
        path=tmp_path / "log.parquet",
        layout="lists",
        num_items=5,
        columns={"item": "item", "click": "click", "time": "when", "user": "user"},
    )
    assert log.slate.tolist() == [[0, -1], [3, 1]]
    assert log.clicks.tolist() == [[0, 0], [1, 0]]
    assert log.day.tolist() == [0, 1]
    assert log.problem.num_items == 5


def test_the_catalogue_may_be_a_file(tmp_path):
    (tmp_path / "items.csv").write_text("id,kind,price\nb,toy,3\nc,book,1.5\na,toy,2\n")
    items = {
        "path": tmp_path / "items.csv",
        "item": "id",
        "group": "kind",
        "features": ["price"],
        "categories": ["kind"],
    }
    log = read(tmp_path, "item,click\na,0\nb,1\n", columns=ONE, items=items)
    assert log.slate.tolist() == [[2], [0]]
    assert log.problem.item_groups.tolist() == [1, 0, 1]
    assert log.problem.item_features.tolist() == [[3, 0, 1], [1.5, 1, 0], [2, 0, 1]]
    with pytest.raises(
        LogError, match=r"line 3, column 'item': 'd' is not an item of .*items\.csv"
    ):
        read(tmp_path, "item,click\na,0\nd,1\n", columns=ONE, items=items)
    (tmp_path / "items.csv").write_text("id\na\nb\na\n")
    again = {"path": tmp_path / "items.csv", "item": "id"}
    with pytest.raises(LogError, match=r"items\.csv, line 4, column 'id': 'a' is listed twice"):
        read(tmp_path, "item,click\na,0\n", columns=ONE, items=again)


MALFORMED = [
    ("item,click\na,1\n\nb,x\n", {}, "line 4, column 'click': 'x' is not a whole number"),
    ("item,click\na,1\nb\n", {}, "line 3: 1 fields, but the header names 2"),
    ("item,click\na,1,5\n", {}, "line 2: 3 fields, but the header names 2"),
    ("item,click\na,1\nb,2\n", {}, "line 3, column 'click': 2 is not a click: 0 or 1"),
    ("item,click\na,\n", {}, "line 2, column 'click': the entry is missing"),
    ("item,click\n,1\n", {}, "line 2, column 'item': '' is not an item: it is empty"),
    ('item,click\n"a\nb",1\nc,9\n', {}, "line 4, column 'click': 9 is not a click"),
    ("item,clik\na,1\n", {}, "has no column 'click'. Did you mean 'clik'?"),
    ("item,click,click\na,1,0\n", {}, "names the column 'click' twice"),
    ("", {}, "is empty; its first line must name the columns"),
    ("item,click\n", {}, "has no rows"),
    ("item,click\n9,1\n", {"num_items": 5}, "line 2, column 'item': 9 is not an item of the cat"),
    ("item,click\na|b,1\n", {"layout": "lists"}, "column 'click': '1' is not as long as the list"),
    ("item,click\na|b,1|u\n", {"layout": "lists"}, "line 2, column 'click': 'u' in the list is no"),
    (
        "item,click,p\na,1,0.5\nb,0,0\n",
        {"columns": {**ONE, "propensity": "p"}},
        r"line 3, column 'p': 0.0 is not a probability in \(0, 1\]",
    ),
    (
        "item,click,p\na,1,0.5\nb,0,inf\n",
        {"columns": {**ONE, "propensity": "p"}},
        "line 3, column 'p': inf is not a finite number",
    ),
    (
        "item,click,p\na,1,0.5\nb,0,1.5\n",
        {"columns": {**ONE, "slate_propensity": "p"}},
        "line 3, column 'p': 1.5 is not a probability",
    ),
    (
        "item,click,t\na,1,2020-01-01\nb,0,yesterday\n",
        {"columns": {**ONE, "time": "t"}},
        "line 3, column 't': 'yesterday' is not a time",
    ),
    (
        "item,click,s,u\na,1,q,ann\nb,0,q,bob\n",
        {"columns": {**ONE, "slate": "s", "user": "u"}},
        "line 3, column 'u': 'bob' differs from the first line of its slate",
    ),
    (
        "item,click,s,p\na,1,q,1\nb,0,q,1\n",
        {"columns": {**ONE, "slate": "s", "position": "p"}},
        "line 3, column 'p': 1 occurs twice in one slate",
    ),
]


@pytest.mark.parametrize(("text", "options", "message"), MALFORMED)
def test_a_malformed_row_is_named(tmp_path, text, options, message):
    with pytest.raises(LogError, match=message) as error:
        read(tmp_path, text, **{"columns": ONE} | options)
    assert str(tmp_path / "log.csv") in str(error.value)


def test_a_malformed_row_of_a_parquet_file_is_named(tmp_path):
    path = tmp_path / "log.parquet"
    pd.DataFrame({"item": ["a", "b"], "click": ["1", "no"]}).to_parquet(path)
    with pytest.raises(
        LogError, match="row 1, column 'click': 'no' is not a whole number; write 1 or"
    ):
        read_log("table", path=path, columns=ONE)
    pd.DataFrame({"item": ["a", None], "click": [1, 0]}).to_parquet(path)
    with pytest.raises(LogError, match="row 1, column 'item': the entry is missing"):
        read_log("table", path=path, columns=ONE)
    path.write_bytes(b"not parquet")
    with pytest.raises(LogError, match="is not a valid Parquet file"):
        read_log("table", path=path, columns=ONE)


def test_missing_files_and_files_that_are_not_text(tmp_path):
    with pytest.raises(LogError, match=r"log\.csv does not exist\. Give the table"):
        read_log("table", path=tmp_path / "log.csv", columns=ONE)
    with pytest.raises(LogError, match="is a folder, not a file"):
        read_log("table", path=tmp_path, columns=ONE)
    (tmp_path / "log.csv").write_bytes(b"item,click\n\xff\xfe,1\n")
    with pytest.raises(LogError, match="near line"):
        read_log("table", path=tmp_path / "log.csv", columns=ONE)


WRONG_OPTIONS = [
    ({"colums": ONE}, "table.colums: unknown key. Did you mean 'columns'?"),
    ({"columns": {"itm": "i"}}, "table.columns.itm: unknown key. Did you mean 'item'?"),
    ({"columns": {"item": "i", "propensity": "p"}}, "must name 'click' or at least one 'feedback'"),
    ({"columns": {**ONE, "item": ["a"]}}, "columns.item must be one column in the layout 'impres"),
    ({"columns": ONE, "layout": "columns"}, "columns.item must be a list of columns"),
    ({"columns": {**ONE, "session": "s"}}, "columns.session needs columns.user"),
    ({"columns": {**ONE, "slate": "s"}, "layout": "lists"}, "columns.slate has no effect outside"),
    ({"columns": ONE, "rewards": {"clik": 1}}, "rewards.clik is not one of click"),
    ({"columns": ONE, "num_items": 0}, "table.num_items: must be greater than or equal to 1"),
    ({"columns": ONE, "num_items": 1, "items": {"path": "x", "item": "i"}}, "not both"),
]


@pytest.mark.parametrize(("options", "message"), WRONG_OPTIONS)
def test_wrong_options_are_refused_with_what_would_be_right(options, message):
    with pytest.raises(LogError, match=message):
        make_reader("table", path="log.csv", **options)


def test_gzip_and_byte_order_mark(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes("item;click\na;1\nb;0\n".encode("utf-8-sig"))
    assert read_log("table", path=path, columns=ONE, separator=";").reward.tolist() == [1, 0]
    pd.DataFrame({"item": ["a", "b"], "click": [1, 7]}).to_csv(tmp_path / "log.csv.gz", index=False)
    with pytest.raises(LogError, match="line 3, column 'click': 7 is not a click"):
        read_log("table", path=tmp_path / "log.csv.gz", columns=ONE)


def test_numbers_as_seconds_are_times(tmp_path):
    text = f"item,click,t\na,1,{86_400 * 3 + 5}\nb,0,{86_400 * 2}\n"
    log = read(tmp_path, text, columns={**ONE, "time": "t"})
    assert log.slate.tolist() == [[1], [0]]
    assert log.day.tolist() == [0, 1]
    assert log.day.dtype == np.int64


@pytest.mark.parametrize(
    "damage", [lambda packed: b"item,click\nx,1\n", lambda packed: packed[:-9]]
)
def test_damaged_gzip_is_refused(tmp_path, damage):
    text = "item,click\n" + "".join(f"i{k},{k % 2}\n" for k in range(500))
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    assert len(read_log("table", path=path, columns=ONE)) == 500
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(LogError, match=r"log\.csv\.gz is not a valid gzip file: near line "):
        read_log("table", path=path, columns=ONE)


@pytest.mark.parametrize("key", ["user", "session", "slate"])
def test_a_missing_key_is_refused_with_its_place(tmp_path, key):
    columns = {**ONE, "user": "user", "session": "session", "slate": "slate"}
    cells = {"user": "ann", "session": "s", "slate": "a"}
    rows = [",".join(["x,1", *cells.values()]), ",".join(["y,0", *(cells | {key: ""}).values()])]
    text = "\n".join(["item,click,user,session,slate", *rows, ""])
    with pytest.raises(LogError, match=rf"log\.csv, line 3, column '{key}': the entry is missing"):
        read(tmp_path, text, columns=columns)


ENDS = "who,item,click,left,cut\nann,x,1,0,0\nann,y,0,1,0\nbob,x,0,0,0\nbob,y,1,0,1\n"
LEFT = ONE | {"user": "who", "terminated": "left"}


def test_ends_of_episodes(tmp_path):
    log = read(tmp_path, ENDS, columns=LEFT | {"truncated": "cut"})
    assert log.terminated.tolist() == [False, True, False, False]
    assert log.truncated.tolist() == [False, False, False, True]
    log = read(tmp_path, ENDS.replace("0,0\n", "False,False\n"), columns=LEFT)
    assert log.terminated.tolist() == [False, True, False, False]
    assert not log.truncated.any()
    assert read(tmp_path, ENDS, columns=ONE).terminated is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ENDS.replace("0,1,0", "0,2,0"), r"log.csv, line 3, column 'left': 2 is neither 0 nor 1"),
        (ENDS.replace("0,1,0", "0,1,1"), r"log.csv, line 3, column 'left': 1 is set, and so is"),
        (ENDS.replace("0,1,0", "0,,0"), r"log.csv, line 3, column 'left': the entry is missing"),
    ],
)
def test_wrong_ends_of_episodes_are_refused(tmp_path, text, message):
    with pytest.raises(LogError, match=message):
        read(tmp_path, text, columns=LEFT | {"truncated": "cut"})


def test_lines_of_a_slate_end_alike(tmp_path):
    text = "page,item,click,left\n1,x,1,0\n1,y,0,1\n"
    with pytest.raises(LogError, match="line 3, column 'left': 1 differs from the first line"):
        read(tmp_path, text, columns=ONE | {"slate": "page", "terminated": "left"})
