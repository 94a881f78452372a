"""Reviews as they were read, neither chosen nor split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.conversation.files import names_of
from recsim.critiquing.reviews import AspectReviews
from recsim.critiquing.splits import per_user
from recsim.errors import UserError

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Opinions:
    """M reviews of a source.

    Attributes:
        user: Id of who wrote each, ``(M,)`` whole numbers or text.
        item: Id of what it is about, ``(M,)``.
        aspects: Which aspects it mentions, ``(M, K)`` bool.
        aspect_names: K of them.
        source: What is read, for messages.
        rating: ``(M,)``, or None where the source tells none.
        item_names: Names of items by their ids as text; the id itself for those that have none.
        user_names: Names of users likewise.
    """

    user: NDArray[Any]
    item: NDArray[Any]
    aspects: NDArray[np.bool_]
    aspect_names: tuple[str, ...]
    source: str
    rating: NDArray[np.float64] | None = None
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
        """Choose reviews, number what remains, and split the reviews of each user.

        Of several reviews of one item by one user the last stands, also if an earlier one rates
        higher. Users and items that keep no review are left out; the others are numbered in the
        order of their ids. Aspects are kept all.

        Args:
            min_rating: Lowest rating that counts; None for all reviews.
            core_u: Reviews that a user must have.
            core_i: Reviews that an item must have. Both are enforced again and again until nothing
                changes.
            seed: Of the split, see `recsim.critiquing.splits.per_user`.

        Raises:
            UserError: A number is out of range, there are no ratings to choose by or no aspects,
                or nothing remains.
        """
        if min(core_u, core_i) < 1:
            raise UserError(f"core_u is {core_u} and core_i {core_i}; both must be at least 1.")
        if seed < 0:
            raise UserError(f"seed is {seed}; it must be 0 or more.")
        if min_rating is not None and self.rating is None:
            raise UserError(f"{self.source} has no ratings; leave min_rating out.")
        if not self.aspects.any():
            raise UserError(f"{self.source}: no review mentions an aspect.")
        users, user = np.unique(self.user, return_inverse=True)
        items, item = np.unique(self.item, return_inverse=True)
        rows = _last_of_each(user * len(items) + item)
        if min_rating is not None and self.rating is not None:
            rows = rows[self.rating[rows] >= min_rating]
        rows = rows[_core(user[rows], item[rows], core_u, core_i)]
        if not len(rows):
            raise UserError(
                f"{self.source}: none of {len(user)} reviews remains with min_rating "
                f"{min_rating}, core_u {core_u} and core_i {core_i}; lower them."
            )
        of_users, user = np.unique(user[rows], return_inverse=True)
        of_items, item = np.unique(item[rows], return_inverse=True)
        return AspectReviews(
            user=user,
            item=item,
            part=per_user(user, seed),
            aspects=self.aspects[rows],
            aspect_names=self.aspect_names,
            item_names=names_of(items[of_items], self.item_names),
            user_names=names_of(users[of_users], self.user_names),
        )


def _last_of_each(groups: Ints) -> Ints:
    """Return the last row of each group, ascending."""
    _, from_the_end = np.unique(groups[::-1], return_index=True)
    rows: Ints = np.sort(len(groups) - 1 - from_the_end)
    return rows


def _core(user: Ints, item: Ints, core_u: int, core_i: int) -> Ints:
    """Return the rows whose users and items have enough of these rows."""
    rows = np.arange(len(user))
    while len(rows):
        of_user, of_item = np.bincount(user[rows]), np.bincount(item[rows])
        stays = (of_user[user[rows]] >= core_u) & (of_item[item[rows]] >= core_i)
        if stays.all():
            break
        rows = rows[stays]
    return rows
