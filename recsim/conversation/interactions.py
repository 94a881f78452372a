"""Interactions of users with items, split into a train, a validation and a test part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Ints
from recsim.errors import LogError, did_you_mean

# Parts of the data, in the order of their numbers in `Interactions.part`.
PARTS = ("train", "valid", "test")


@dataclass(frozen=True, eq=False, kw_only=True)
class Interactions:
    """M interactions of U users with I items, both numbered from 0.

    Attributes:
        user: User of each interaction, ``(M,)``.
        item: Item of each interaction, ``(M,)``.
        part: Part of each interaction, as a position in `PARTS`, ``(M,)`` int8.
        item_names: I names.
        user_names: U names.
    """

    # Fields with one row per interaction; a subclass adds its own.
    row_fields: ClassVar[tuple[str, ...]] = ("user", "item", "part")

    user: Ints
    item: Ints
    part: NDArray[np.int8]
    item_names: tuple[str, ...]
    user_names: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of interactions M."""
        return len(self.user)

    @property
    def num_users(self) -> int:
        """Number of users, U."""
        return len(self.user_names)

    @property
    def num_items(self) -> int:
        """Number of items, I."""
        return len(self.item_names)

    def rows(self, part: str) -> Ints:
        """Return the interactions of a part, in the order of the source.

        Raises:
            LogError: If there is no such part.
        """
        return np.flatnonzero(self.part == part_number(part))

    def select(self, *parts: str) -> Self:
        """Return the interactions of some parts; users and items keep their numbers."""
        rows = np.sort(np.concatenate([self.rows(part) for part in parts]))
        return replace(self, **{name: getattr(self, name)[rows] for name in self.row_fields})


def part_number(part: str) -> int:
    """Return the position of a part in `PARTS`.

    Raises:
        LogError: If there is no such part.
    """
    if part not in PARTS:
        raise LogError(f"There is no part {part!r}.{did_you_mean(part, PARTS)}")
    return PARTS.index(part)
