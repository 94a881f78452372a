"""Reviews as arrays of an ``.npz`` file."""

import numpy as np
import pytest

from recsim.critiquing import planted_reviews, read_reviews, write_reviews
from recsim.errors import LogError

ARRAYS = {
    "user": np.array([0, 0, 1]),
    "item": np.array([0, 2, 1]),
    "part": np.array([0, 2, 1]),
    "aspects": np.array([[1, 0], [0, 0], [1, 1]]),
}


def write(path, **changes):
    arrays = {name: array for name, array in (ARRAYS | changes).items() if array is not None}
    np.savez(path, **arrays)
    return path


def test_written_reviews_can_be_read(tmp_path):
    reviews = planted_reviews(users=12, num_items=20, num_aspects=7, reviews=4, seed=1)
    write_reviews(tmp_path / "planted.npz", reviews)
    again = read_reviews(tmp_path / "planted.npz")
    for column in ("user", "item", "part", "aspects", "user_counts"):
        values, expected = getattr(again, column), getattr(reviews, column)
        assert values.dtype == expected.dtype
        np.testing.assert_array_equal(values, expected)
    for names in ("user_names", "item_names", "aspect_names"):
        assert getattr(again, names) == getattr(reviews, names)
    assert [file.name for file in tmp_path.iterdir()] == ["planted.npz"]


def test_without_names_ids_are_names(tmp_path):
    reviews = read_reviews(write(tmp_path / "bare.npz"))
    assert reviews.aspects.tolist() == [[True, False], [False, False], [True, True]]
    assert reviews.user_names == ("0", "1")
    assert reviews.item_names == ("0", "1", "2")
    assert reviews.aspect_names == ("0", "1")


def test_an_item_may_have_no_reviews(tmp_path):
    path = write(tmp_path / "more.npz", item_names=np.array(["a", "b", "c", "d"]))
    assert read_reviews(path).num_items == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"part": None}, r"has no array 'part'\. It must hold user, item, part, aspects"),
        ({"user": np.array([0, 1])}, r"array 'user': must be 3 whole numbers, .* shape \(2,\)"),
        ({"item": np.array([0.0, 1, 2])}, r"array 'item': must be 3 whole numbers.*float64"),
        ({"item": np.array([0, -1, 2])}, r"array 'item', entry 1: -1 is not from 0 to 2"),
        ({"user_names": np.array(["a"])}, r"array 'user', entry 2: 1 is not from 0 to 0"),
        ({"part": np.array([0, 3, 1])}, r"array 'part', entry 1: 3 is not from 0 to 2"),
        ({"aspects": np.array([1, 0, 1])}, r"array 'aspects': must be a table.*shape \(3,\)"),
        ({"aspects": np.full((3, 2), 2)}, r"array 'aspects': must be a table of True and False"),
        ({"aspects": np.full((3, 2), "x")}, r"array 'aspects': must be a table of True and False"),
        ({"aspects": np.ones((3, 0))}, r"array 'aspects': must be a table of True and False"),
        ({"aspect_names": np.array(["a"])}, r"array 'aspect_names': must be 2 names"),
        ({"item_names": np.full((2, 2), "a")}, r"array 'item_names': must have one dimension"),
        ({"user": np.array([{}, {}, {}])}, r"is not an \.npz file of plain arrays"),
    ],
)
def test_wrong_arrays_are_named(tmp_path, changes, message):
    with pytest.raises(LogError, match=message):
        read_reviews(write(tmp_path / "wrong.npz", **changes))


def test_other_files_are_refused(tmp_path):
    with pytest.raises(LogError, match=r"none\.npz does not exist"):
        read_reviews(tmp_path / "none.npz")
    for content in (b"", b"text", b"PK\x03\x04 broken"):
        (tmp_path / "broken.npz").write_bytes(content)
        with pytest.raises(LogError, match=r"broken\.npz is not an \.npz file of plain arrays"):
            read_reviews(tmp_path / "broken.npz")
    with (tmp_path / "single.npz").open("wb") as file:
        np.save(file, np.arange(3))
    with pytest.raises(LogError, match=r"single\.npz is not an \.npz file"):
        read_reviews(tmp_path / "single.npz")


@pytest.mark.parametrize(
    "option",
    [{"min_rating": 4}, {"core_u": 5}, {"core_i": 5}, {"positive_only": True}, {"files": ["a"]}],
)
def test_options_of_filtering_are_refused(tmp_path, option):
    with pytest.raises(LogError, match="already filtered and split"):
        read_reviews(write(tmp_path / "split.npz"), **option)
