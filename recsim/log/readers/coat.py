"""Coat: 290 people rated 24 coats of their choice, and 16 that were drawn for them.

Reference: Schnabel, Swaminathan, Singh, Chandak and Joachims, "Recommendations as Treatments:
Debiasing Learning and Evaluation", ICML 2016, arXiv:1602.05352.

The ratings that people chose to give are not missing at random; those of the drawn coats are. So a
recommender can be learned from the former and judged on the latter without bias.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recsim.errors import UserError, did_you_mean
from recsim.log.readers.base import Reader
from recsim.log.readers.ratings import Ratings
from recsim.log.slate_log import SlateLog

SPLITS = ("train", "test")
_KIND = "jackettype:"
_GET = (
    "Get the Coat data set (www.cs.cornell.edu/~schnabts/mnar) and let 'path' be the folder with "
    "train.ascii, test.ascii and user_item_features/."
)


class CoatReader(Reader):
    """Coat, either the ratings that people chose to give or those of coats drawn for them.

    Attributes:
        path: The folder that holds ``train.ascii`` and ``test.ascii``.
        split: ``train`` (self-selected) or ``test`` (drawn uniformly).
        threshold: Lowest rating, of 1 to 5, that counts as a click.
    """

    path: Path
    split: Literal["train", "test"] = "train"
    threshold: float = Field(default=4.0, allow_inf_nan=False)

    def read(self) -> SlateLog:
        """Read the log; see `coat_log`."""
        return coat_log(self.path, self.split, threshold=self.threshold)


def read_coat(path: str | Path, split: str = "train") -> Ratings:
    """Read one of the two sets of ratings.

    The features are one-hot: of users gender, age, location and interest in fashion, of items
    gender, type, colour and whether it was on the front page. The type is the group of an item.

    Args:
        path: The folder that holds ``train.ascii`` and ``test.ascii``.
        split: ``train`` or ``test``.

    Raises:
        UserError: If a file is missing or an entry is not a rating, with line and column.
    """
    if split not in SPLITS:
        raise UserError(f"Coat has no split {split!r}.{did_you_mean(split, SPLITS)}")
    root = Path(path)
    file = root / f"{split}.ascii"
    matrix = _read_matrix(file)
    whole = (matrix == np.floor(matrix)) & (matrix >= 0) & (matrix <= 5)
    _refuse(~whole, matrix, file, "is not a rating: 1 to 5, or 0 where there is none")
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
        item_groups=_kinds(features / "item_features_map.txt", of_items),
    )


def coat_log(path: str | Path, split: str = "train", *, threshold: float = 4.0) -> SlateLog:
    """Read Coat as a log of slates of one coat; a click is a high rating.

    The test split is a log with known propensities: of the 16 coats drawn for a user, each row
    shows another one, so it is as if one of the 16 candidates were drawn uniformly, and its
    propensity is 1/16. The value of a policy on it is the chance that the coat which the policy
    puts first among 16 random ones is liked. The training split has no propensities.

    Args:
        path: The folder that holds ``train.ascii`` and ``test.ascii``.
        split: ``train`` or ``test``.
        threshold: Lowest rating that counts as a click.

    Raises:
        UserError: If a file is missing or malformed, or test users have not all rated the same
            number of coats.
    """
    ratings = read_coat(path, split)
    log = ratings.to_log(threshold)
    if split == "train":
        return log
    counts = np.bincount(ratings.user, minlength=ratings.num_users)
    size = int(counts.max(initial=0))
    if not size or (counts != size).any():
        odd = int(np.argmax(counts != size))
        raise UserError(
            f"{Path(path) / 'test.ascii'}, line {odd + 1}: user {odd} has {counts[odd]} ratings, "
            f"others {size}; candidates must be equally many."
        )
    drawn = ratings.item.reshape(-1, size)  # (N,) sorted by user -> (U, 16)
    return dataclasses.replace(
        log,
        problem=dataclasses.replace(log.problem, num_candidates=size),
        candidates=drawn[log.user],
        propensity=np.full((len(log), 1), 1 / size),
    ).validate()


def coat_propensities(path: str | Path) -> NDArray[np.float64]:
    """Read how likely each user was to rate each coat in the training set, ``(U, I)``.

    The authors estimated these from the features; they are no ground truth.

    Raises:
        UserError: If the file is missing or an entry is not a probability in (0, 1].
    """
    file = Path(path) / "propensities.ascii"
    matrix = _read_matrix(file)
    _refuse(~((matrix > 0) & (matrix <= 1)), matrix, file, "is not a probability in (0, 1]")
    return matrix


def _read_matrix(file: Path) -> NDArray[np.float64]:
    """Read numbers separated by blanks, one row a line."""
    if not file.is_file():
        raise UserError(f"{file} does not exist. {_GET}")
    rows: list[NDArray[np.float64]] = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        fields = line.split()
        try:
            row = np.array(fields, dtype=np.float64)
        except ValueError:
            row = np.array([_number(field) for field in fields])
        if not np.isfinite(row).all():
            column = int(np.argmax(~np.isfinite(row)))
            raise UserError(
                f"{file}, line {number}, column {column + 1}: {fields[column]!r} is not a number."
            )
        if rows and len(row) != len(rows[0]):
            raise UserError(
                f"{file}, line {number}: {len(row)} entries, but line 1 has {len(rows[0])}."
            )
        rows.append(row)
    if not rows or not len(rows[0]):
        raise UserError(f"{file} is empty.")
    return np.stack(rows)


def _number(field: str) -> float:
    try:
        return float(field)
    except ValueError:
        return np.nan


def _read_features(file: Path, rows: int) -> NDArray[np.float32]:
    matrix = _read_matrix(file)
    if len(matrix) != rows:
        raise UserError(f"{file} has {len(matrix)} lines; the ratings are of {rows}.")
    return matrix.astype(np.float32)


def _kinds(file: Path, features: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the type of every coat, ``(I,)``: which of the one-hot columns of types is set."""
    if not file.is_file():
        raise UserError(f"{file} does not exist. {_GET}")
    names = file.read_text(encoding="utf-8").split("\n")
    columns = [place for place, name in enumerate(names) if name.startswith(_KIND)]
    if not columns or columns[-1] >= features.shape[1]:
        raise UserError(f"{file} does not name the columns of item_features.ascii.")
    kinds: NDArray[np.int64] = np.argmax(features[:, columns], axis=1)
    return kinds


def _refuse(
    wrong: NDArray[np.bool_], matrix: NDArray[np.float64], file: Path, message: str
) -> None:
    if wrong.any():
        row, column = (int(place) for place in np.argwhere(wrong)[0])
        value = matrix[row, column]
        raise UserError(f"{file}, line {row + 1}, column {column + 1}: {value:g} {message}.")
