"""Users who took items, and the attributes of both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recsim.errors import UserError, did_you_mean

# Parts of the data, in the order of their numbers in `AttributeData.part`.
PARTS = ("train", "valid", "test")


@dataclass(frozen=True, eq=False)
class AttributeData:
    """M interactions of U users with I items that have some of F attributes.

    Users, items and attributes are numbered from 0; their ids in the source are their names, unless
    the source has better ones.

    Attributes:
        user: User of each interaction, ``(M,)``.
        item: Item of each interaction, ``(M,)``.
        part: Number of the part in `PARTS` that the interaction belongs to, ``(M,)`` int8.
        user_attributes: Which attributes a user cares for, ``(U, F)`` bool.
        item_attributes: Which attributes an item has, ``(I, F)`` bool.
        attribute_names: F of them.
        item_names: I of them.
        user_names: U of them.
        classes: Which attribute belongs to which larger class, ``(F, L)`` bool; an attribute may
            have several classes or none. None where there are no classes.
        class_names: L of them.
    """

    user: NDArray[np.int64]
    item: NDArray[np.int64]
    part: NDArray[np.int8]
    user_attributes: NDArray[np.bool_]
    item_attributes: NDArray[np.bool_]
    attribute_names: tuple[str, ...]
    item_names: tuple[str, ...]
    user_names: tuple[str, ...]
    classes: NDArray[np.bool_] | None = None
    class_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of interactions M."""
        return len(self.user)

    @property
    def num_users(self) -> int:
        """Users, U."""
        return len(self.user_attributes)

    @property
    def num_items(self) -> int:
        """Items, I."""
        return len(self.item_attributes)

    @property
    def num_attributes(self) -> int:
        """Attributes, F."""
        return int(self.item_attributes.shape[1])

    def rows(self, part: str) -> NDArray[np.int64]:
        """Return the interactions of a part, in the order of the source.

        Raises:
            UserError: There is no such part.
        """
        if part not in PARTS:
            raise UserError(f"There is no part {part!r}.{did_you_mean(part, PARTS)}")
        return np.flatnonzero(self.part == PARTS.index(part))

    def select(self, *parts: str) -> Self:
        """Return the interactions of some parts; users and items keep their numbers."""
        chosen = np.sort(np.concatenate([self.rows(part) for part in parts]))
        return replace(self, user=self.user[chosen], item=self.item[chosen], part=self.part[chosen])

    def answers(self, rows: NDArray[np.int64], *, caring: bool = True) -> NDArray[np.bool_]:
        """Return what the users of interactions answer when asked for each attribute.

        Args:
            rows: Interactions, ``(N,)``.
            caring: Whether they say yes only to attributes that they care for themselves; else to
                all attributes of the item.

        Returns:
            ``(N, F)``, True for yes.
        """
        of_items = self.item_attributes[self.item[rows]]
        return of_items & self.user_attributes[self.user[rows]] if caring else of_items

    def counts(self, part: str = "train") -> NDArray[np.int64]:
        """Return how many interactions of a part each item has, ``(I,)``."""
        return np.bincount(self.item[self.rows(part)], minlength=self.num_items)
