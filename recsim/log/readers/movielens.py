"""MovieLens: ratings of films, with times; the layout of ml-latest-small and ml-25m.

Reference: Harper and Konstan, "The MovieLens Datasets: History and Context", ACM TiiS 5(4), 2015.
The licence of the data requires this reference and excludes commercial use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import Field, PositiveInt, model_validator

from recsim.log import encode
from recsim.log.readers.base import Reader
from recsim.log.readers.columns import read_columns
from recsim.log.readers.ratings import Ratings
from recsim.log.readers.sessions import Censored
from recsim.log.slate_log import SlateLog
from recsim.problem import Names

_GET = (
    "Get a MovieLens data set (grouplens.org/datasets/movielens) and let 'path' be the folder with "
    "ratings.csv and movies.csv."
)
_NO_GENRE = "(no genres listed)"


class MovieLensReader(Reader):
    """MovieLens ratings in the order of time; a click is a high rating.

    Attributes:
        path: The folder that holds ``ratings.csv`` and ``movies.csv``.
        threshold: Lowest rating, of 0.5 to 5, that counts as a click.
        k_core: Keeps only users and films with at least so many ratings, all others dropped again
            and again; None keeps all. Films without a rating then leave the catalogue.
        slates: Whether a slate is one ``rating``, or all films that a user rated on one ``day``.
        slate_size: Films of a day's slate; those rated later on the same day are left out.
        return_days: Days of the return window; the slates of days have a reward ``return``.
        censored: Whether to ``drop`` days whose return window passes the end of the log, or to
            ``keep`` them with the returns that the log still shows, which are too low.
    """

    path: Path
    threshold: float = Field(default=4.0, ge=0.5, le=5)
    k_core: PositiveInt | None = None
    slates: Literal["rating", "day"] = "rating"
    slate_size: PositiveInt = 10
    return_days: PositiveInt = 7
    censored: Censored = "drop"

    @model_validator(mode="after")
    def _only_with_days(self) -> Self:
        if self.slates == "rating":
            for name in ("slate_size", "return_days", "censored"):
                if name in self.model_fields_set:
                    raise ValueError(f"{name!r} has no effect without 'slates: day': remove it")
        elif self.k_core is not None:
            raise ValueError("'k_core' has no effect with 'slates: day': remove it")
        return self

    def read(self) -> SlateLog:
        """Read the log; it has no propensities."""
        return self.read_counted()[0]

    def read_counted(self) -> tuple[SlateLog, dict[str, int]]:
        """Read the log, and count what became of the ratings if its slates are days."""
        ratings = read_movielens(self.path)
        counts: dict[str, int] = {}
        if self.k_core is not None:
            ratings, counts = ratings.core(self.k_core)
        if self.slates == "rating":
            return ratings.to_log(self.threshold), counts
        return ratings.to_daily_log(
            self.threshold,
            slate_size=self.slate_size,
            return_days=self.return_days,
            censored=self.censored,
        )


def read_movielens(path: str | Path) -> Ratings:
    """Read ratings and genres.

    Users and films are numbered in the order of their ids, which are their names, including films
    without a rating. The features of a film are its genres, one column each in alphabetical order;
    its group is the genre listed first. Films without a genre form the last group.

    Args:
        path: The folder that holds ``ratings.csv`` and ``movies.csv``.

    Raises:
        LogError: If a file is missing or a row is malformed, with line and column.
    """
    root = Path(path)
    films = read_columns(root / "movies.csv", {"movieId": "int", "genres": "text"}, missing=_GET)
    ids = films.unique("movieId")
    order = np.argsort(ids)
    genres = [
        [genre for genre in text.split("|") if genre != _NO_GENRE]
        for text in films["genres"][order]
    ]
    known = sorted({genre for listed in genres for genre in listed})
    table = read_columns(
        root / "ratings.csv",
        {"userId": "int", "movieId": "int", "rating": "float", "timestamp": "float"},
        missing=_GET,
    )
    item = encode.codes(table["movieId"], ids[order])
    table.refuse(item < 0, "movieId", "is not in movies.csv")
    rating = table["rating"]
    table.refuse((rating < 0.5) | (rating > 5), "rating", "is not a rating: 0.5 to 5")
    users, user = np.unique(table["userId"], return_inverse=True)
    return Ratings(
        user=user.astype(np.int64),
        item=item,
        rating=rating,
        seconds=table["timestamp"],
        user_features=np.zeros((len(users), 0), dtype=np.float32),
        item_features=encode.multi_hot(genres, known),
        item_groups=encode.first_codes(genres, known),
        item_names=Names(ids[order], "item"),
        user_names=Names(users, "user"),
    )
