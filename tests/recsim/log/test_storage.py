import json
import math
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recsim.errors import LogError
from recsim.log import SlateLog, read_log
from recsim.log.storage import write_log
from recsim.problem import Problem

COLUMNS = ("user", "session", "day", "step", "slate", "clicks", "propensity", "user_features")
OPTIONAL = ("slate_propensity", "prefix_propensity", "position", "candidates")


def assert_same(one: SlateLog, other: SlateLog) -> None:
    for name in (*COLUMNS, *OPTIONAL):
        column, expected = getattr(one, name), getattr(other, name)
        assert (column is None) == (expected is None), name
        if column is not None:
            assert column.dtype == expected.dtype, name
            assert np.array_equal(column, expected), name
    for mapped in ("feedback", "target_propensities"):
        mine, theirs = getattr(one, mapped), getattr(other, mapped)
        assert mine.keys() == theirs.keys()
        for name in mine:
            assert np.array_equal(mine[name], theirs[name]), name
    assert (one.anonymous, one.adaptive) == (other.anonymous, other.adaptive)
    assert one.problem.rewards == other.problem.rewards
    assert np.array_equal(one.problem.item_features, other.problem.item_features)
    assert np.array_equal(one.problem.item_groups, other.problem.item_groups)
    for name in ("num_items", "slate_size", "num_candidates", "user_feature_dim"):
        assert getattr(one.problem, name) == getattr(other.problem, name), name


@pytest.mark.parametrize("anonymous", [False, True])
@pytest.mark.parametrize("features", [0, 3])
@pytest.mark.parametrize("full", [False, True])
def test_a_saved_log_loads_unchanged(random_log, tmp_path, anonymous, features, full):
    log = random_log(40, anonymous=anonymous, features=features)
    if full:
        log = replace(
            log,
            slate_propensity=np.full(40, 0.25),
            position=np.arange(80).reshape(40, 2),
            candidates=np.tile(np.arange(7), (40, 1)),
            adaptive=True,
            target_propensities={"new": np.full((40, 2), 0.5), "p.old": np.zeros((40, 2))},
        )
    folder = log.save(tmp_path / "deep" / "log")
    assert_same(SlateLog.load(folder), log)
    assert_same(read_log("saved", path=folder), log)
    chunks = list(SlateLog.scan(folder, batch_rows=7))
    assert [len(chunk) for chunk in chunks] == [7, 7, 7, 7, 7, 5]
    assert_same(SlateLog.concat(chunks, same_users=True), log)
    assert [path.name for path in folder.parent.iterdir()] == ["log"]


def test_a_log_saved_by_version_0_1_loads():
    # Written by SlateRec 0.1.0 with every optional column.
    folder = Path(__file__).with_name("saved_0_1")
    log = SlateLog.load(folder)
    expected = SlateLog(
        problem=Problem(
            num_items=3,
            slate_size=2,
            user_feature_dim=1,
            item_features=np.array([[0.5], [1.0], [-1.0]], dtype=np.float32),
            item_groups=np.array([0, 1, 0]),
            rewards={"click": 1.0, "watch": 0.5},
        ),
        user=np.array([0, 1, 0]),
        session=np.array([0, 0, 1]),
        day=np.array([0, 1, 2]),
        step=np.array([0, 0, 0]),
        slate=np.array([[2, 0], [1, -1], [0, 2]]),
        clicks=np.array([[1, 0], [0, 0], [1, 1]], dtype=np.int8),
        feedback={"click": np.array([1.0, 0.0, 2.0]), "watch": np.array([4.0, 0.0, 2.5])},
        user_features=np.array([[0.25], [-0.25]], dtype=np.float32),
        propensity=np.array([[0.5, 0.5], [0.25, 1.0], [0.125, 1.0]]),
        slate_propensity=np.array([0.25, 0.25, 0.125]),
        prefix_propensity=np.array([[0.5, 0.25], [0.25, 0.25], [0.125, 0.125]]),
        position=np.array([[1, 2], [1, -1], [3, 4]]),
        candidates=np.tile([0, 1, 2], (3, 1)),
    )
    assert_same(log, expected)
    assert_same(SlateLog.concat(list(SlateLog.scan(folder, 2)), same_users=True), expected)


@pytest.mark.parametrize("anonymous", [False, True])
def test_writing_in_chunks_equals_writing_at_once(random_log, tmp_path, anonymous):
    log = random_log(40, anonymous=anonymous)
    chunks = (log.select(slice(start, start + 15)) for start in range(0, 40, 15))
    write_log(tmp_path / "log", chunks)
    assert_same(SlateLog.load(tmp_path / "log"), log)
    write_log(tmp_path / "some", [log, replace(log, adaptive=True)])
    assert SlateLog.load(tmp_path / "some").adaptive
    again = SlateLog.concat(list(SlateLog.scan(tmp_path / "log", 11)), same_users=True)
    assert_same(again, log)


def test_a_malformed_log_writes_nothing(random_log, tmp_path):
    log = random_log(4)
    bad = replace(log, user=np.array([0, 1, 2, 99]))
    with pytest.raises(LogError, match="row 3: user 99"):
        write_log(tmp_path / "log", [log, bad])
    with pytest.raises(LogError, match="nothing to write"):
        write_log(tmp_path / "log", [])
    with pytest.raises(LogError, match=r"differ in problem\.num_items"):
        write_log(tmp_path / "log", [log, random_log(4, items=9)])
    assert list(tmp_path.iterdir()) == []


def test_only_a_log_is_replaced_and_only_with_overwrite(random_log, tmp_path):
    folder = random_log(4).save(tmp_path / "log")
    other = random_log(6, seed=1)
    with pytest.raises(LogError, match=r"already holds a log: .* set overwrite=True"):
        other.save(folder)
    assert len(SlateLog.load(folder)) == 4
    other.save(folder, overwrite=True)
    assert len(SlateLog.load(folder)) == 6
    other_folder = tmp_path / "other_folder"
    other_folder.mkdir()
    (other_folder / "thesis.txt").write_text("years of work")
    with pytest.raises(LogError, match="is not a log: choose another folder"):
        other.save(other_folder, overwrite=True)
    assert (other_folder / "thesis.txt").read_text() == "years of work"


def test_what_is_not_a_log_is_refused(random_log, tmp_path):
    with pytest.raises(LogError, match="There is no log at"):
        SlateLog.load(tmp_path / "nowhere")
    with pytest.raises(LogError, match=r"its problem\.json is missing or has another format"):
        SlateLog.load(tmp_path)
    folder = random_log(4).save(tmp_path / "log")
    meta = json.loads((folder / "problem.json").read_text())
    (folder / "problem.json").write_text(json.dumps(meta | {"version": 99}))
    with pytest.raises(LogError, match="log of format version 99; this release of"):
        SlateLog.scan(folder)
    (folder / "problem.json").write_text(json.dumps(meta))
    (folder / "users.parquet").write_bytes(b"PAR1 not really PAR1")
    with pytest.raises(LogError, match=r"users\.parquet is not a valid Parquet file"):
        SlateLog.load(folder)
    (folder / "users.parquet").unlink()
    with pytest.raises(LogError, match=r"users\.parquet is missing"):
        SlateLog.load(folder)


def test_a_malformed_row_on_disk_is_reported_with_its_number(random_log, tmp_path):
    slate = np.tile([0, 1], (20, 1))
    slate[13, 1] = 6
    folder = random_log(20, items=7, slate=slate).save(tmp_path / "log")
    six = random_log(1, items=6).save(tmp_path / "six")
    for name in ("items.parquet", "problem.json"):
        (folder / name).write_bytes((six / name).read_bytes())
    with pytest.raises(LogError, match="log, row 13, position 1: slate 6 is outside"):
        SlateLog.load(folder)
    with pytest.raises(LogError, match="log, row 13, position 1: slate 6 is outside"):
        list(SlateLog.scan(folder, batch_rows=4))
    with pytest.raises(LogError, match="batch_rows must be at least 1"):
        SlateLog.scan(folder, batch_rows=0)


def test_a_damaged_log_is_refused_or_unchanged(random_log, tmp_path):
    log = random_log(60, users=7)
    log.save(tmp_path / "log")
    refused = 0
    for seed in range(80):
        damage = random.Random(seed)
        folder = tmp_path / f"damaged-{seed}"
        shutil.copytree(tmp_path / "log", folder)
        file = damage.choice(sorted(folder.glob("*.parquet")))
        content = bytearray(file.read_bytes())
        content[damage.randrange(len(content))] ^= damage.randrange(1, 256)
        file.write_bytes(content)
        try:
            again = SlateLog.load(folder)
        except LogError:
            refused += 1
            with pytest.raises(LogError):
                list(SlateLog.scan(folder, 25))
        else:
            assert_same(again, log)
    assert refused > 60


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("rows", 59, "it has 60 rows, and 59 were written"),
        ("rewards", {"click": math.inf}, "rewards: click: must be finite and at most"),
        ("rewards", None, "rewards: must be a block"),
        ("num_items", "9", "num_items: must be a valid integer"),
        ("slate_size", 0, "slate_size: must be greater than 0"),
    ],
)
def test_a_damaged_description_is_named(random_log, tmp_path, key, value, message):
    random_log(60).save(tmp_path / "log")
    file = tmp_path / "log" / "problem.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))
    with pytest.raises(LogError, match=f"is a damaged log: .*{message}"):
        SlateLog.load(tmp_path / "log")
