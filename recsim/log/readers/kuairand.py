"""KuaiRand: the videos that a short-video app showed, with twelve signals of how users reacted.

Reference: Gao, Li, Zhang, Chen, Li, Lei, Jiang and He, "KuaiRand: An Unbiased Sequential
Recommendation Dataset with Randomly Exposed Videos", CIKM 2022, arXiv:2208.08696.

The log holds single videos. This reader treats the videos of one user and day as a slate, so that
policies that show slates can learn from it. That is an assumption: the videos were not chosen
together, and the later ones depend on how the user reacted to the earlier ones. There are no
propensities.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt, field_validator

from recsim.arrays import Bools, Ints
from recsim.errors import LogError, did_you_mean
from recsim.log import encode
from recsim.log.readers.base import Reader
from recsim.log.readers.columns import Columns, Kind, read_columns
from recsim.log.readers.kuairand_features import read_users, read_videos
from recsim.log.readers.sessions import Censored, daily_sessions
from recsim.log.slate_log import SlateLog
from recsim.problem import Names, Problem
from recsim.settings import RewardWeights

_GET = (
    "Get KuaiRand-Pure (kuairand.com) and let 'path' be the folder with user_features_pure.csv, "
    "video_features_basic_pure.csv and log_standard_*.csv (or train, val and test.parquet)."
)
_PARTS = ("train.parquet", "val.parquet", "test.parquet")
_FLAGS = {
    "is_like": "like",
    "is_follow": "follow",
    "is_comment": "comment",
    "is_forward": "forward",
    "is_hate": "hate",
    "long_view": "long_view",
    "is_profile_enter": "profile_enter",
}
_MILLISECONDS = {
    "play_time_ms": "play_time",
    "duration_ms": "duration",
    "profile_stay_time": "profile_stay_time",
    "comment_stay_time": "comment_stay_time",
}
_COLUMNS = (
    *("user_id", "video_id", "date", "hourmin", "time_ms", "is_click", *_FLAGS, *_MILLISECONDS),
    *("is_rand", "tab"),
)
REWARDS = ("click", *_FLAGS.values(), *_MILLISECONDS.values(), "return")


class KuaiRandReader(Reader):
    """KuaiRand: short videos, one slate per user and day, with twelve signals and the return.

    Users and videos are numbered in the order of their ids, which are their names, including those
    without a row. Their features are described in `recsim.log.readers.kuairand_features`.

    Attributes:
        path: The folder that holds the log and the features of users and videos.
        slate_size: Videos of a slate, K; those shown later on the same day are left out.
        return_days: Days of the return window.
        censored: Whether to ``drop`` the sessions whose return window passes the end of the log, or
            to ``keep`` them with the returns that the log still shows, which are too low.
        rewards: Weight of each named reward in the scalar one; the others have weight 0.
    """

    path: Path
    slate_size: PositiveInt = 10
    return_days: PositiveInt = 7
    censored: Censored = "drop"
    rewards: RewardWeights = Field(default={"click": 1.0})

    @field_validator("rewards")
    @classmethod
    def _known(cls, rewards: dict[str, float]) -> dict[str, float]:
        for name in rewards:
            if name not in REWARDS:
                raise ValueError(f"there is no reward {name!r}.{did_you_mean(name, REWARDS)}")
        return rewards

    def read(self) -> SlateLog:
        """Read the log; see `read_counted`."""
        return self.read_counted()[0]

    def read_counted(self) -> tuple[SlateLog, dict[str, int]]:
        """Read the log, one row per user and day, and count what became of the rows of its files.

        Returns:
            A log whose rewards are ``click`` (videos clicked), ``like``, ``follow``, ``comment``,
            ``forward``, ``hate``, ``long_view`` and ``profile_enter`` (how often), ``play_time``,
            ``duration``, ``profile_stay_time`` and ``comment_stay_time`` (seconds), each summed
            over the slate, and ``return``, the share of the next days on which the user was active.
            The counts are those of `recsim.log.readers.sessions.DailySessions.counts`.

        Raises:
            LogError: If a file is missing or a row is malformed, with line and column.
        """
        users, user_features = read_users(_features_file(self.path, "user_features"), _GET)
        videos, item_features, groups = read_videos(
            _features_file(self.path, "video_features_basic"), _GET
        )
        parts = [_read_part(file, users, videos) for file in _log_files(self.path)]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        rows = len(columns["user_id"])
        repeated = _repeated(columns)
        columns = {name: values[~repeated] for name, values in columns.items()}
        amounts = {name: columns[column].astype(np.float64) for column, name in _FLAGS.items()}
        amounts |= {name: columns[column] / 1000 for column, name in _MILLISECONDS.items()}
        sessions = daily_sessions(
            user=columns["user"],
            item=columns["item"],
            day=columns["day"],
            seconds=columns["time_ms"] / 1000,
            clicked=columns["is_click"] == 1,
            amounts=amounts,
            slate_size=self.slate_size,
            return_days=self.return_days,
        )
        log = SlateLog(
            problem=Problem(
                num_items=len(videos),
                slate_size=self.slate_size,
                user_feature_dim=user_features.shape[1],
                item_features=item_features,
                item_groups=groups,
                rewards={name: self.rewards.get(name, 0.0) for name in REWARDS},
                item_names=Names(videos, "item"),
                user_names=Names(users, "user"),
            ),
            user_features=user_features,
            **sessions.columns(self.censored),
        )
        return log.validate(), sessions.counts(rows, int(repeated.sum()))


def _features_file(root: Path, stem: str) -> Path:
    """Return the only file whose name starts with ``stem``; the rest of it names the edition."""
    files = sorted(root.glob(f"{stem}_*.csv"))
    if len(files) > 1:
        raise LogError(f"{root} holds {files[0].name} and {files[1].name}: remove one of them.")
    return files[0] if files else root / f"{stem}_pure.csv"


def _log_files(root: Path) -> list[Path]:
    """Return the files of the standard log, in the order of time."""
    official = sorted(root.glob("log_standard_*.csv"))
    parts = [root / name for name in _PARTS if (root / name).is_file()]
    if official and parts:
        raise LogError(f"{root} holds {official[0].name} and {parts[0].name}: remove one of them.")
    if not official and not parts:
        raise LogError(f"{root} holds no log_standard_*.csv and no test.parquet. {_GET}")
    return official or parts


def _read_part(file: Path, users: Ints, videos: Ints) -> dict[str, NDArray[Any]]:
    """Return the columns of one file, and with them ``user``, ``item`` and ``day``."""
    kinds: dict[str, Kind] = dict.fromkeys(_COLUMNS, "int")
    table = read_columns(file, kinds, missing=_GET)
    columns: dict[str, NDArray[Any]] = {name: table[name] for name in _COLUMNS}
    for name in ("is_click", *_FLAGS):
        table.flags(name)
    for name in _MILLISECONDS:
        table.refuse(columns[name] < 0, name, "is a negative time")
    columns["user"] = encode.codes(columns["user_id"], users)
    table.refuse(columns["user"] < 0, "user_id", "is not in the file of user features")
    columns["item"] = encode.codes(columns["video_id"], videos)
    table.refuse(columns["item"] < 0, "video_id", "is not in the file of video features")
    columns["day"] = _days(table, columns["date"])
    return columns


def _days(table: Columns, dates: Ints) -> Ints:
    """Return dates such as 20220425 as days since 1970, ``(N,)``."""
    import pandas as pd

    known, place = np.unique(dates, return_inverse=True)
    times = pd.to_datetime(pd.Series(known.astype(str)), format="%Y%m%d", errors="coerce")
    table.refuse(times.isna().to_numpy()[place], "date", "is not a date such as 20220425")
    return times.to_numpy("datetime64[D]").astype(np.int64)[place]


def _repeated(columns: dict[str, NDArray[Any]]) -> Bools:
    """Return which rows repeat an earlier one in all columns of the data set, ``(N,)``."""
    import pandas as pd

    frame = pd.DataFrame({name: columns[name] for name in _COLUMNS})
    return frame.duplicated().to_numpy(dtype=np.bool_)
