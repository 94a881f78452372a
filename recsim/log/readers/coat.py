"""Coat: 290 users rated 24 coats of their choice, and 16 that were drawn at random.

Reference: Schnabel, Swaminathan, Singh, Chandak and Joachims, "Recommendations as Treatments:
Debiasing Learning and Evaluation", ICML 2016, arXiv:1602.05352.

The ratings that users chose to give are missing not at random; those of the drawn coats are missing
at random. So a recommender can be trained on the former and evaluated on the latter without bias.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from recsim.arrays import Bools, Floats, Floats32, Ints
from recsim.errors import LogError, did_you_mean
from recsim.log.readers.base import Reader
from recsim.log.readers.ratings import Ratings
from recsim.log.slate_log import SlateLog

_SPLITS = ("train", "test")
_TYPE = "jackettype:"
_GET = (
    "Get the Coat data set (www.cs.cornell.edu/~schnabts/mnar) and let 'path' be the folder with "
    "train.ascii, test.ascii and user_item_features/."
)


class CoatReader(Reader):
    """Coat, either the ratings that users chose to give or those of coats drawn for them.

    Attributes:
        path: The folder that holds ``train.ascii`` and ``test.ascii``.
        split: ``train`` (self-selected) or ``test`` (drawn uniformly).
        threshold: Lowest rating, of 1 to 5, that counts as a click.
    """

    path: Path
    split: Literal["train", "test"] = "train"
    threshold: float = Field(default=4.0, allow_inf_nan=False)

    def read(self) -> SlateLog:
        """Read Coat as a log of slates of one coat; a click is a high rating.

        The test split is a log with known propensities. Each of the 16 coats drawn for a user is
        one row, as if it had been drawn uniformly from these 16 candidates: its propensity is 1/16.
        The value of a policy on this log is the probability that the user likes the coat which the
        policy ranks first among 16 random ones. The training split has no propensities.

        Raises:
            LogError: If a file is missing or malformed, or not all test users have rated the same
                number of coats.
        """
        ratings = read_coat(self.path, self.split)
        log = ratings.to_log(self.threshold)
        if self.split == "train":
            return log
        counts = np.bincount(ratings.user, minlength=ratings.num_users)
        size = int(counts.max(initial=0))
        if not size or (counts != size).any():
            user = int(np.argmax(counts != size))
            raise LogError(
                f"{self.path / 'test.ascii'}, line {user + 1}: user {user} has {counts[user]} "
                f"ratings, others {size}; all users must have equally many."
            )
        drawn = ratings.item.reshape(-1, size)  # (N,) sorted by user -> (U, 16)
        return dataclasses.replace(
            log,
            problem=dataclasses.replace(log.problem, num_candidates=size),
            candidates=drawn[log.user],
            propensity=np.full((len(log), 1), 1 / size),
        ).validate()


def read_coat(path: str | Path, split: str = "train") -> Ratings:
    """Read one of the two sets of ratings.

    The features are one-hot: gender, age, location and interest in fashion of users; gender, type,
    colour and presence on the front page of coats. The group of a coat is its type.

    Args:
        path: The folder that holds ``train.ascii`` and ``test.ascii``.
        split: ``train`` or ``test``.

    Raises:
        LogError: If a file is missing or an entry is not a rating, with line and column.
    """
    if split not in _SPLITS:
        raise LogError(f"Coat has no split {split!r}.{did_you_mean(split, _SPLITS)}")
    root = Path(path)
    file = root / f"{split}.ascii"
    matrix = _read_matrix(file)
    whole = (matrix == np.floor(matrix)) & (matrix >= 0) & (matrix <= 5)
    _refuse(~whole, matrix, file, "is not a rating: 1 to 5, or 0 if there is none")
    user, item = np.nonzero(matrix)
    features = root / "user_item_features"
    of_users = _read_features(features / "user_features.ascii", len(matrix))
    of_items = _read_features(features / "item_features.ascii", matrix.shape[1])
    return Ratings(
        user=user,
        item=item,
        rating=matrix[user, item],
        seconds=None,
        user_features=of_users,
        item_features=of_items,
        item_groups=_types(features / "item_features_map.txt", of_items),
    )


def _read_matrix(file: Path) -> Floats:
    """Read numbers separated by spaces, one row per line."""
    if not file.is_file():
        raise LogError(f"{file} does not exist. {_GET}")
    rows: list[Floats] = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        fields = line.split()
        try:
            row = np.array(fields, dtype=np.float64)
        except ValueError:
            row = np.array([_number(field) for field in fields])
        if not np.isfinite(row).all():
            column = int(np.argmax(~np.isfinite(row)))
            raise LogError(
                f"{file}, line {number}, column {column + 1}: {fields[column]!r} is not a number."
            )
        if rows and len(row) != len(rows[0]):
            raise LogError(
                f"{file}, line {number}: {len(row)} entries, but line 1 has {len(rows[0])}."
            )
        rows.append(row)
    if not rows or not len(rows[0]):
        raise LogError(f"{file} is empty.")
    return np.stack(rows)


def _number(field: str) -> float:
    try:
        return float(field)
    except ValueError:
        return np.nan


def _read_features(file: Path, rows: int) -> Floats32:
    matrix = _read_matrix(file)
    if len(matrix) != rows:
        raise LogError(f"{file} has {len(matrix)} lines, but the ratings are of {rows}.")
    return matrix.astype(np.float32)


def _types(file: Path, features: Floats32) -> Ints:
    """Return the type of every coat, ``(I,)``: the index of its one-hot column."""
    if not file.is_file():
        raise LogError(f"{file} does not exist. {_GET}")
    names = file.read_text(encoding="utf-8").split("\n")
    columns = [column for column, name in enumerate(names) if name.startswith(_TYPE)]
    if not columns or columns[-1] >= features.shape[1]:
        raise LogError(f"{file} does not name the columns of item_features.ascii.")
    types: Ints = np.argmax(features[:, columns], axis=1)
    return types


def _refuse(wrong: Bools, matrix: Floats, file: Path, message: str) -> None:
    if wrong.any():
        row, column = (int(place) for place in np.argwhere(wrong)[0])
        value = matrix[row, column]
        raise LogError(f"{file}, line {row + 1}, column {column + 1}: {value:g} {message}.")
