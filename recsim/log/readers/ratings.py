"""Ratings of items, one a row, and the logs of slates made from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Floats, Floats32, Ints
from recsim.errors import LogError
from recsim.log.readers.cores import core
from recsim.log.readers.sessions import Censored, daily_sessions, days_and_steps
from recsim.log.readers.times import whole_days
from recsim.log.slate_log import SlateLog
from recsim.problem import Names, Problem


@dataclass(frozen=True, eq=False)
class Ratings:
    """N ratings by U users of I items.

    Attributes:
        user: ``(N,)``, 0 ... U-1.
        item: ``(N,)``, 0 ... I-1.
        rating: ``(N,)`` float64.
        seconds: Time in seconds since 1970, ``(N,)``, or None if unknown.
        user_features: ``(U, F)`` float32.
        item_features: ``(I, D)`` float32.
        item_groups: Group of each item, ``(I,)``.
        item_names: Names of the items, or None.
        user_names: Names of the users, or None.
    """

    user: Ints
    item: Ints
    rating: Floats
    seconds: Floats | None
    user_features: Floats32
    item_features: Floats32
    item_groups: Ints
    item_names: Names | None = None
    user_names: Names | None = None

    def __len__(self) -> int:
        """Return the number of ratings N."""
        return len(self.user)

    @property
    def num_users(self) -> int:
        """U, including users without a rating."""
        return len(self.user_features)

    @property
    def num_items(self) -> int:
        """I, including items without a rating."""
        return len(self.item_features)

    def select(self, rows: NDArray[Any]) -> Ratings:
        """Return some of the ratings, by row numbers or a mask, of the same users and items."""
        return replace(
            self,
            user=self.user[rows],
            item=self.item[rows],
            rating=self.rating[rows],
            seconds=None if self.seconds is None else self.seconds[rows],
        )

    def core(self, least: int | None) -> tuple[Ratings, dict[str, int]]:
        """Return the ratings of users and items with at least so many, numbered anew; and counts.

        Args:
            least: See `recsim.log.readers.cores.core`.
        """
        part, counts = core(self.user, self.item, least)
        items, users = self.item_names, self.user_names
        return (
            Ratings(
                user=part.user,
                item=part.item,
                rating=self.rating[part.rows],
                seconds=None if self.seconds is None else self.seconds[part.rows],
                user_features=self.user_features[part.users],
                item_features=self.item_features[part.items],
                item_groups=self.item_groups[part.items],
                item_names=None if items is None else items.take(part.items),
                user_names=None if users is None else users.take(part.users),
            ),
            counts,
        )

    def to_log(self, threshold: float = 4.0) -> SlateLog:
        """Return every rating as a slate of one item, clicked if its rating reaches the threshold.

        Rows are in the order of time, if there are times. Every day on which a user rated is one
        session. There are no propensities: why users rated these items is unknown.

        Args:
            threshold: Lowest rating that counts as a click.

        Returns:
            A log with the rewards ``click``, which is the scalar one, and ``rating``.
        """
        seconds = np.zeros(len(self)) if self.seconds is None else self.seconds
        order = np.argsort(seconds, kind="stable")
        rating = self.rating[order]
        clicks = rating >= threshold
        return SlateLog(
            problem=self._problem(1, {"click": 1.0, "rating": 0.0}),
            **days_and_steps(self.user[order], seconds[order]),
            slate=self.item[order][:, None],
            clicks=clicks.astype(np.int8)[:, None],
            feedback={"click": clicks.astype(np.float64), "rating": rating},
            user_features=self.user_features,
            time=None if self.seconds is None else seconds[order],
        ).validate()

    def to_daily_log(
        self,
        threshold: float = 4.0,
        *,
        slate_size: int = 10,
        return_days: int = 7,
        censored: Censored = "drop",
    ) -> tuple[SlateLog, dict[str, int]]:
        """Return a log with one slate per user and day, the items rated on it, and the counts.

        Args:
            threshold: Lowest rating that counts as a click.
            slate_size: Items of a slate, K; those rated later on the same day are left out.
            return_days: Days of the return window.
            censored: Whether to ``drop`` or ``keep`` sessions whose return window passes the last
                rating.

        Returns:
            A log with the rewards ``click``, which is the scalar one, ``rating``, summed over the
            slate, and ``return``, the share of the next days on which the user rated; and the
            counts of `recsim.log.readers.sessions.DailySessions.counts`.

        Raises:
            LogError: If the ratings have no times, or no session has a whole return window.
        """
        if self.seconds is None:
            raise LogError("these ratings have no times, so they cannot be grouped by day.")
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
            user_feature_dim=self.user_features.shape[1],
            item_features=self.item_features,
            item_groups=self.item_groups,
            rewards=rewards,
            item_names=self.item_names,
            user_names=self.user_names,
        )
