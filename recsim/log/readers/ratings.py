"""Ratings that people gave to items, one a row, before they become a log of slates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.errors import UserError
from recsim.log import encode
from recsim.log.readers.columns import whole_days
from recsim.log.readers.sessions import Censored, SessionCounts, daily_sessions
from recsim.log.slate_log import SlateLog
from recsim.problem import Problem


@dataclass(frozen=True, eq=False)
class Ratings:
    """N ratings by U users of I items.

    Attributes:
        user: Who rated, ``(N,)``, 0 ... U-1.
        item: What, ``(N,)``, 0 ... I-1.
        rating: How, ``(N,)`` float64.
        seconds: When, ``(N,)`` seconds since 1970, or None where that is not known.
        user_features: ``(U, F)`` float32.
        item_features: ``(I, D)`` float32.
        item_groups: Group of each item, ``(I,)``.
    """

    user: NDArray[np.int64]
    item: NDArray[np.int64]
    rating: NDArray[np.float64]
    seconds: NDArray[np.float64] | None
    user_features: NDArray[np.float32]
    item_features: NDArray[np.float32]
    item_groups: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of ratings N."""
        return len(self.user)

    @property
    def num_users(self) -> int:
        """U, users without a rating included."""
        return len(self.user_features)

    @property
    def num_items(self) -> int:
        """I, items without a rating included."""
        return len(self.item_features)

    def select(self, rows: NDArray[Any]) -> Ratings:
        """Return some of the ratings, by row numbers or a mask, of the same users and items."""
        seconds = None if self.seconds is None else self.seconds[rows]
        return Ratings(
            self.user[rows],
            self.item[rows],
            self.rating[rows],
            seconds,
            self.user_features,
            self.item_features,
            self.item_groups,
        )

    def to_log(self, threshold: float = 4.0) -> SlateLog:
        """Return every rating as a slate of one item, clicked if it is rated highly enough.

        In the order of time, or as they stand where there is none. Every day on which a user rated
        is a session of theirs. There are no propensities: nobody knows why people rated what they
        rated.

        Args:
            threshold: Lowest rating that counts as a click.

        Returns:
            A log with rewards ``click``, which is the scalar one, and ``rating``.
        """
        seconds = np.zeros(len(self)) if self.seconds is None else self.seconds
        order = np.argsort(seconds, kind="stable")
        user, rating = self.user[order], self.rating[order]
        day = whole_days(seconds[order])
        visits, visit = np.unique(np.stack([user, day], axis=1), axis=0, return_inverse=True)
        visit = visit.reshape(-1)  # (N,) which user and day
        clicks = rating >= threshold
        return SlateLog(
            problem=self._problem(1, {"click": 1.0, "rating": 0.0}),
            user=user,
            session=encode.rank_within(visits[:, 0])[visit],
            day=day,
            step=encode.rank_within(visit),
            slate=self.item[order][:, None],
            clicks=clicks.astype(np.int8)[:, None],
            feedback={"click": clicks.astype(np.float64), "rating": rating},
            user_features=self.user_features,
        ).validate()

    def to_daily_log(
        self,
        threshold: float = 4.0,
        *,
        slate_size: int = 10,
        return_days: int = 7,
        censored: Censored = "drop",
    ) -> tuple[SlateLog, SessionCounts]:
        """Return what a user rated on one day as a slate, and when they rated again.

        Args:
            threshold: Lowest rating that counts as a click.
            slate_size: Items of a slate, K; those rated later on the same day are left out.
            return_days: Days of the return window.
            censored: What becomes of sessions whose return window passes the last rating.

        Returns:
            A log with rewards ``click``, which is the scalar one, ``rating``, summed over the
            slate, and ``return``, the share of the next days on which the user rated; and what
            became of the ratings.

        Raises:
            UserError: If the ratings have no times, or no session has a whole return window.
        """
        if self.seconds is None:
            raise UserError("these ratings have no times, so they are of no day.")
        sessions = daily_sessions(
            user=self.user,
            item=self.item,
            day=whole_days(self.seconds),
            seconds=self.seconds,
            clicked=self.rating >= threshold,
            amounts={"rating": self.rating},
            slate_size=slate_size,
            return_days=return_days,
        )
        log = SlateLog(
            problem=self._problem(slate_size, {"click": 1.0, "rating": 0.0, "return": 0.0}),
            user_features=self.user_features,
            **sessions.columns(censored),
        )
        return log.validate(), sessions.counts(len(self))

    def _problem(self, slate_size: int, rewards: dict[str, float]) -> Problem:
        return Problem(
            num_items=self.num_items,
            slate_size=slate_size,
            num_candidates=self.num_items,
            user_feature_dim=self.user_features.shape[1],
            item_features=self.item_features,
            item_groups=self.item_groups,
            rewards=rewards,
        )
