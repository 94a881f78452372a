"""Reviews of items by users, and the aspects that they mention."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from recsim.arrays import Bools, Ints
from recsim.conversation.interactions import PARTS, Interactions, part_number


@dataclass(frozen=True, eq=False, kw_only=True)
class AspectReviews(Interactions):
    """M reviews by U users of I items, which mention some of K aspects.

    All counts are of the train part only, so that they reveal nothing about held-out reviews.

    Attributes:
        aspects: Which aspects each review mentions, ``(M, K)`` bool.
        aspect_names: K names.
    """

    row_fields: ClassVar[tuple[str, ...]] = (*Interactions.row_fields, "aspects")

    aspects: Bools
    aspect_names: tuple[str, ...]

    @property
    def num_aspects(self) -> int:
        """Number of aspects, K."""
        return int(self.aspects.shape[1])

    @cached_property
    def user_counts(self) -> Ints:
        """Number of train reviews of each user that mention each aspect, ``(U, K)``."""
        return self._counts(self.user, self.num_users)

    @cached_property
    def item_counts(self) -> Ints:
        """Number of train reviews of each item that mention each aspect, ``(I, K)``."""
        return self._counts(self.item, self.num_items)

    @property
    def item_aspects(self) -> Bools:
        """Which aspects the train reviews of each item mention, ``(I, K)``."""
        mentioned: Bools = self.item_counts > 0
        return mentioned

    @property
    def aspect_popularity(self) -> Ints:
        """Number of train reviews that mention each aspect, ``(K,)``."""
        total: Ints = self.item_counts.sum(axis=0)
        return total

    @cached_property
    def item_popularity(self) -> Ints:
        """Number of train reviews of each item, ``(I,)``."""
        return np.bincount(self.item[self.rows("train")], minlength=self.num_items)

    def taken(self, users: Ints, part: str = "train") -> Bools:
        """Return which items each user reviewed in a part, ``(B, I)``.

        Args:
            users: ``(B,)``; -1 for an unknown user, who has no reviews.
            part: The part.
        """
        rows = self._by_user[part_number(part)]
        taken = np.zeros((len(users), self.num_items), dtype=np.bool_)
        first, last = (
            np.searchsorted(self.user[rows], users),
            np.searchsorted(self.user[rows], users, side="right"),
        )
        count = last - first
        row = np.repeat(np.arange(len(users)), count)
        place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        taken[row, self.item[rows[np.repeat(first, count) + place]]] = True
        return taken

    @cached_property
    def _by_user(self) -> tuple[Ints, ...]:
        """The reviews of each part, sorted by user."""
        parts = (self.rows(part) for part in PARTS)
        return tuple(rows[np.argsort(self.user[rows], kind="stable")] for rows in parts)

    def _counts(self, of: Ints, size: int) -> Ints:
        train = self.rows("train")
        row, aspect = np.nonzero(self.aspects[train])
        cells = of[train][row] * self.num_aspects + aspect
        counts = np.bincount(cells, minlength=size * self.num_aspects)
        return counts.reshape(size, self.num_aspects)  # (size * K,) -> (size, K)
