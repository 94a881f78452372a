"""Tables in several files."""

import tarfile

import numpy as np
import pandas as pd
import pytest

from recsim.errors import LogError
from recsim.log import read_log

COLUMNS = {"item": "sku", "click": "click", "user": "who", "time": "at"}
FRAME = pd.DataFrame(
    {
        "who": [*"abcab"],
        "sku": ["x", "y", "z", "y", "x"],
        "click": [1, 0, 0, 1, 1],
        "at": pd.date_range("2024-05-01", periods=5, freq="12h"),
        "day": ["2024-05-01", "2024-05-01", "2024-05-02", "2024-05-02", "2024-05-03"],
    }
)


@pytest.fixture
def whole(tmp_path):
    FRAME.to_csv(tmp_path / "whole.csv", index=False)
    return read_log("table", path=tmp_path / "whole.csv", columns=COLUMNS)


def read(path, **columns):
    return read_log("table", path=path, columns={**COLUMNS, **columns})


def assert_same(log, other):
    pd.testing.assert_frame_equal(log.to_pandas(), other.to_pandas())
    np.testing.assert_array_equal(log.time, other.time)


@pytest.mark.parametrize("pattern", ["part-*.csv", "part-?.csv", "**/part-[12].csv"])
def test_a_pattern_reads_its_files_in_the_order_of_their_names(tmp_path, whole, pattern):
    FRAME[3:].to_csv(tmp_path / "part-2.csv", index=False)
    FRAME[:3].to_csv(tmp_path / "part-1.csv", index=False)
    assert_same(read(tmp_path / pattern), whole)


def test_a_file_whose_name_is_a_pattern_is_that_file(tmp_path, whole):
    FRAME.to_csv(tmp_path / "log[1].csv", index=False)
    FRAME[:1].to_csv(tmp_path / "log1.csv", index=False)
    assert_same(read(tmp_path / "log[1].csv"), whole)


def test_packed_parts_are_read(tmp_path, whole):
    FRAME[:2].to_csv(tmp_path / "part-1.csv.gz", index=False)
    FRAME[2:].to_csv(tmp_path / "part-2.csv", index=False)
    assert_same(read(tmp_path / "part-*"), whole)


def test_a_partitioned_folder_is_read_with_its_keys(tmp_path, whole):
    folder = tmp_path / "log"
    FRAME.to_parquet(folder, partition_cols=["day"], index=False)
    (folder / "_SUCCESS").touch()
    (folder / "_delta").mkdir()
    FRAME.to_parquet(folder / "_delta" / "old.parquet", index=False)
    log = read(folder, session="day")
    assert_same(log, read(tmp_path / "whole.csv", session="day"))
    assert len(set(log.session.tolist())) == 2


def test_a_missing_key_is_missing(tmp_path):
    FRAME.assign(day=["1", None, "2", "2", "3"]).to_parquet(
        tmp_path / "log", partition_cols=["day"], index=False
    )
    with pytest.raises(LogError, match="column 'day': the entry is missing"):
        read(tmp_path / "log", session="day")


def test_types_of_parts_are_joined(tmp_path):
    for number, ids in enumerate((["7", "8"], ["007", "x"])):
        frame = pd.DataFrame({"sku": ids, "click": [0, 1]})
        frame.to_csv(tmp_path / f"{number}.csv", index=False)
    log = read_log("table", path=tmp_path / "?.csv", columns={"item": "sku", "click": "click"})
    assert list(log.problem.item_names) == ["007", "7", "8", "x"]
    # One cell of one part is written otherwise.
    (tmp_path / "2.csv").write_text("sku,click\n9,True\n")
    log = read_log("table", path=tmp_path / "?.csv", columns={"item": "sku", "click": "click"})
    assert log.clicks.ravel().tolist() == [0, 1, 0, 1, 1]


def test_a_wrong_cell_is_named_by_its_own_file_and_line(tmp_path):
    FRAME.to_csv(tmp_path / "part-1.csv", index=False)
    FRAME.assign(click=[1, 0, 7, 1, 1]).to_csv(tmp_path / "part-2.csv", index=False)
    with pytest.raises(LogError, match=r"part-2\.csv, line 4, column 'click': 7 is not a click"):
        read(tmp_path / "part-*.csv")
    (tmp_path / "part-2.csv").write_text("who,sku,at\n")
    with pytest.raises(LogError, match=r"part-2\.csv has no column 'click'"):
        read(tmp_path / "part-*.csv")


def test_types_that_do_not_fit_are_named(tmp_path):
    for number, clicks in enumerate(([1, 0], [[1], [0]])):
        frame = pd.DataFrame({"sku": ["a", "b"], "click": clicks})
        frame.to_parquet(tmp_path / f"{number}.parquet", index=False)
    with pytest.raises(LogError, match=r"'click': holds int64 in .*0\.parquet and list"):
        read_log("table", path=tmp_path, columns={"item": "sku", "click": "click"})


def test_nothing_to_read_is_refused(tmp_path):
    with pytest.raises(LogError, match="no file fits this pattern"):
        read(tmp_path / "part-*.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(LogError, match="is a folder, not a file"):
        read(tmp_path / "empty")
    FRAME.to_csv(tmp_path / "a.csv", index=False)
    FRAME.to_parquet(tmp_path / "b.parquet", index=False)
    with pytest.raises(LogError, match="holds CSV and Parquet files"):
        read(tmp_path / "?.*")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_files_without_rows_count_for_nothing(tmp_path, whole, ending):
    folder = tmp_path / "days"
    folder.mkdir()
    for number, part in enumerate((FRAME[:0], FRAME[:3], FRAME[3:3], FRAME[3:])):
        path = folder / f"{number}.{ending}"
        part.to_csv(path, index=False) if ending == "csv" else part.to_parquet(path)
    assert_same(read(folder / f"*.{ending}"), whole)
    with pytest.raises(LogError, match=r"0\.\w+ has no rows"):
        read(folder / f"0.{ending}")
    with pytest.raises(LogError, match=r"\[02\]\.\w+ has no rows"):
        read(folder / f"[02].{ending}")


def test_a_categorical_in_one_file_fits_text_in_another(tmp_path, whole):
    folder = tmp_path / "days"
    folder.mkdir()
    FRAME[:3].astype({"sku": "category"}).to_parquet(folder / "0.parquet")
    FRAME[3:].to_parquet(folder / "1.parquet")
    assert_same(read(folder), whole)


def test_an_archive_of_files_is_no_text(tmp_path):
    FRAME.to_csv(tmp_path / "log.csv", index=False)
    with tarfile.open(tmp_path / "log.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "log.csv", "log.csv")
    with pytest.raises(LogError, match=r"log\.tar\.gz is not text, perhaps a tar archive: unpack"):
        read(tmp_path / "log.tar.gz")
