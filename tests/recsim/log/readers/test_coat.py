import numpy as np
import pytest

from recsim.errors import LogError
from recsim.estimators import evaluate
from recsim.log import read_log
from recsim.log.readers.coat import read_coat

FILES = {
    "train.ascii": "0 5 0 1\r\n3 0 0 4\r\n",
    "test.ascii": "4 0 2 0\r\n0 1 0 5\r\n",
    "user_item_features/user_features.ascii": "1 0\r\n0 1\r\n",
    "user_item_features/item_features.ascii": "1 0 0\r\n0 1 0\r\n1 0 1\r\n0 1 1\r\n",
    "user_item_features/item_features_map.txt": "jackettype:rain\njackettype:pea\nonfrontpage:yes",
}


@pytest.fixture
def coat(tmp_path):
    """A data set in the layout of Coat: two users, four coats, lines that end in CR LF."""
    (tmp_path / "user_item_features").mkdir()
    for name, text in FILES.items():
        (tmp_path / name).write_bytes(text.encode())
    return tmp_path


def test_ratings_are_the_entries_above_zero(coat):
    train = read_coat(coat)
    assert train.user.tolist() == [0, 0, 1, 1]
    assert train.item.tolist() == [1, 3, 0, 3]
    assert train.rating.tolist() == [5, 1, 3, 4]
    assert train.user_features.tolist() == [[1, 0], [0, 1]]
    assert train.item_groups.tolist() == [0, 1, 0, 1]
    assert train.seconds is None


def test_the_training_log_has_no_propensities(coat):
    log = read_log("coat", path=coat)
    assert log.clicks[:, 0].tolist() == [1, 0, 0, 1]
    assert log.propensity is None
    assert log.candidates is None
    assert log.problem.num_candidates == 4


def test_the_candidates_of_the_test_log_are_the_coats_drawn_for_the_user(coat):
    log = read_log("coat", path=coat, split="test")
    assert log.candidates.tolist() == [[0, 2], [0, 2], [1, 3], [1, 3]]
    assert log.propensity.tolist() == [[0.5]] * 4
    assert log.problem.num_candidates == 2
    assert log.clicks[:, 0].tolist() == [1, 0, 0, 1]


def test_the_value_of_a_policy_is_how_often_users_like_its_first_coat(coat):
    log = read_log("coat", path=coat, split="test")

    def lowest(obs, items):
        return (items == obs["candidates"].min(axis=1, keepdims=True)).astype(float)

    value = evaluate(log, lowest, ["ips"], samples=10)[0].value
    assert value == 0.5  # user 0 likes coat 0, user 1 does not like coat 1


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("train.ascii", "0 5 0 1\n3 x 0 4\n", r"train.ascii, line 2, column 2: 'x' is not a num"),
        ("train.ascii", "0 5 0 1\n3 0 nan 4\n", r"line 2, column 3: 'nan' is not a number"),
        ("train.ascii", "0 5 0 1\n3 0 6 4\n", r"line 2, column 3: 6 is not a rating"),
        ("train.ascii", "0 5 0 1\n3 2.5 0 4\n", r"line 2, column 2: 2.5 is not a rating"),
        ("train.ascii", "0 5 0 1\n3 0 4\n", r"line 2: 3 entries, but line 1 has 4"),
        ("train.ascii", "", r"train.ascii is empty"),
        ("test.ascii", "4 0 2 0\n0 1 0 0\n", r"test.ascii, line 2: user 1 has 1 ratings, others 2"),
        ("user_item_features/user_features.ascii", "1 0\n", r"1 lines, but the ratings are of 2"),
        ("user_item_features/item_features_map.txt", "color:red\n", r"does not name the columns"),
    ],
)
def test_a_malformed_entry_is_refused_with_line_and_column(coat, file, text, message):
    (coat / file).write_text(text)
    split = "test" if file == "test.ascii" else "train"
    with pytest.raises(LogError, match=message):
        read_log("coat", path=coat, split=split)


def test_missing_files_and_unknown_splits(coat):
    with pytest.raises(LogError, match=r"no split 'tset'\. Did you mean 'test'"):
        read_coat(coat, "tset")
    (coat / "train.ascii").unlink()
    with pytest.raises(LogError, match=r"train.ascii does not exist. Get the Coat data set"):
        read_coat(coat)


def test_the_real_data_set(data_dir):
    train, test = read_coat(data_dir / "coat"), read_coat(data_dir / "coat", "test")
    assert (len(train), train.num_users, train.num_items) == (6960, 290, 300)
    assert (len(test), int((test.rating >= 4).sum())) == (4640, 860)
    assert int((train.rating >= 4).sum()) == 1905
    liked = np.bincount(train.item, weights=train.rating >= 4, minlength=300)
    assert int((liked == 0).sum()) == 16
    log = read_log("coat", path=data_dir / "coat", split="test")
    assert log.propensity is not None
    assert np.allclose(log.propensity, 1 / 16)
