"""Interactions of users with items that both have attributes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsim.arrays import Bools, Ints
from recsim.conversation.interactions import Interactions


@dataclass(frozen=True, eq=False, kw_only=True)
class AttributeData(Interactions):
    """M interactions of U users with I items that have some of F attributes.

    Users, items and attributes are numbered from 0. They are named by their ids in the source
    unless the source has names.

    Attributes:
        user_attributes: Which attributes each user cares about, ``(U, F)`` bool.
        item_attributes: Which attributes each item has, ``(I, F)`` bool.
        attribute_names: F names.
        classes: Which attribute belongs to which larger class, ``(F, L)`` bool; an attribute may
            have several classes or none. None if the source has no classes.
        class_names: L names.
    """

    user_attributes: Bools
    item_attributes: Bools
    attribute_names: tuple[str, ...]
    classes: Bools | None = None
    class_names: tuple[str, ...] = ()

    @property
    def num_attributes(self) -> int:
        """Number of attributes, F."""
        return int(self.item_attributes.shape[1])

    def answers(self, rows: Ints, *, caring: bool = True) -> Bools:
        """Return what the users of some interactions answer when asked about each attribute.

        Args:
            rows: Interactions, ``(N,)``.
            caring: Whether users say yes only to attributes of the item that they care about; else
                they say yes to every attribute of the item.

        Returns:
            ``(N, F)``, True for yes.
        """
        of_items = self.item_attributes[self.item[rows]]
        return of_items & self.user_attributes[self.user[rows]] if caring else of_items

    def counts(self, part: str = "train") -> Ints:
        """Return how many interactions of a part each item has, ``(I,)``."""
        return np.bincount(self.item[self.rows(part)], minlength=self.num_items)
