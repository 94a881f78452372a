"""The reader of interactions and attributes, on small folders and on the published ones."""

import json

import numpy as np
import pytest

from recsim.conversation import read_attributes
from recsim.errors import UserError

ITEMS = {"3": [0, 7], "10": [7], "11": []}  # ids with gaps; attributes 0, 2, 7; an item without
USERS = {"5": [0, 7], "6": [7], "9": [2]}


@pytest.fixture
def folder(tmp_path):
    """Write a folder in the layout of LastFM, three users, three items, three attributes."""
    graph = tmp_path / "Graph_generate_data"
    graph.mkdir()
    items = {item: {"feature_index": attributes} for item, attributes in ITEMS.items()}
    (graph / "item_dict.json").write_text(json.dumps(items))
    (graph / "user_item.json").write_text(json.dumps({"5": [3], "6": [10], "9": []}))
    (tmp_path / "user_attr.json").write_text(json.dumps(USERS))
    (tmp_path / "interaction.csv").write_text("user,item\n5,3\n5,10\n6,10\n9,11\n")
    for part, users in (("train", [5]), ("valid", [6]), ("test", [9])):
        np.save(tmp_path / f"user_{part}.npy", np.array(users))
    (tmp_path / "attribute_names.json").write_text(json.dumps({"0": "rock", "7": "pop"}))
    return tmp_path


def test_a_folder_is_read(folder):
    data = read_attributes(folder)
    assert (data.num_users, data.num_items, data.num_attributes) == (3, 3, 3)
    assert data.attribute_names == ("rock", "2", "pop")
    assert data.item_names == ("3", "10", "11")
    assert data.user.tolist() == [0, 0, 1, 2]
    assert data.item.tolist() == [0, 1, 1, 2]
    assert data.part.tolist() == [0, 0, 1, 2]
    assert data.item_attributes.astype(int).tolist() == [[1, 0, 1], [0, 0, 1], [0, 0, 0]]
    assert data.user_attributes.astype(int).tolist() == [[1, 0, 1], [0, 0, 1], [0, 1, 0]]
    assert data.counts().tolist() == [1, 1, 0]


def test_positives_are_listed_in_a_file(folder):
    data = read_attributes(folder, targets="positives")
    assert list(zip(data.user.tolist(), data.item.tolist(), strict=True)) == [(0, 0), (1, 1)]


def test_a_part_keeps_all_users_and_items(folder):
    train = read_attributes(folder).select("train", "valid")
    assert len(train) == 3
    assert train.num_items == 3
    assert not len(train.rows("test"))
    with pytest.raises(UserError, match=r"no part 'tain'\. Did you mean 'train'"):
        train.rows("tain")


def test_answers_depend_on_item_and_user(folder):
    data = read_attributes(folder)
    assert data.answers(np.array([0, 1])).astype(int).tolist() == [[1, 0, 1], [0, 0, 1]]
    assert data.answers(np.array([2, 3]), caring=False).astype(int).tolist() == [
        [0, 0, 1],
        [0, 0, 0],
    ]


def write(folder, name, content):
    (folder / name).write_text(content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda f: write(f, "interaction.csv", "user,item\n5,3\n5,4\n"),
            r"interaction\.csv, line 3, column 'item': 4 is not in .*item_dict\.json",
        ),
        (
            lambda f: write(f, "interaction.csv", "user,item\n5,3\n7,3\n"),
            r"interaction\.csv, line 3, column 'user': 7 is not in .*user_attr\.json",
        ),
        (
            lambda f: write(f, "interaction.csv", "user,item\n5,x\n"),
            r"interaction\.csv, line 2, column 'item': 'x'",
        ),
        (
            lambda f: np.save(f / "user_test.npy", np.array([9, 5])),
            r"user_test\.npy: user 5 is also in user_train\.npy",
        ),
        (
            lambda f: np.save(f / "user_test.npy", np.array([8])),
            r"interaction\.csv, line 5: user 9 is in none of",
        ),
        (
            lambda f: np.save(f / "user_test.npy", np.array([[9.5]])),
            r"user_test\.npy must hold a one-dimensional array of whole numbers",
        ),
        (
            lambda f: np.save(f / "user_test.npy", np.array([{}]), allow_pickle=True),
            r"user_test\.npy is not an array of numbers",
        ),
        (lambda f: (f / "user_valid.npy").unlink(), r"user_valid\.npy does not exist"),
        (lambda f: (f / "user_attr.json").unlink(), r"user_attr\.json does not exist"),
        (lambda f: write(f, "user_attr.json", "[1"), r"user_attr\.json is not JSON"),
        (lambda f: write(f, "user_attr.json", "[1]"), r"must hold an object, not list"),
        (
            lambda f: write(f, "user_attr.json", '{"5": [1, -1]}'),
            r"user_attr\.json, entry '5': must be a list of ids",
        ),
        (
            lambda f: write(f, "user_attr.json", '{"five": [1]}'),
            r"entry 'five': is not an id",
        ),
        (
            lambda f: write(f, "Graph_generate_data/item_dict.json", '{"3": [1]}'),
            r"entry '3': must be an object with 'feature_index'",
        ),
        (lambda f: (f / "interaction.csv").unlink(), r"'path' must be a folder with"),
    ],
)
def test_mistakes_in_files_are_named(folder, change, message):
    change(folder)
    with pytest.raises(UserError, match=message):
        read_attributes(folder)


def test_targets_are_all_or_positives(folder):
    with pytest.raises(UserError, match=r"targets is 'positive'\. Did you mean 'positives'"):
        read_attributes(folder, targets="positive")


@pytest.fixture
def star(tmp_path):
    """Write a folder in the layout of LastFM*: one user, two items, two attributes."""
    graph, pairs = tmp_path / "Graph_generate_data", tmp_path / "UI_Interaction_data"
    graph.mkdir()
    pairs.mkdir()
    (graph / "item_fea.json").write_text(json.dumps({"0": [0], "2": [0, 4]}))
    (graph / "user_like.json").write_text(json.dumps({"1": [4]}))
    (graph / "fea_large.json").write_text(json.dumps({"0": [8], "4": [8, 9]}))
    for part, taken in (("train", [2]), ("valid", []), ("test", [0])):
        (pairs / f"review_dict_{part}.json").write_text(json.dumps({"1": taken}))
    return tmp_path


def test_lastfm_star_is_read(star):
    data = read_attributes(star)
    assert data.item.tolist() == [1, 0]
    assert data.part.tolist() == [0, 2]
    assert data.classes.astype(int).tolist() == [[1, 0], [1, 1]]
    assert data.class_names == ("8", "9")


def test_mistakes_in_lastfm_star_are_named(star):
    (star / "UI_Interaction_data" / "review_dict_test.json").write_text('{"1": [5]}')
    with pytest.raises(UserError, match=r"review_dict_test\.json, entry '1': item 5 is not in"):
        read_attributes(star)


def test_published_lastfm(data_dir):
    data = read_attributes(data_dir / "factcrs_lastfm")
    assert (data.num_users, data.num_items, data.num_attributes) == (1801, 7432, 33)
    assert len(data) == 72_000
    assert [len(data.rows(part)) for part in ("train", "valid", "test")] == [57_600, 7_200, 7_200]
    assert len(np.unique(data.item)) == 1_485
    yes = data.answers(np.arange(len(data))).sum(axis=1)
    assert yes.mean() == pytest.approx(5.44, abs=0.005)
    assert yes.min() == 3
    assert data.item_attributes.sum(axis=1).mean() == pytest.approx(4.08, abs=0.005)
    assert (data.user_attributes.sum(axis=1) == 7).all()
    assert len(read_attributes(data_dir / "factcrs_lastfm", targets="positives")) == 25_593


def test_published_lastfm_star(data_dir):
    data = read_attributes(data_dir / "crs_lastfm_star" / "mcmipl")
    assert (data.num_users, data.num_items, data.num_attributes) == (1801, 7432, 8438)
    assert [len(data.rows(part)) for part in ("train", "valid", "test")] == [52_910, 11_891, 11_892]
    classes = data.classes.sum(axis=1)
    assert data.classes.shape == (8438, 33)
    assert (classes == 0).sum() == 490
    assert (classes > 1).sum() == 6_255
