"""Users who reviewed items, and the aspects that their reviews mention."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recsim.conversation import PARTS
from recsim.errors import UserError, did_you_mean

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class AspectReviews:
    """M reviews that U users wrote of I items, which mention some of K aspects.

    What is counted is counted in the train part only, so that no table tells of a review that is
    held out.

    Attributes:
        user: User of each review, ``(M,)``.
        item: Item of each review, ``(M,)``.
        part: Number of the part in `recsim.conversation.PARTS` that it belongs to, ``(M,)`` int8.
        aspects: Which aspects it mentions, ``(M, K)`` bool.
        aspect_names: K of them.
        item_names: I of them.
        user_names: U of them.
    """

    user: Ints
    item: Ints
    part: NDArray[np.int8]
    aspects: Bools
    aspect_names: tuple[str, ...]
    item_names: tuple[str, ...]
    user_names: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of reviews M."""
        return len(self.user)

    @property
    def num_users(self) -> int:
        """Users, U."""
        return len(self.user_names)

    @property
    def num_items(self) -> int:
        """Items, I."""
        return len(self.item_names)

    @property
    def num_aspects(self) -> int:
        """Aspects, K."""
        return int(self.aspects.shape[1])

    def rows(self, part: str) -> Ints:
        """Return the reviews of a part, in the order of the source.

        Raises:
            UserError: There is no such part.
        """
        return np.flatnonzero(self.part == _number(part))

    def select(self, *parts: str) -> Self:
        """Return the reviews of some parts; users, items and aspects keep their numbers."""
        chosen = np.sort(np.concatenate([self.rows(part) for part in parts]))
        return replace(
            self,
            user=self.user[chosen],
            item=self.item[chosen],
            part=self.part[chosen],
            aspects=self.aspects[chosen],
        )

    @cached_property
    def user_counts(self) -> Ints:
        """How many train reviews of a user mention an aspect, ``(U, K)``."""
        return self._counts(self.user, self.num_users)

    @cached_property
    def item_counts(self) -> Ints:
        """How many train reviews of an item mention an aspect, ``(I, K)``."""
        return self._counts(self.item, self.num_items)

    @property
    def item_aspects(self) -> Bools:
        """Which aspects some train review of an item mentions, ``(I, K)``."""
        found: Bools = self.item_counts > 0
        return found

    @property
    def aspect_popularity(self) -> Ints:
        """How many train reviews mention an aspect, ``(K,)``."""
        total: Ints = self.item_counts.sum(axis=0)
        return total

    @cached_property
    def item_popularity(self) -> Ints:
        """How many train reviews an item has, ``(I,)``."""
        return np.bincount(self.item[self.rows("train")], minlength=self.num_items)

    def taken(self, users: Ints, part: str = "train") -> Bools:
        """Return which items users reviewed in a part, ``(B, I)``.

        Args:
            users: ``(B,)``; -1 for somebody unknown, who reviewed nothing.
            part: The part.
        """
        rows = self._by_user[_number(part)]
        found = np.zeros((len(users), self.num_items), dtype=np.bool_)
        first, last = (
            np.searchsorted(self.user[rows], users),
            np.searchsorted(self.user[rows], users, side="right"),
        )
        count = last - first
        row = np.repeat(np.arange(len(users)), count)
        place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        found[row, self.item[rows[np.repeat(first, count) + place]]] = True
        return found

    @cached_property
    def _by_user(self) -> tuple[Ints, ...]:
        """Reviews of each part, user by user."""
        parts = (self.rows(part) for part in PARTS)
        return tuple(rows[np.argsort(self.user[rows], kind="stable")] for rows in parts)

    def _counts(self, of: Ints, size: int) -> Ints:
        train = self.rows("train")
        row, aspect = np.nonzero(self.aspects[train])
        cells = of[train][row] * self.num_aspects + aspect
        counted = np.bincount(cells, minlength=size * self.num_aspects)
        return counted.reshape(size, self.num_aspects)  # (size * K,) -> (size, K)


def _number(part: str) -> int:
    if part not in PARTS:
        raise UserError(f"There is no part {part!r}.{did_you_mean(part, PARTS)}")
    return PARTS.index(part)
