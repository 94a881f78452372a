"""Features of the users and videos of KuaiRand, as numbers.

Users: the logarithms of people followed, fans, friends and days since registration (standardised
over all users), and one column per value of their activity, of being a streamer or an author, and
of those anonymised categories that have few values. Categories with many values (``onehot_feat2``,
``3``, ``5``, ``7``, ``8``), the ranges (they repeat the numbers) and ``is_lowactive_period`` (the
same for all users) are left out.

Videos: the logarithm of the duration (standardised; the mean if it is missing), and one column
per type of video, type of upload and tag. The group of a video is the tag listed first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Floats, Floats32, Ints
from recsim.log import encode
from recsim.log.readers.columns import Columns, Kind, read_columns

_USER_NUMBERS = ("follow_user_num", "fans_user_num", "friend_user_num", "register_days")
_USER_CATEGORIES = (
    *("user_active_degree", "is_live_streamer", "is_video_author"),
    *(f"onehot_feat{number}" for number in (0, 1, 4, 6, 9, 10, 11, 12, 13, 14, 15, 16, 17)),
)
_VIDEO_CATEGORIES = ("video_type", "upload_type")
_NO_TAG = ("", "unknown")


def read_users(file: Path, missing: str) -> tuple[Ints, Floats32]:
    """Read the features of users.

    Args:
        file: ``user_features_pure.csv``.
        missing: Advice at the end of the message if the file does not exist.

    Returns:
        Their ids, sorted, ``(U,)``, and the features, ``(U, F)``.

    Raises:
        LogError: If the file is missing or a row is malformed, with line and column.
    """
    kinds: dict[str, Kind] = {"user_id": "int"}
    kinds |= dict.fromkeys(_USER_NUMBERS, "int")
    kinds |= dict.fromkeys(_USER_CATEGORIES, "text")
    table = read_columns(file, kinds, missing=missing)
    order = np.argsort(table.unique("user_id"))
    numbers = []
    for name in _USER_NUMBERS:
        table.refuse(table[name] < 0, name, "is negative")
        numbers.append(_standardised(np.log1p(table[name][order].astype(np.float64))))
    hot = [_one_hot(table[name][order]) for name in _USER_CATEGORIES]
    return table["user_id"][order], encode.stack([*numbers, *hot], table.length)


def read_videos(file: Path, missing: str) -> tuple[Ints, Floats32, Ints]:
    """Read the features of videos.

    Args:
        file: ``video_features_basic_pure.csv``.
        missing: Advice at the end of the message if the file does not exist.

    Returns:
        Their ids, sorted, ``(I,)``, the features, ``(I, D)``, and the groups, ``(I,)``; videos
        without a tag form the last group.

    Raises:
        LogError: If the file is missing or a row is malformed, with line and column.
    """
    kinds: dict[str, Kind] = {"video_id": "int", "video_duration": "text", "tag": "text"}
    kinds |= dict.fromkeys(_VIDEO_CATEGORIES, "text")
    table = read_columns(file, kinds, missing=missing)
    order = np.argsort(table.unique("video_id"))
    duration = _standardised(np.log1p(_durations(table)[order]))
    hot = [_one_hot(table[name][order]) for name in _VIDEO_CATEGORIES]
    tags = [[] if text in _NO_TAG else text.split(",") for text in table["tag"][order]]
    known = encode.distinct(np.array([tag for listed in tags for tag in listed], dtype=object))
    features = encode.stack([duration, *hot, encode.multi_hot(tags, known)], table.length)
    return table["video_id"][order], features, encode.first_codes(tags, known)


def _durations(table: Columns) -> Floats:
    """Return the durations in milliseconds, NaN for an empty entry."""
    import pandas as pd

    text = pd.Series(table["video_duration"])
    values = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64)
    wrong = (text != "").to_numpy() & ~((values >= 0) & np.isfinite(values))
    table.refuse(wrong, "video_duration", "is not a duration in milliseconds")
    return values


def _standardised(values: Floats) -> Floats:
    """Return values with mean 0 and standard deviation 1; 0 for NaN, and if all are the same."""
    known = values[~np.isnan(values)]
    if not len(known) or known.min() == known.max():  # else rounding errors would be scaled up
        return np.zeros(len(values))
    scaled: Floats = (values - known.mean()) / known.std()
    return np.nan_to_num(scaled, nan=0.0)


def _one_hot(values: NDArray[Any]) -> Floats32:
    """Return one column per value, ``(N, V)``; none for an empty entry."""
    return encode.one_hot(values, [value for value in encode.distinct(values) if value != ""])
