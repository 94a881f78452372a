import json
from dataclasses import replace

import numpy as np
import pytest

from recsim.errors import LogError
from recsim.log import SlateLog, read_log
from recsim.log.storage import write_log

COLUMNS = ("user", "session", "day", "step", "slate", "clicks", "propensity", "user_features")
OPTIONAL = ("slate_propensity", "position", "candidates")


def assert_same(one: SlateLog, other: SlateLog) -> None:
    for name in (*COLUMNS, *OPTIONAL):
        ours, theirs = getattr(one, name), getattr(other, name)
        assert (ours is None) == (theirs is None), name
        if ours is not None:
            assert ours.dtype == theirs.dtype, name
            assert np.array_equal(ours, theirs), name
    assert one.feedback.keys() == other.feedback.keys()
    for name in one.feedback:
        assert np.array_equal(one.feedback[name], other.feedback[name]), name
    assert one.anonymous == other.anonymous
    assert one.problem.rewards == other.problem.rewards
    assert np.array_equal(one.problem.item_features, other.problem.item_features)
    assert np.array_equal(one.problem.item_groups, other.problem.item_groups)
    for name in ("num_items", "slate_size", "num_candidates", "user_feature_dim"):
        assert getattr(one.problem, name) == getattr(other.problem, name), name


@pytest.mark.parametrize("anonymous", [False, True])
@pytest.mark.parametrize("features", [0, 3])
@pytest.mark.parametrize("full", [False, True])
def test_a_log_survives_the_disk(random_log, tmp_path, anonymous, features, full):
    log = random_log(40, anonymous=anonymous, features=features)
    if full:
        log = replace(
            log,
            slate_propensity=np.full(40, 0.25),
            position=np.arange(80).reshape(40, 2),
            candidates=np.tile(np.arange(7), (40, 1)),
        )
    folder = log.save(tmp_path / "deep" / "log")
    assert_same(SlateLog.load(folder), log)
    assert_same(read_log("saved", path=folder), log)
    pieces = list(SlateLog.scan(folder, batch_rows=7))
    assert [len(piece) for piece in pieces] == [7, 7, 7, 7, 7, 5]
    assert_same(SlateLog.concat(pieces, same_users=True), log)
    assert [path.name for path in folder.parent.iterdir()] == ["log"]


@pytest.mark.parametrize("anonymous", [False, True])
def test_writing_in_pieces_is_writing_at_once(random_log, tmp_path, anonymous):
    log = random_log(40, anonymous=anonymous)
    pieces = (log.select(slice(start, start + 15)) for start in range(0, 40, 15))
    write_log(tmp_path / "log", pieces)
    assert_same(SlateLog.load(tmp_path / "log"), log)
    again = SlateLog.concat(list(SlateLog.scan(tmp_path / "log", 11)), same_users=True)
    assert_same(again, log)


def test_a_bad_log_leaves_nothing_behind(random_log, tmp_path):
    log = random_log(4)
    bad = replace(log, user=np.array([0, 1, 2, 99]))
    with pytest.raises(LogError, match="row 3: user 99"):
        write_log(tmp_path / "log", [log, bad])
    with pytest.raises(LogError, match="nothing to write"):
        write_log(tmp_path / "log", [])
    with pytest.raises(LogError, match=r"differ in problem\.num_items"):
        write_log(tmp_path / "log", [log, random_log(4, items=9)])
    assert list(tmp_path.iterdir()) == []


def test_only_a_log_is_replaced_and_only_when_asked(random_log, tmp_path):
    folder = random_log(4).save(tmp_path / "log")
    other = random_log(6, seed=1)
    with pytest.raises(LogError, match=r"already holds a log: .* set overwrite=True"):
        other.save(folder)
    assert len(SlateLog.load(folder)) == 4
    other.save(folder, overwrite=True)
    assert len(SlateLog.load(folder)) == 6
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(LogError, match="is not a log: choose another folder"):
        other.save(mine, overwrite=True)
    assert (mine / "thesis.txt").read_text() == "years of work"


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


def test_a_row_that_went_bad_on_disk_is_named_with_its_number(random_log, tmp_path):
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
