"""The state of a batch of users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from envs.world.backend import Array


@dataclass(eq=False)
class Users:
    """The state of B users; every field is an array whose rows are independent users.

    Attributes:
        features: User features that the system observes, ``(B, F)`` float32.
        clock: Day, session, step of the session, slates since arrival, ``(B, 4)`` int64.
    """

    features: Array
    clock: Array

    def take(self, rows: Array) -> Self:
        """Return copies of ``rows`` (indices)."""
        return type(self)(**{name: array[rows] for name, array in vars(self).items()})

    def put(self, rows: Array, other: Any) -> None:
        """Overwrite ``rows`` (indices) with the users of ``other``."""
        for name, array in vars(self).items():
            array[rows] = getattr(other, name)
