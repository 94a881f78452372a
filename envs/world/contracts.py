"""What a world and its parts owe each other, one class per slot of a world."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np

from envs.world.backend import Array, Backend
from envs.world.clicks import draw_each, draw_one
from envs.world.items import Items
from envs.world.part import Part
from recsim.arrays import Floats
from recsim.draws import Draws


class CataloguePart(Part):
    """Where the items come from."""

    def draw(self) -> Items:
        """Return the items."""
        raise NotImplementedError


class UserSource(Protocol):
    """New users, for the items of one world."""

    def feature_bounds(self, dim: int) -> Floats:
        """Return the lowest and highest value of every user feature, ``(2, F)``."""
        ...

    def draw(self, xp: Any, draws: Draws, centres: Array) -> tuple[Array, Array]:
        """Draw users; see `PopulationPart.draw`."""
        ...


class PopulationPart(Part):
    """Who new users are."""

    def feature_bounds(self, dim: int) -> Floats:
        """Return the lowest and highest value of every user feature, ``(2, F)``.

        Args:
            dim: Dimensions of interests, d.
        """
        return np.outer([-np.inf, np.inf], np.ones(dim))

    def bind(self, items: Items, backend: Backend) -> UserSource:
        """Return what `draw` is called on, for the items of one world; by default this part.

        A part that reads a file does so here, once for every environment.
        """
        del items, backend
        return self

    def draw(self, xp: Any, draws: Draws, centres: Array) -> tuple[Array, Array]:
        """Draw users.

        Args:
            xp: Array namespace.
            draws: Random numbers of B users.
            centres: Group centres, ``(G, d)``.

        Returns:
            Interests ``(B, d)`` of length 1 and features ``(B, F)``, both float32.
        """
        raise NotImplementedError


class ChoicePart(Part):
    """Which items of a slate a user clicks."""

    at_most_one: ClassVar[bool]
    """Whether a slate gets at most one click."""

    def probabilities(self, xp: Any, utility: Array, shown: Array | None = None) -> Array:
        """Return the exact click probability of each slot, ``(B, K)``.

        Args:
            xp: Array namespace.
            utility: ``(B, K)`` float32.
            shown: False where a slot shows nothing, ``(B, K)``, whose probability is 0; None if
                every slot shows an item.
        """
        raise NotImplementedError

    def draw(self, xp: Any, draws: Draws, utility: Array, shown: Array | None = None) -> Array:
        """Draw clicks, bool ``(B, K)``.

        By default from `probabilities`: one click at most if ``at_most_one``, else every slot by
        itself.
        """
        chance = self.probabilities(xp, utility, shown)
        if self.at_most_one:
            return draw_one(draws, chance.cumsum(1), 1.0)
        return draw_each(draws, chance)
