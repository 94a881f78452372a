import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsim.errors import LogError
from recsim.log import SlateLog, make_reader, read_log
from recsim.log.readers.kuairand import REWARDS

LOG = (
    "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,"
    "is_hate,long_view,play_time_ms,duration_ms,profile_stay_time,comment_stay_time,"
    "is_profile_enter,is_rand,tab"
)
USERS = "user_id,user_active_degree,is_live_streamer,is_video_author,follow_user_num," + (
    "fans_user_num,friend_user_num,register_days,"
    + ",".join(f"onehot_feat{number}" for number in range(18))
)
VIDEOS = "video_id,video_type,upload_type,video_duration,tag"


def log_row(user, video, date, time, click=0, like=0, play=0):
    return f"{user},{video},{date},0,{time},{click},{like},0,0,0,0,1,{play},2000,0,500,0,0,1"


ROWS = [
    log_row(8, 30, 20220430, 1000, click=1, like=1, play=1500),
    log_row(8, 10, 20220430, 2000),
    log_row(8, 20, 20220430, 3000),
    log_row(8, 10, 20220430, 2000),  # the second row again
    log_row(4, 10, 20220501, 4000),
    log_row(8, 20, 20220502, 5000, click=1),
    log_row(4, 20, 20220503, 6000),
]


def user(number, activity, follows, category="1.0"):
    return f"{number},{activity},0,1,{follows},5,0,100" + ",1" * 17 + f",{category}"


@pytest.fixture
def folder(tmp_path):
    """A folder in the layout of KuaiRand: two users with rows and one without, three videos."""
    (tmp_path / "log_standard_4_22_to_5_08_pure.csv").write_text("\n".join([LOG, *ROWS]) + "\n")
    users = [USERS, user(8, "full", 0), user(4, "low", 3, category=""), user(6, "full", 0)]
    (tmp_path / "user_features_pure.csv").write_text("\n".join(users) + "\n")
    videos = [VIDEOS, '30,AD,Web,,"9,7"', "10,NORMAL,Web,1000,7", "20,NORMAL,Cam,3000,"]
    (tmp_path / "video_features_basic_pure.csv").write_text("\n".join(videos) + "\n")
    return tmp_path


def read_counted(folder: Path, **options: Any) -> tuple[SlateLog, dict[str, int]]:
    return make_reader("kuairand", path=folder, **options).read_counted()


def test_a_day_of_a_user_is_a_slate_with_all_signals(folder):
    log, counts = read_counted(folder, slate_size=2, return_days=2)
    assert log.user.tolist() == [2, 0]  # users 4, 6, 8 are 0, 1, 2; videos 10, 20, 30 alike
    assert list(log.user_names) == [4, 6, 8]
    assert list(log.item_names) == [10, 20, 30]
    assert log.slate.tolist() == [[2, 0], [0, -1]]
    assert log.clicks.tolist() == [[1, 0], [0, 0]]
    assert list(log.feedback) == list(REWARDS) == list(log.problem.rewards)
    sums = {name: values.tolist() for name, values in log.feedback.items()}
    assert sums["click"] == [1, 0]
    assert sums["like"] == [1, 0]
    assert sums["long_view"] == [2, 1]
    assert sums["play_time"] == [1.5, 0]
    assert sums["duration"] == [4, 2]
    assert sums["comment_stay_time"] == [1, 0.5]
    assert sums["return"] == [0.5, 0.5]
    assert log.reward.tolist() == [1, 0]
    assert log.day.tolist() == [0, 1]
    assert log.problem.num_candidates == 3
    assert counts == {
        "rows": 7,
        "duplicates": 1,
        "truncated": 1,
        "users": 2,
        "sessions": 4,
        "censored": 2,
    }


def test_days_are_counted_across_months(folder):
    log = read_log("kuairand", path=folder, return_days=1, censored="keep")
    assert log.day.tolist() == [0, 1, 2, 3]
    assert log.feedback["return"].tolist() == [0, 0, 0, 0]


def test_features_of_users(folder):
    log = read_log("kuairand", path=folder, return_days=2)
    features = log.user_features  # users 4, 6, 8
    low, full = features[0], features[2]
    assert np.allclose(features[:, 0].mean(), 0, atol=1e-6)
    assert np.allclose(features[:, 0].std(), 1, atol=1e-6)
    assert low[0] > full[0]
    assert not features[:, 1:4].any()  # the same for all
    assert low[4:6].tolist() == [0, 1]  # full, low
    assert full[4:6].tolist() == [1, 0]
    assert (low[-1], full[-1]) == (0, 1)  # an empty entry has no column


def test_features_and_groups_of_videos(folder):
    problem = read_log("kuairand", path=folder, return_days=2).problem
    # Duration; AD, NORMAL; Cam, Web; tags 7 and 9. Videos 10, 20, 30.
    assert problem.item_features[:, 1:].tolist() == [
        [0, 1, 0, 1, 1, 0],
        [0, 1, 1, 0, 0, 0],
        [1, 0, 0, 1, 1, 1],
    ]
    assert problem.item_features[:, 0].tolist() == pytest.approx([-1, 1, 0])
    assert problem.item_groups.tolist() == [0, 2, 1]


def test_parquet_holds_the_same(folder, tmp_path):
    import pandas as pd

    log, counts = read_counted(folder, return_days=2)
    file = folder / "log_standard_4_22_to_5_08_pure.csv"
    table = pd.read_csv(file)
    file.unlink()
    # The repeated row is in the other file.
    table.iloc[:3].to_parquet(folder / "val.parquet")
    table.iloc[3:].to_parquet(folder / "test.parquet")
    again, counts_again = read_counted(folder, return_days=2)
    assert counts_again == counts
    assert again.slate.tolist() == log.slate.tolist()
    assert json.dumps(counts)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (log_row(9, 10, 20220501, 1), r"line 9, column 'user_id': 9 is not in the file of user"),
        (log_row(8, 11, 20220501, 1), r"line 9, column 'video_id': 11 is not in the file of video"),
        (log_row(8, 10, 20220532, 1), r"line 9, column 'date': 20220532 is not a date such as"),
        (log_row(8, 10, 20220501, 1, click=2), r"line 9, column 'is_click': 2 is neither 0 nor 1"),
        (log_row(8, 10, 20220501, 1, play=-1), r"column 'play_time_ms': -1 is a negative time"),
        (log_row(8, 10, 20220501, "x"), r"line 9, column 'time_ms': 'x' is not a whole number"),
    ],
)
def test_a_malformed_row_is_refused_with_line_and_column(folder, line, message):
    with (folder / "log_standard_4_22_to_5_08_pure.csv").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(LogError, match=message):
        read_log("kuairand", path=folder)


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("user_features_pure.csv", user(4, "low", 3), r"line 5, column 'user_id': 4 is listed tw"),
        ("user_features_pure.csv", user(1, "low", -3), r"column 'follow_user_num': -3 is negative"),
        ("video_features_basic_pure.csv", "5,AD,Web,long,7", r"'long' is not a duration in milli"),
    ],
)
def test_malformed_features_are_refused(folder, file, line, message):
    with (folder / file).open("a") as opened:
        opened.write(line + "\n")
    with pytest.raises(LogError, match=message):
        read_log("kuairand", path=folder)


def test_a_folder_with_two_logs_or_none_is_refused(folder):
    (folder / "test.parquet").write_bytes(b"")
    with pytest.raises(LogError, match=r"remove one of them"):
        read_log("kuairand", path=folder)
    (folder / "test.parquet").unlink()
    (folder / "log_standard_4_22_to_5_08_pure.csv").unlink()
    with pytest.raises(LogError, match=r"holds no log_standard.*Get KuaiRand"):
        read_log("kuairand", path=folder)
    (folder / "user_features_pure.csv").unlink()
    with pytest.raises(LogError, match=r"user_features_pure.csv does not exist"):
        read_log("kuairand", path=folder)


def test_rewards_and_options(folder):
    log = read_log("kuairand", path=folder, return_days=2, rewards={"like": 2.0, "return": 4.0})
    assert log.reward.tolist() == [4, 2]
    with pytest.raises(LogError, match=r"there is no reward 'likes'.*'like'"):
        make_reader("kuairand", path=folder, rewards={"likes": 1.0})
    with pytest.raises(LogError, match=r"slate_size: must be greater than 0"):
        make_reader("kuairand", path=folder, slate_size=0)


def test_the_real_data_set(data_dir):
    place = data_dir / "kuairand_pure_2w"
    if not place.is_dir():
        pytest.skip(f"no KuaiRand-Pure at {place}")
    log, counts = read_counted(place)
    assert (counts["rows"], counts["duplicates"], counts["users"]) == (228_329, 5_460, 25_156)
    assert (counts["sessions"], counts["censored"]) == (120_496, 59_520)
    assert (log.problem.num_items, len(log.user_features)) == (7583, 27_285)
    # A whole window exists for sessions of the first seven of 14 days only.
    assert len(log) == 120_496 - 59_520
    assert set(log.day.tolist()) == set(range(7))
    kept = read_log("kuairand", path=place, censored="keep", slate_size=60)
    assert len(np.unique(kept.slate[kept.slate >= 0])) == 6361
    assert (kept.user_features.shape[1], kept.problem.item_features.shape[1]) == (73, 64)
