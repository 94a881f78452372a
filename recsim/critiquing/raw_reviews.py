"""Reviews as they were read from a source: not yet filtered, numbered or split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Bools, Floats, Ints
from recsim.conversation.interactions import part_number
from recsim.conversation.json_files import names_of
from recsim.critiquing.reviews import AspectReviews
from recsim.errors import LogError
from recsim.log.encode import rank_within


@dataclass(frozen=True, eq=False)
class RawReviews:
    """M reviews of one source.

    Attributes:
        user: Id of the user of each review, ``(M,)`` whole numbers or text.
        item: Id of the item of each review, ``(M,)`` whole numbers or text.
        aspects: Which aspects each review mentions, ``(M, K)`` bool.
        aspect_names: K names.
        source: Where the reviews come from, for messages.
        rating: ``(M,)``, or None if the source has no ratings.
        item_names: Names of items by their ids as text; an item without a name is named by its id.
        user_names: Names of users, likewise.
    """

    user: NDArray[Any]
    item: NDArray[Any]
    aspects: Bools
    aspect_names: tuple[str, ...]
    source: str
    rating: Floats | None = None
    item_names: Mapping[str, Any] = field(default_factory=dict)
    user_names: Mapping[str, Any] = field(default_factory=dict)

    def split(
        self,
        *,
        min_rating: float | None = None,
        core_u: int = 1,
        core_i: int = 1,
        seed: int = 0,
    ) -> AspectReviews:
        """Filter the reviews, number what remains, and split the reviews of each user.

        If a user has several reviews of one item, only the last counts, even if an earlier one has
        a higher rating. Users and items without a remaining review are dropped, the others are
        numbered in the order of their ids. All aspects are kept.

        Args:
            min_rating: Lowest rating that counts; None for all reviews.
            core_u: Reviews that a user must have.
            core_i: Reviews that an item must have. Both conditions are applied repeatedly until
                nothing changes.
            seed: Seed of the split, see `split_per_user`.

        Raises:
            LogError: If a number is out of range, there are no aspects, there are no ratings to
                filter by, or no review remains.
        """
        if min(core_u, core_i) < 1:
            raise LogError(f"core_u is {core_u} and core_i {core_i}; both must be at least 1.")
        if seed < 0:
            raise LogError(f"seed is {seed}; it must be 0 or more.")
        if min_rating is not None and self.rating is None:
            raise LogError(f"{self.source} has no ratings; remove min_rating.")
        if not self.aspects.any():
            raise LogError(f"{self.source}: no review mentions an aspect.")
        users, user = np.unique(self.user, return_inverse=True)
        items, item = np.unique(self.item, return_inverse=True)
        rows = _last_of_each(user * len(items) + item)
        if min_rating is not None and self.rating is not None:
            rows = rows[self.rating[rows] >= min_rating]
        rows = rows[_core(user[rows], item[rows], core_u, core_i)]
        if not len(rows):
            raise LogError(
                f"{self.source}: none of {len(user)} reviews remains with min_rating "
                f"{min_rating}, core_u {core_u} and core_i {core_i}; lower them."
            )
        of_users, user = np.unique(user[rows], return_inverse=True)
        of_items, item = np.unique(item[rows], return_inverse=True)
        return AspectReviews(
            user=user,
            item=item,
            part=split_per_user(user, seed),
            aspects=self.aspects[rows],
            aspect_names=self.aspect_names,
            item_names=names_of(items[of_items], self.item_names),
            user_names=names_of(users[of_users], self.user_names),
        )


def split_per_user(user: Ints, seed: int) -> NDArray[np.int8]:
    """Split the reviews of each user at random: one for test, one for valid, the rest for train.

    A user's first review in random order goes to test, the second to valid. A user with two reviews
    has none in valid, and a user with one review has it in train, so that every user of the valid
    and test parts is also in train.

    Args:
        user: User of each review, ``(M,)``.
        seed: Seed of the random order.

    Returns:
        Part of each review, as a position in `recsim.conversation.PARTS`, ``(M,)``.
    """
    shuffled = np.random.default_rng([seed, 0x5917]).permutation(len(user))
    place = np.empty(len(user), dtype=np.int64)
    place[shuffled] = rank_within(user[shuffled])
    written = np.bincount(user)[user]
    part = np.full(len(user), part_number("train"), dtype=np.int8)
    part[(place == 0) & (written > 1)] = part_number("test")
    part[(place == 1) & (written > 2)] = part_number("valid")
    return part


def _last_of_each(groups: Ints) -> Ints:
    """Return the last row of each group, ascending."""
    _, from_the_end = np.unique(groups[::-1], return_index=True)
    rows: Ints = np.sort(len(groups) - 1 - from_the_end)
    return rows


def _core(user: Ints, item: Ints, core_u: int, core_i: int) -> Ints:
    """Return the largest set of rows in which every user and item has enough rows."""
    rows = np.arange(len(user))
    while len(rows):
        of_user, of_item = np.bincount(user[rows]), np.bincount(item[rows])
        kept = (of_user[user[rows]] >= core_u) & (of_item[item[rows]] >= core_i)
        if kept.all():
            break
        rows = rows[kept]
    return rows
