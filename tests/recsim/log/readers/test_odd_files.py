"""Odd files: each is read right, or refused with file, line and column."""

import bz2
import gzip
import io
import lzma
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from recsim.errors import LogError
from recsim.log import SlateLog, read_log

ONE = {"item": "item", "click": "click"}


def zipped(**files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


PACKED = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda text: pa.compress(text, "zstd", asbytes=True),
    "lz4": lambda text: pa.compress(text, "lz4", asbytes=True),
    "zip": lambda text: zipped(**{"__MACOSX/x": b"", "log.csv": text}),
}


def read(folder: Path, text: str, **options: Any) -> SlateLog:
    path = folder / "log.csv"
    path.write_text(text)
    return read_log("table", path=path, **options)


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
    with pytest.raises(
        LogError, match=r"rewards: click: must be finite and at most 1e\+15 in size, not"
    ):
        read(tmp_path, "item,click\nx,1\n", columns=ONE, rewards={"click": weight})


def test_the_format_of_a_file_is_that_of_its_content(tmp_path):
    frame = pd.DataFrame({"item": ["a", "b"], "click": [1, 0]})
    text = frame.to_csv(index=False).encode()
    frame.to_parquet(tmp_path / "LOG.PARQUET")
    files = {"log.CSV": text, "log.csv": gzip.compress(text)}
    files |= {f"log.csv.{ending}": pack(text) for ending, pack in PACKED.items()}
    files |= {f"{ending}.csv": pack(text) for ending, pack in PACKED.items()}
    files |= {"misnamed.csv": (tmp_path / "LOG.PARQUET").read_bytes(), "log": text}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    for name in ("LOG.PARQUET", *files):
        assert read_log("table", path=tmp_path / name, columns=ONE).reward.tolist() == [1, 0]


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
def test_a_wrong_cell_of_a_packed_file_has_its_line(tmp_path, pack):
    path = tmp_path / "log.csv"
    path.write_bytes(pack(b"item,click\n" + b"a,1\n" * 5000 + b"b,7\n"))
    with pytest.raises(LogError, match=r"log\.csv, line 5002, column 'click': 7 is not a click"):
        read_log("table", path=path, columns=ONE)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("log.csv.zip", b"PK\x03\x04...", "is not a valid zip file: near line 1: File is not"),
        ("log.csv", b"PK\x03\x04...", "is not a valid zip file"),
        ("log.csv.zip", zipped(), "is a zip archive without a file"),
        ("log.csv.zip", zipped(a=b"i,c\n", b=b"i,c\n"), "is a zip archive of 2 files: a, b"),
        ("log.csv.zip", zipped(a=b"PAR1...."), "is a zip archive of a Parquet file: unpack it"),
        ("log.xlsx", zipped(**{"[Content_Types].xml": b"<x/>"}), "is a spreadsheet: save its"),
        ("log.csv.zip", b"item,click\na,1\n", "is not a valid zip file: near line 1: unpack or"),
        ("log.csv.xz", b"\xfd7zXZ\x00...", "is not a valid xz file: near line 1"),
        ("log.csv.zst", b"\x28\xb5\x2f\xfd...", "is not a valid zstd file: near line 1"),
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
    with pytest.raises(LogError, match=r"line 3, column 'f': 1e.39 is too large to compute with"):
        read(tmp_path, "item,click,f\na,1,2\nb,0,1e39\n", columns=columns)
    reward = {"item": "item", "feedback": {"r": "f"}}
    with pytest.raises(LogError, match=r"line 3, column 'f': 1e.20 is too large to compute with"):
        read(tmp_path, "item,click,f\na,1,2\nb,0,1e20\n", columns=reward)


def test_dates_are_not_numbers_of_days(tmp_path):
    text = "item,click,d\na,1,20191130\nb,0,20191201\n"  # 71 days apart as numbers
    with pytest.raises(LogError, match=r"line 2, column 'd': 20191130 is a date, not the num"):
        read(tmp_path, text, columns={**ONE, "day": "d"})


def test_one_column_may_have_several_roles(tmp_path):
    text = "item,click,user,d\n2,1,007,0\n0,0,7,0\n1,1,007,1\n"
    roles = {**ONE, "user": "user", "session": "d", "day": "d", "user_features": ["user"]}
    log = read(tmp_path, text, columns=roles | {"feedback": {"seen": "click"}}, num_items=3)
    assert log.user.tolist() == [0, 1, 0]  # ids are text
    assert log.session.tolist() == [0, 0, 1]
    assert log.day.tolist() == [0, 0, 1]
    assert log.day.dtype == log.slate.dtype == np.int64
    assert log.user_features.tolist() == [[7], [7]]
    assert log.feedback["seen"].tolist() == [1, 0, 1]
    same = {**ONE, "user": "item", "time": "d", "day": "d"}
    log = read(tmp_path, text, columns=same, num_items=3)
    assert log.slate[:, 0].tolist() == [2, 0, 1]
    assert log.user.tolist() == [2, 0, 1]
    assert log.day.dtype == np.int64
    with pytest.raises(LogError, match=r"line 4, column 'item': '1' is not an item"):
        read(tmp_path, "item,click,d\n0,1,0\n0,0,0\n1,0,1\n", columns=same, num_items=1)
