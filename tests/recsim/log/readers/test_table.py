import bz2
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
    with pytest.raises(LogError, match="row 1, column 'click': 'no' is not a whole number"):
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
    ({"columns": {"item": "i"}}, "must name 'click' or at least one 'feedback'"),
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


@pytest.mark.parametrize("cells", [("1", "0"), ("1.0", "0.0"), ("True", "False"), (" true", "0 ")])
def test_clicks_of_csv_are_read_as_those_of_parquet(tmp_path, cells):
    log = read(tmp_path, f"item,click\na,{cells[0]}\nb,{cells[1]}\n", columns=ONE)
    assert log.clicks.tolist() == [[1], [0]]
    assert log.clicks.dtype == np.int8
    text = f"item,click\na|b,{cells[0]}|{cells[1]}\nb,{cells[0]}\n"
    assert read(tmp_path, text, layout="lists", columns=ONE).reward.tolist() == [1, 1]


@pytest.mark.parametrize("cell", ["0.5", "2", "2.0", "yes", "-1", "1_0", "nan", "1e400"])
def test_what_is_no_click_is_refused(tmp_path, cell):
    with pytest.raises(LogError, match="line 3, column 'click': "):
        read(tmp_path, f"item,click\na,1\nb,{cell}\n", columns=ONE)


def test_numbers_of_csv_may_be_flags_or_have_spaces(tmp_path):
    columns = {"item": "item", "feedback": {"liked": "liked"}, "propensity": "p"}
    log = read(tmp_path, "item,liked,p\n3,True, 0.5\n 4 ,false,1\n", columns=columns)
    assert log.reward.tolist() == [1, 0]
    assert log.propensity.tolist() == [[0.5], [1]]
    assert log.problem.num_items == 2
    with pytest.raises(
        LogError, match="line 3, column 'p': '0,5' is not a finite number; write de"
    ):
        read(tmp_path, 'item,liked,p\n3,1,0.5\n4,0,"0,5"\n', columns=columns)


def test_rewards_without_clicks_need_weights(tmp_path):
    columns = {"item": "item", "feedback": {"watch": "a", "buy": "b"}}
    text = "item,a,b\nx,1,5\ny,0,7\n"
    with pytest.raises(LogError, match="rewards is missing: it must give the weights of watch and"):
        read(tmp_path, text, columns=columns)
    assert read(tmp_path, text, columns=columns, rewards={"buy": 2}).reward.tolist() == [10, 14]
    with pytest.raises(LogError, match="gives no reward a weight other than 0; there are watch, b"):
        read(tmp_path, text, columns=columns, rewards={"watch": 0})
    both = columns | {"click": "a"}
    assert read(tmp_path, text, columns=both).problem.rewards == {"click": 1, "watch": 0, "buy": 0}
    with pytest.raises(LogError, match=r"feedback.click has another column than columns.click"):
        read(tmp_path, text, columns={**ONE, "click": "a", "feedback": {"click": "b"}})


@pytest.mark.parametrize("weight", [1e39, float("inf"), float("nan"), -1e31])
def test_a_weight_that_cannot_be_computed_with_is_refused(tmp_path, weight):
    with pytest.raises(LogError, match=r"rewards: click: .* is no number to compute with"):
        read(tmp_path, "item,click\nx,1\n", columns=ONE, rewards={"click": weight})


def test_the_format_of_a_file_is_that_of_its_content(tmp_path):
    frame = pd.DataFrame({"item": ["a", "b"], "click": [1, 0]})
    text = frame.to_csv(index=False).encode()
    frame.to_parquet(tmp_path / "LOG.PARQUET")
    files = {"log.CSV": text, "log.csv": gzip.compress(text), "log.csv.bz2": bz2.compress(text)}
    files |= {"misnamed.csv": (tmp_path / "LOG.PARQUET").read_bytes(), "log": text}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    for name in ("LOG.PARQUET", *files):
        assert read_log("table", path=tmp_path / name, columns=ONE).reward.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("log.csv.zip", b"PK\x03\x04...", "is a zip archive or a spreadsheet: give the CSV"),
        ("log.csv", b"PK\x03\x04...", "is a zip archive or a spreadsheet: give the CSV"),
        ("log.csv.xz", b"\xfd7zXZ\x00...", "is compressed with xz"),
        ("log.csv.zst", b"\x28\xb5\x2f\xfd...", "is compressed with zstd"),
        ("log.csv", "item,click\na,1\n".encode("utf-16"), "is UTF-16: save it as UTF-8"),
        ("log.csv", "item,click\nå,1\n".encode("latin-1"), "the byte 0xe5 is not UTF-8 text"),
        ("log.csv.bz2", b"item,click\na,1\n", "is not a valid bz2 file"),
        ("log.csv.gz", b"BZh91AY&SY", "is not a valid gzip file"),
        ("log.csv", b"BZh91AY&SY\x00\x01", "is not a valid bz2 file: near line 1"),
        ("log.pq", b"item,click\na,1\n", "is not a valid Parquet file"),
        ("log.csv", b"PAR1 and then nothing", "is not a valid Parquet file"),
    ],
)
def test_a_file_of_another_format_is_refused_with_its_name(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LogError, match=message) as error:
        read_log("table", path=tmp_path / name, columns=ONE)
    assert str(tmp_path / name) in str(error.value)


@pytest.mark.parametrize(("sep", "named"), [(";", "';'"), ("\t", "a tab"), ("|", r"'\|'")])
def test_a_separator_that_was_not_declared_is_named(tmp_path, sep, named):
    text = f"item{sep}click\na{sep}1\n"
    with pytest.raises(LogError, match=f"Its fields are separated by {named}: set separator"):
        read(tmp_path, text, columns=ONE)
    assert len(read(tmp_path, text, columns=ONE, separator=sep)) == 1


def test_a_quotation_mark_that_swallows_rows_is_refused(tmp_path):
    columns = {"item": "item", "click": "click"}
    good = 'item,click,note\na,1,"two\nlines"\nb,0,"a ""quoted"" word"\n'
    assert len(read(tmp_path, good, columns=columns)) == 2
    # The field that line 2 opens ends in line 4: pyarrow alone would read one row of three.
    bad = 'item,click,note\na,1,"5 inch\nb,0,none\nc,1,"7 inch\n'
    with pytest.raises(LogError, match=r"log\.csv, near line "):
        read(tmp_path, bad, columns=columns)


@pytest.mark.parametrize("text", ["nan", "None", "NULL", "<NA>", "1.23457E+17", " "])
@pytest.mark.parametrize("key", ["user", "item", "session"])
def test_ids_that_stand_for_others_are_refused(tmp_path, key, text):
    cells = {"item": "x", "click": "1", "user": "u", "session": "s"} | {key: text}
    content = "\n".join([",".join(cells), "y,0,v,s", ",".join(cells.values()), ""])
    columns = {name: name for name in cells}
    with pytest.raises(LogError, match=f"line 3, column '{key}': "):
        read(tmp_path, content, columns=columns)


def test_ids_are_text_and_parquet_has_the_same(tmp_path):
    log = read(tmp_path, "item,click\n007,1\n7,0\n", columns=ONE)
    assert log.problem.num_items == 2
    users = {**ONE, "user": "user"}
    frame = pd.DataFrame({"item": [7, 8, 7], "click": 1, "user": [1.0, 2.0, 1.0]})
    for dtype in (float, int, str, "category"):
        frame.astype({"user": dtype}).to_parquet(tmp_path / "log.parquet")
        log = read_log("table", path=tmp_path / "log.parquet", columns=users)
        assert log.user.tolist() == [0, 1, 0]
    frame.assign(user=[2.0**53, 2.0**53 + 2, 1]).to_parquet(tmp_path / "log.parquet")
    with pytest.raises(LogError, match=r"row 0, column 'user': .* has lost digits"):
        read_log("table", path=tmp_path / "log.parquet", columns=users)
    huge = [9_007_199_254_740_993, 9_007_199_254_740_992, 1]
    frame.assign(user=huge).to_parquet(tmp_path / "log.parquet")
    frame.assign(user=huge).to_csv(tmp_path / "log.csv")
    for name in ("log.parquet", "log.csv"):
        assert read_log("table", path=tmp_path / name, columns=users).user.tolist() == [2, 1, 0]


def test_padding_is_not_an_item(tmp_path):
    with pytest.raises(
        LogError, match=r"line 2, column 'item': .* is not an item: leave padding out"
    ):
        read(tmp_path, "item,click\na|-1,1|0\n", columns=ONE, layout="lists")


def test_rows_must_be_in_the_order_of_time(tmp_path):
    columns = {**ONE, "user": "u", "day": "d"}
    text = "item,click,u,d\na,1,ann,2\nb,0,bob,1\nc,1,ann,1\n"
    with pytest.raises(LogError, match=r"line 4, column 'd': 1 is below that of the row before it"):
        read(tmp_path, text, columns=columns)
    text = "item,click,u,s,n\na,1,ann,v,0\nb,0,ann,v,2\nc,1,ann,v,1\n"
    steps = {**ONE, "user": "u", "session": "s", "step": "n"}
    with pytest.raises(LogError, match=r"line 4, column 'n': 1 is below"):
        read(tmp_path, text, columns=steps)


def test_features_that_float32_cannot_hold_are_refused(tmp_path):
    columns = {**ONE, "user_features": ["f"]}
    with pytest.raises(LogError, match=r"line 3, column 'f': 1e.39 is too large for a feature"):
        read(tmp_path, "item,click,f\na,1,2\nb,0,1e39\n", columns=columns)
