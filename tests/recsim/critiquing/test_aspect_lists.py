"""The reader of reviews given as lists of aspects, on small files and on the published ones."""

import json

import numpy as np
import pytest

from recsim.critiquing import read_reviews
from recsim.critiquing.aspect_lists import read_aspect_lists
from recsim.errors import UserError

# Ids with gaps; an aspect twice; both sentiments of one aspect; a review that mentions nothing.
TRAIN = "5,30,5,7 1 2 -1 7 1\n5,10,2,2 -1\n9,30,4,2 -1 2 1\n"
TEST = "9,10,3.5,\n12,30,4,40 1\n"


@pytest.fixture
def folder(tmp_path):
    """Write a folder of five reviews by three users of two items, and two example files."""
    (tmp_path / "phone_train.txt").write_text(TRAIN)
    (tmp_path / "phone_test.txt").write_text(TEST)
    for example in ("test_train.txt", "test_test.txt"):
        (tmp_path / example).write_text("77,77,5,77 1\n")
    return tmp_path


def mentioned(table):
    return [np.flatnonzero(row).tolist() for row in table]


def test_the_files_of_a_folder_are_read_as_one_without_the_examples(folder):
    read = read_aspect_lists(folder)
    assert read.user.tolist() == [5, 5, 9, 9, 12]
    assert read.item.tolist() == [30, 10, 30, 10, 30]
    assert read.rating.tolist() == [5, 2, 4, 3.5, 4]
    assert read.aspect_names == ("2", "7", "40")
    assert mentioned(read.aspects) == [[0, 1], [0], [0], [], [2]]


def test_only_positive_sentiments_may_count_as_mentions(folder):
    read = read_aspect_lists(folder, positive_only=True)
    assert mentioned(read.aspects) == [[1], [], [0], [], [2]]
    assert read.aspect_names == ("2", "7", "40"), "all aspects are kept"


def test_files_can_be_chosen(folder):
    assert read_aspect_lists(folder, files=["phone_test.txt"]).user.tolist() == [9, 12]
    both = read_aspect_lists(folder, files=["phone_test.txt", "phone_train.txt"])
    assert both.user.tolist() == [9, 12, 5, 5, 9]
    assert read_aspect_lists(folder / "phone_train.txt").user.tolist() == [5, 5, 9]
    assert read_aspect_lists(folder, files=["test_train.txt"]).user.tolist() == [77]


def test_reviews_are_numbered_and_split(folder):
    reviews = read_reviews(folder)
    assert reviews.user_names == ("5", "9", "12")
    assert reviews.item_names == ("10", "30")
    assert reviews.user.tolist() == [0, 0, 1, 1, 2]
    assert reviews.item.tolist() == [1, 0, 1, 0, 1]
    assert reviews.part[4] == 0, "a single review is for training"
    assert sorted(reviews.part[:2]) == sorted(reviews.part[2:4]) == [0, 2]


def test_ids_may_be_text(folder):
    (folder / "phone_train.txt").write_text("ann,B07,5,weight 1 screen -1\n007,B9,2,screen -1\n")
    (folder / "phone_test.txt").write_text("7,B07,4,\nann,10,4,sound 1\n")
    reviews = read_reviews(folder)
    assert reviews.user_names == ("007", "7", "ann"), "007 and 7 are two users"
    assert reviews.item_names == ("10", "B07", "B9")
    assert reviews.aspect_names == ("screen", "sound", "weight")
    assert mentioned(read_aspect_lists(folder).aspects) == [[0, 2], [0], [], [1]]
    (folder / "item_names.json").write_text(json.dumps({"B07": "brick"}))
    assert read_reviews(folder).item_names == ("10", "brick", "B9")


def test_names_are_read_from_the_same_folder(folder):
    (folder / "aspect_names.json").write_text(json.dumps({"7": "battery", "99": "unknown"}))
    (folder / "item_names.json").write_text(json.dumps({"30": "brick"}))
    for path in (folder, folder / "phone_train.txt"):
        reviews = read_reviews(path)
        assert reviews.aspect_names[:2] == ("2", "battery")
        assert reviews.item_names == ("10", "brick")


def test_reviews_are_filtered_by_rating(folder):
    reviews = read_reviews(folder, min_rating=4)
    assert [reviews.user_names[user] for user in reviews.user] == ["5", "9", "12"]
    assert reviews.item_names == ("30",)
    assert reviews.num_aspects == 3


def test_the_core_is_applied_until_nothing_changes(tmp_path):
    """Item 3 has one review; without it user 2 has one; without them item 1 has one, and so on."""
    file = tmp_path / "chain.txt"
    file.write_text(
        "".join(
            f"{user},{item},5,0 1\n"
            for user, item in [
                (2, 3),
                (2, 1),
                (1, 1),
                (1, 0),
                (0, 0),
                (7, 8),
                (7, 9),
                (6, 8),
                (6, 9),
            ]
        )
    )
    reviews = read_reviews(file, core_u=2, core_i=2)
    assert reviews.user_names == ("6", "7")
    assert reviews.item_names == ("8", "9")
    assert len(reviews) == 4
    assert len(read_reviews(file, core_u=2)) == 8
    assert len(read_reviews(file, core_i=2)) == 8


def test_ratings_are_filtered_before_the_core(tmp_path):
    file = tmp_path / "low.txt"
    file.write_text("0,0,5,0 1\n0,1,1,0 1\n1,0,5,0 1\n")
    assert len(read_reviews(file, core_u=2)) == 2
    with pytest.raises(UserError, match="none of 3 reviews remains with min_rating 4, core_u 2"):
        read_reviews(file, min_rating=4, core_u=2)


def test_the_last_review_of_a_pair_counts(tmp_path):
    file = tmp_path / "twice.txt"
    file.write_text("0,0,5,0 1\n0,1,4,1 1\n0,0,2,2 1\n0,2,4,3 1\n")
    reviews = read_reviews(file)
    assert reviews.item.tolist() == [1, 0, 2]
    assert mentioned(reviews.aspects) == [[1], [2], [3]]
    assert read_reviews(file, min_rating=4).item_names == ("1", "2"), (
        "the last review counts even if it is worse"
    )


def test_spaces_and_blank_lines_are_ignored(tmp_path):
    file = tmp_path / "odd.txt"
    file.write_text("0,0,5, 1 1  2 -1 \n\n1,0,4,1 1\n")
    assert mentioned(read_aspect_lists(file).aspects) == [[0, 1], [0]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nan,0,5,1 1", r"line 2, column 'user': 'nan' is not an id, but stands for a missing"),
        (",0,5,1 1", r"line 2, column 'user': '' is not an id: the entry is missing"),
        ("-1,0,5,1 1", r"line 2, column 'user': '-1' is not an id: numbers are from 0"),
        ("0,-3,5,1 1", r"line 2, column 'item': '-3' is not an id: numbers are from 0"),
        ("0,1.2E+11,5,1 1", r"line 2, column 'item': '1\.2E\+11' is a number that has lost dig"),
        ("0,0,good,1 1", r"line 2, column 'rating': 'good' is not a finite number"),
        ("0,0,nan,1 1", r"line 2, column 'rating': the entry is missing"),
        ("0,0,5,1 1 2", r"line 2, column 'aspects': '1 1 2' must be pairs of an aspect and its"),
        ("0,0,5,1 1 1 sour", r"line 2, column 'aspects': 'sour' is not a sentiment; it must be"),
        ("0,0,5,1 1 -2 1", r"line 2, column 'aspects': '-2' is not an aspect: numbers are from 0"),
        ("0,0,5,1 1 2 0", r"line 2, column 'aspects': '0' is not a sentiment; it must be 1 or -1"),
        ("0,0,5", r"line 2: 3 fields, but a row is user,item,rating,aspects: 4"),
        ("0,0,5,1 1,2 1", r"line 2: 5 fields"),
    ],
)
def test_a_malformed_row_is_named(tmp_path, line, message):
    file = tmp_path / "bad.txt"
    file.write_text(f"0,1,5,1 1\n{line}\n0,2,4,1 1\n")
    with pytest.raises(UserError, match=rf"bad\.txt, {message}"):
        read_aspect_lists(file)


def test_the_first_line_is_not_a_header(tmp_path):
    file = tmp_path / "bad.txt"
    file.write_text("0,1,5,1\n")
    with pytest.raises(UserError, match=r"bad\.txt, line 1, column 'aspects'"):
        read_aspect_lists(file)


def test_wrong_files_are_named(folder):
    with pytest.raises(UserError, match=r"phone\.txt does not exist"):
        read_aspect_lists(folder, files=["phone.txt"])
    with pytest.raises(UserError, match="'files' is empty"):
        read_aspect_lists(folder, files=[])
    with pytest.raises(UserError, match="is not a folder"):
        read_aspect_lists(folder / "phone_test.txt", files=["phone_test.txt"])
    (folder / "phone_test.txt").write_text("")
    with pytest.raises(UserError, match=r"phone_test\.txt has no rows"):
        read_aspect_lists(folder)
    (folder / "car_train.txt").write_text(TRAIN)
    with pytest.raises(UserError, match=r"those of car, phone\. Choose the files to read: files="):
        read_aspect_lists(folder)


def test_options_out_of_range_are_refused(folder):
    with pytest.raises(UserError, match="core_u is 0"):
        read_reviews(folder, core_u=0)
    with pytest.raises(UserError, match="seed is -1"):
        read_reviews(folder, seed=-1)
    (folder / "empty.txt").write_text("0,0,5,\n")
    with pytest.raises(UserError, match=r"empty\.txt: no review mentions an aspect"):
        read_reviews(folder / "empty.txt")


def test_published_cellphones(data_dir):
    folder = data_dir / "aspects_cellphone"
    read = read_aspect_lists(folder)
    assert read.aspects.shape == (75_407, 101)
    assert (len(np.unique(read.user)), len(np.unique(read.item))) == (10_561, 13_428)
    assert read.aspects.any(axis=1).all()
    assert read.aspects.sum(axis=1).mean() == pytest.approx(3.62, abs=0.005)
    assert len(read_aspect_lists(folder, files=["amazon_cellphone_train.txt"]).user) == 67_996
    reviews = read_reviews(folder, min_rating=4, core_u=5, core_i=5, seed=0)
    assert len(reviews) == 11_251
    assert (reviews.num_users, reviews.num_items, reviews.num_aspects) == (1_280, 830, 101)
    sizes = [len(reviews.rows(part)) for part in ("train", "valid", "test")]
    assert sizes == [8_691, 1_280, 1_280]
    assert np.median(reviews.item_aspects.sum(axis=1)) == 18
    assert np.median((reviews.user_counts > 0).sum(axis=1)) == 14
    users = reviews.user[reviews.rows("test")]
    items = reviews.item[reviews.rows("test")]
    assert not reviews.taken(users)[np.arange(1_280), items].any()
