"""What KuaiRand tells of users and videos, as numbers.

Users: the logarithms of people followed, fans, friends and days since registration (standardised
over all users), and one column per value of their activity, of being a streamer or an author, and
of those anonymised categories that have few values. Categories of many values (``onehot_feat2``,
``3``, ``5``, ``7``, ``8``), the ranges (they repeat the numbers) and ``is_lowactive_period`` (the
same for all) are left out.

Videos: the logarithm of the duration (standardised; the mean where it is missing), and one column
per kind of video, kind of upload and tag. The group of a video is the tag listed first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.log import encode
from recsim.log.readers.columns import Columns, Kind, read_columns

_USER_NUMBERS = ("follow_user_num", "fans_user_num", "friend_user_num", "register_days")
_USER_CATEGORIES = (
    *("user_active_degree", "is_live_streamer", "is_video_author"),
    *(f"onehot_feat{number}" for number in (0, 1, 4, 6, 9, 10, 11, 12, 13, 14, 15, 16, 17)),
)
_VIDEO_CATEGORIES = ("video_type", "upload_type")
_NO_TAG = ("", "unknown")


def read_users(file: Path, missing: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Read the features of users.

    Args:
        file: ``user_features_pure.csv``.
        missing: Advice if it is not there.

    Returns:
        Their ids, sorted, ``(U,)``, and the features, ``(U, F)``.

    Raises:
        UserError: If the file is missing or a row is malformed, with line and column.
    """
    kinds: dict[str, Kind] = {"user_id": "int"}
    kinds |= dict.fromkeys(_USER_NUMBERS, "int")
    kinds |= dict.fromkeys(_USER_CATEGORIES, "text")
    table = read_columns(file, kinds, missing=missing)
    ids, order = _unique_ids(table, "user_id")
    numbers = []
    for name in _USER_NUMBERS:
        table.refuse(table[name] < 0, name, "is negative")
        numbers.append(_standardised(np.log1p(table[name][order].astype(np.float64))))
    hot = [_one_hot(table[name][order]) for name in _USER_CATEGORIES]
    return ids, encode.stack([*numbers, *hot], len(ids))


def read_videos(
    file: Path, missing: str
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Read the features of videos.

    Args:
        file: ``video_features_basic_pure.csv``.
        missing: Advice if it is not there.

    Returns:
        Their ids, sorted, ``(I,)``, the features, ``(I, D)``, and the groups, ``(I,)``; videos
        without a tag form the last group.

    Raises:
        UserError: If the file is missing or a row is malformed, with line and column.
    """
    kinds: dict[str, Kind] = {"video_id": "int", "video_duration": "text", "tag": "text"}
    kinds |= dict.fromkeys(_VIDEO_CATEGORIES, "text")
    table = read_columns(file, kinds, missing=missing)
    ids, order = _unique_ids(table, "video_id")
    duration = _standardised(np.log1p(_durations(table)[order]))
    hot = [_one_hot(table[name][order]) for name in _VIDEO_CATEGORIES]
    listed = [[] if text in _NO_TAG else text.split(",") for text in table["tag"][order]]
    row = np.repeat(np.arange(len(ids)), [len(tags) for tags in listed])
    tags = np.array([tag for one in listed for tag in one], dtype=object)
    known = encode.distinct(tags)
    of_tags = np.zeros((len(ids), len(known)), dtype=np.float32)
    of_tags[row, encode.codes(tags, known)] = 1.0
    first = np.array([tags[0] if tags else None for tags in listed], dtype=object)
    groups = encode.codes(first, known)
    groups[groups < 0] = len(known)
    return ids, encode.stack([duration, *hot, of_tags], len(ids)), groups


def _unique_ids(table: Columns, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ids, sorted, and the rows that they stand in."""
    ids, first = np.unique(table[name], return_index=True)
    again = np.ones(table.length, dtype=np.bool_)
    again[first] = False
    table.refuse(again, name, "is listed twice")
    return ids, first


def _durations(table: Columns) -> NDArray[np.float64]:
    """Return the durations in milliseconds, NaN where the entry is empty."""
    import pandas as pd

    text = pd.Series(table["video_duration"])
    values = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64)
    wrong = (text != "").to_numpy() & ~((values >= 0) & np.isfinite(values))
    table.refuse(wrong, "video_duration", "is not a duration in milliseconds")
    return values


def _standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values of mean 0 and standard deviation 1; 0 where one is NaN or all are the same."""
    known = values[~np.isnan(values)]
    if not len(known) or known.min() == known.max():  # rounding would make a spread of the latter
        return np.zeros(len(values))
    scaled: NDArray[np.float64] = (values - known.mean()) / known.std()
    return np.nan_to_num(scaled, nan=0.0)


def _one_hot(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return one column per value, ``(N, V)``; none for an empty entry."""
    return encode.one_hot(values, [value for value in encode.distinct(values) if value != ""])
