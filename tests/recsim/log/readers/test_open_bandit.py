from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsim.errors import LogError
from recsim.log import SlateLog, read_log

HEADER = (
    ",timestamp,item_id,position,click,propensity_score,user_feature_0,user_feature_1,"
    "user_feature_2,user_feature_3,user-item_affinity_0,user-item_affinity_1\n"
)
ITEMS = ",item_id,item_feature_0,item_feature_1,item_feature_2,item_feature_3\n"


@pytest.fixture
def obd(tmp_path) -> Path:
    """A data set in the layout of Open Bandit: two items, two policies, other item hashes each."""
    rows = {
        "bts": [
            "0,2019-11-24 23:59:59.5+00:00,1,3,1,0.25,a,b,c,d,0.0,2.0",
            "1,2019-11-25 00:00:01+00:00,0,1,0,0.75,a,B,c,d,1.0,0.0",
        ],
        "random": ["0,2019-11-24 12:00:00+00:00,0,2,0,0.5,z,b,c,d,0.0,0.0"],
    }
    for policy, lines in rows.items():
        folder = tmp_path / policy / "men"
        folder.mkdir(parents=True)
        (folder / "men.csv").write_text(HEADER + "\n".join(lines) + "\n")
        salt = policy[0]
        items = f"0,0,-0.5,{salt}p,{salt}q,{salt}r\n1,1,1.5,{salt}p,{salt}Q,{salt}r\n"
        (folder / "item_context.csv").write_text(ITEMS + items)
    return tmp_path


def read_men(path: Path, policy: str = "bts", **options: Any) -> SlateLog:
    return read_log("open_bandit", path=path, campaign="men", policy=policy, **options)


def test_rows_become_slates_of_one_item(obd):
    log = read_men(obd)
    assert log.slate.tolist() == [[1], [0]]
    assert log.clicks.tolist() == [[1], [0]]
    assert log.position.tolist() == [[3], [1]]
    assert log.propensity.tolist() == [[0.25], [0.75]]
    assert log.day.tolist() == [0, 1]
    assert log.user.tolist() == [0, 1]
    assert log.anonymous
    assert log.adaptive
    assert not read_men(obd, "random").adaptive
    assert log.problem.rewards == {"click": 1.0}
    # Categories of both policies: a z, B b, c, d; then the affinities to items 0 and 1.
    assert log.user_features.tolist() == [[1, 0, 0, 1, 1, 1, 0, 2], [1, 0, 1, 0, 1, 1, 1, 0]]


def test_features_mean_the_same_in_the_logs_of_both_policies(obd):
    bts, random = (read_men(obd, policy) for policy in ("bts", "random"))
    assert np.array_equal(bts.problem.item_features, random.problem.item_features)
    assert bts.problem.item_features.tolist() == [[-0.5, 1, 1, 0, 1], [1.5, 1, 0, 1, 1]]
    assert random.user_features[0].tolist() == [0, 1, 0, 1, 1, 1, 0, 0]
    without = read_men(obd, affinity=False)
    assert without.problem.user_feature_dim == without.user_features.shape[1] == 6


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("2,2019-11-25 00:00:02+00:00,2,1,0,0.75,a,b,c,d,1,0", "'item_id': 2 is outside the cat"),
        ("2,2019-11-25 00:00:02+00:00,1,4,0,0.75,a,b,c,d,1,0", "'position': 4 is not a position"),
        ("2,2019-11-25 00:00:02+00:00,1,1,2,0.75,a,b,c,d,1,0", "'click': 2 is not a click"),
        ("2,2019-11-25 00:00:02+00:00,1,1,0,0,a,b,c,d,1,0", "'propensity_score': 0.0 is not a pro"),
        ("2,2019-11-25 00:00:02+00:00,1,1,0,1.01,a,b,c,d,1,0", "'propensity_score': 1.01 is not"),
        ("2,2019-11-25 00:00:02+00:00,1,1,0,x,a,b,c,d,1,0", "'propensity_score': 'x' is not a fin"),
        ("2,24/11,1,1,0,0.5,a,b,c,d,1,0", "'timestamp': '24/11' is not a time"),
    ],
)
def test_a_malformed_row_is_named(obd, wrong, message):
    file = obd / "bts" / "men" / "men.csv"
    file.write_text(file.read_text() + wrong + "\n")
    with pytest.raises(LogError, match=rf"men\.csv, line 4, column {message}"):
        read_men(obd)


def test_items_must_be_numbered(obd):
    file = obd / "bts" / "men" / "item_context.csv"
    file.write_text(ITEMS + "0,0,0,p,q,r\n1,2,0,p,q,r\n")
    with pytest.raises(LogError, match="line 3, column 'item_id': 2 breaks the numbering"):
        read_men(obd)


def test_a_missing_file_says_what_to_get_and_where_to_put_it(tmp_path):
    with pytest.raises(LogError, match=r"does not exist\. Get the Open Bandit Dataset .*'path'"):
        read_log("open_bandit", path=tmp_path)
    with pytest.raises(LogError, match=r"open_bandit\.campaign: must be 'men', 'women' or 'all'"):
        read_log("open_bandit", path=tmp_path, campaign="kids")
    with pytest.raises(LogError, match=r"open_bandit\.policy: must be 'random' or 'bts'"):
        read_men(tmp_path, "btss")


@pytest.mark.parametrize(
    ("campaign", "items", "clicks"),
    [("men", 34, {"random": 46, "bts": 69}), ("women", 46, {"random": 46, "bts": 46})],
)
def test_the_published_sample(data_dir, campaign, items, clicks):
    path = data_dir / "obd_small"
    if not path.is_dir():
        pytest.skip(f"no Open Bandit sample at {path}")
    options = {"path": path, "campaign": campaign}
    logs = {name: read_log("open_bandit", policy=name, **options) for name in clicks}
    for name, log in logs.items():
        assert len(log) == 10_000
        assert log.problem.num_items == items
        assert log.reward.sum() == clicks[name]
        assert log.day.max() == 6
        assert set(log.position.ravel()) == {1, 2, 3}
        assert (log.user_features[:, :-items].sum(axis=1) == 4).all()  # four categories, one-hot
    assert np.allclose(logs["random"].propensity, 1 / items, rtol=1e-6)
    assert logs["bts"].user_features.shape == logs["random"].user_features.shape
