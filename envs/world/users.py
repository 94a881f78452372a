"""The state of a batch of users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from envs.world.backend import Array


@dataclass(eq=False)
class Users:
    """The state of B users.

    Every field is an array whose rows are independent users, or a dict of such arrays.

    Attributes:
        features: User features that the system observes, ``(B, F)`` float32.
        clock: Day, session, step of the session, slates since arrival, ``(B, 4)`` int64.
    """

    features: Array
    clock: Array

    def take(self, rows: Array) -> Self:
        """Return copies of ``rows`` (indices)."""
        return type(self)(**{name: _taken(value, rows) for name, value in vars(self).items()})

    def put(self, rows: Array, other: Any) -> None:
        """Overwrite ``rows`` (indices) with the users of ``other``."""
        for name, value in vars(self).items():
            theirs = getattr(other, name)
            if isinstance(value, dict):
                for key, array in value.items():
                    array[rows] = theirs[key]
            else:
                value[rows] = theirs


def _taken(value: Any, rows: Array) -> Any:
    if isinstance(value, dict):
        return {key: array[rows] for key, array in value.items()}
    return value[rows]
