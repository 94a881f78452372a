import json

import numpy as np
import pytest

from recsim.errors import LogError
from recsim.log import make_reader, read_log
from recsim.log.readers.finn import FinnSlates, split_users
from recsim.log.readers.finn_layout import write_finn
from reproductions.gru_thompson.distance import DistanceWorld


@pytest.fixture(scope="module")
def log():
    cohort = DistanceWorld(num_items=30, num_groups=6, slate_size=4).start(25, 0)
    cohort.log_for(7)
    return cohort.to_log()


def write_by_hand(folder, names=("slate", "slate_lengths", "interaction_type"), **changes):
    """Two users, two steps, three slots; ids 3, 4 and 5 are items 0, 1 and 2."""
    slate, length, kind = names
    arrays = {
        slate: np.array([[[1, 3, 2], [1, 5, 4]], [[1, 4, 0], [0, 0, 0]]], dtype=np.int32),
        "click": np.array([[1, 4], [4, 0]], dtype=np.int32),
        "click_idx": np.array([[0, 2], [1, 0]], dtype=np.int32),
        length: np.array([[3, 3], [2, 0]], dtype=np.int32),
        kind: np.array([[1, 2], [2, 0]], dtype=np.int32),
    }
    np.savez(folder / "data.npz", **(arrays | changes))
    np.savez(folder / "itemattr.npz", category=np.array([0.0, 1, 2, 3, 4, 3]))
    return folder


@pytest.mark.parametrize(
    "names",
    [("slate", "slate_lengths", "interaction_type"), ("action", "lengths", "displayType")],
)
def test_arrays_with_the_names_of_both_versions(tmp_path, names):
    slates = FinnSlates(write_by_hand(tmp_path, names))
    assert (slates.num_users, slates.steps, slates.slots, slates.num_items) == (2, 2, 3, 3)
    assert slates.groups.tolist() == [0, 1, 0]
    assert list(slates.to_log(slice(0, 2)).item_names) == [3, 4, 5]  # the ids of the files
    assert list(slates.to_log(np.array([1])).user_names) == [1]
    block = slates.read(slice(0, 2))
    assert block.items.tolist() == [[[0, -1], [2, 1]], [[1, -1], [-1, -1]]]
    assert block.length.tolist() == [[3, 3], [2, 0]]  # an unknown item takes a slot
    assert block.choice.tolist() == [[0, 2], [1, 0]]
    assert block.click.tolist() == [[-1, 1], [1, -1]]
    assert block.usable.tolist() == [[True, True], [True, False]]
    assert block.kind.tolist() == [[1, 2], [2, 0]]


def test_unknown_choices_are_not_usable(tmp_path):
    # An unknown item was clicked; an item that is not in the slate was.
    click = np.array([[2, 3], [4, 0]], dtype=np.int32)
    slates = FinnSlates(write_by_hand(tmp_path, click=click))
    block = slates.read(slice(0, 2))
    assert block.usable.tolist() == [[False, False], [True, False]]
    assert block.click.tolist() == [[-1, 0], [1, -1]]
    faults = slates.faults()
    assert (faults.steps, faults.absent) == (3, 2)


def test_violations_of_the_layout_are_counted(tmp_path):
    assert FinnSlates(write_by_hand(tmp_path)).faults() == FinnSlates(tmp_path).faults(users=1)
    whole = FinnSlates(tmp_path).faults()
    assert (whole.steps, whole.first_slot, whole.absent) == (3, 0, 0)
    assert (whole.leftover, whole.outside) == (0, 0)
    slate = np.array([[[3, 3, 2], [1, 5, 4]], [[1, 4, 0], [0, 9, 0]]], dtype=np.int32)
    broken = FinnSlates(write_by_hand(tmp_path, slate=slate)).faults()
    assert (broken.first_slot, broken.absent, broken.leftover, broken.outside) == (1, 1, 1, 1)


@pytest.mark.parametrize("compress", [False, True])
def test_a_written_log_is_read_back(log, tmp_path, compress):
    write_finn(tmp_path, log, compress=compress)
    slates = FinnSlates(tmp_path)
    faults = slates.faults()
    assert faults.steps == len(log)
    assert faults.first_slot == faults.absent == faults.leftover == faults.outside == 0
    again = read_log("finn", path=tmp_path)
    for name in ("user", "step", "slate", "clicks"):
        np.testing.assert_array_equal(getattr(again, name), getattr(log, name))
    np.testing.assert_array_equal(again.problem.item_groups, log.problem.item_groups)
    described = json.loads((tmp_path / "ind2val.json").read_text(encoding="utf-8"))
    assert list(described["category"].items())[2:4] == [("2", "UNK"), ("3", "group 0")]
    assert len(described["category"]) == 3 + 6


def test_short_sequences_and_short_slates_are_padded(log, tmp_path):
    short = log.select(~((log.user == 3) & (log.step > 1)))
    short.slate[4, 3] = -1
    short.clicks[4, 3] = 0
    slates = FinnSlates(write_finn(tmp_path, short))
    assert slates.faults().leftover == 0
    block = slates.read(np.array([0, 3]))
    assert block.length.tolist() == [[5, 5, 5, 5, 4, 5, 5], [5, 5, 0, 0, 0, 0, 0]]
    assert (block.items[1, 2:] == -1).all()


def test_arrays_are_mapped_not_loaded(log, tmp_path):
    write_finn(tmp_path / "plain", log)
    write_finn(tmp_path / "packed", log, compress=True)
    for folder in ("plain", "packed"):
        slates = FinnSlates(tmp_path / folder)
        assert all(isinstance(array, np.memmap) for array in slates._arrays.values())
    assert not (tmp_path / "plain" / "unpacked").exists()
    unpacked = sorted((tmp_path / "packed" / "unpacked").iterdir())
    assert len(unpacked) == 6  # five arrays that are read, and the categories
    before = [file.stat().st_mtime_ns for file in unpacked]
    FinnSlates(tmp_path / "packed")
    assert [file.stat().st_mtime_ns for file in unpacked] == before


def test_changed_arrays_are_unpacked_again(log, tmp_path):
    write_finn(tmp_path, log, compress=True)
    first = FinnSlates(tmp_path).read(slice(0, 3)).items
    turned = log.select(np.arange(len(log))[::-1])
    write_finn(tmp_path, turned, compress=True)
    second = FinnSlates(tmp_path).read(slice(0, 3)).items
    np.testing.assert_array_equal(second, first[:, ::-1])


def test_users_and_kind_select_rows(tmp_path):
    write_by_hand(tmp_path)
    assert len(read_log("finn", path=tmp_path)) == 3
    assert read_log("finn", path=tmp_path, users=1).slate.tolist() == [[0, -1], [2, 1]]
    searched = read_log("finn", path=tmp_path, kind="search")
    assert searched.slate.tolist() == [[0, -1]]
    assert searched.clicks.tolist() == [[0, 0]]


def test_the_split_has_the_published_sizes_and_depends_on_the_seed():
    split = split_users(2_277_645)
    assert len(split.valid) == len(split.test) == 113_882
    assert not np.isin(split.valid, split.test).any()
    small, same, other = split_users(100), split_users(100), split_users(100, seed=1)
    np.testing.assert_array_equal(small.valid, same.valid)
    assert (small.valid != other.valid).any()


def test_early_steps_of_all_users_are_training_data():
    split = split_users(100, step=3)
    users = np.array([split.valid[0], split.test[0], np.setdiff1d(range(100), split.valid)[0]])
    users[2] = next(u for u in range(100) if u not in split.valid and u not in split.test)
    late = [True] * 3 + [False] * 2
    assert split.training(users, 5).tolist() == [late, late, [True] * 5]


def test_errors_are_reported(tmp_path, log):
    with pytest.raises(LogError, match=r"data\.npz does not exist\. Get data\.npz and itemattr"):
        read_log("finn", path=tmp_path)
    write_by_hand(tmp_path, click=np.zeros((2, 3), dtype=np.int32))
    with pytest.raises(LogError, match=r"click must be \(2, 2\) like slate, not \(2, 3\)"):
        FinnSlates(tmp_path)
    np.savez(tmp_path / "data.npz", slate=np.zeros((2, 2, 3), dtype=np.int32))
    with pytest.raises(LogError, match=r"has no array 'click'\. It holds: slate\."):
        FinnSlates(tmp_path)
    (tmp_path / "data.npz").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(LogError, match=r"data\.npz is not an \.npz file"):
        FinnSlates(tmp_path)
    with pytest.raises(LogError, match=r"finn\.kind: must be 'all', 'search' or 'recommendation'"):
        make_reader("finn", path=tmp_path, kind="rec")
    twice = log.select(np.arange(len(log)))
    twice.clicks[5] = 1
    with pytest.raises(LogError, match="Row 5: 4 clicks on one slate"):
        write_finn(tmp_path, twice)


def test_the_real_file(data_dir):
    folder = data_dir / "finn"
    if not folder.is_dir():
        pytest.skip(f"no FINN.no slates at {folder}")
    slates = FinnSlates(folder)
    assert (slates.num_users, slates.steps, slates.slots) == (2_277_645, 20, 25)
    block = slates.read(np.array([5]))
    shown = np.array([638995, 638947, 638711, 637590, 637930, 638894]) - 3
    assert block.items[0, 3, :6].tolist() == shown.tolist()
    assert (block.choice[0, 3], block.click[0, 3], block.length[0, 3]) == (4, 637587, 7)
    assert slates.groups[637587] in (135, 132)
