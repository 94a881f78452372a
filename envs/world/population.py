"""New users: their interests, and the features that the system observes."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from pydantic import Field

from envs.world.backend import Array
from envs.world.contracts import PopulationPart
from recsim.arrays import Floats
from recsim.draws import MAX_NORMAL, Draws, Purpose

GROUP, INTEREST, FEATURES = Purpose("group"), Purpose("interest"), Purpose("features")


class Population(PopulationPart):
    r"""New users prefer one group and have a small random interest in everything else.

    .. math:: u \propto c_g + \text{spread}\,\epsilon / \sqrt{d}, \qquad \|u\| = 1,

    g uniform over the groups. The system observes ``user_features``: u at arrival plus noise with
    standard deviation ``feature_noise / sqrt(d)`` per coordinate.
    """

    kind: Literal["drawn"] = "drawn"
    spread: float = Field(0.8, ge=0)
    feature_noise: float = Field(0.5, ge=0)

    def feature_bounds(self, dim: int) -> Floats:
        """Return the lowest and highest value of every user feature, ``(2, d)``."""
        deviation = self.feature_noise / math.sqrt(dim)
        largest = (1 + deviation * MAX_NORMAL) * (1 + 1e-4)  # sums are rounded in float32
        return np.outer([-1, 1], np.full(dim, largest))

    def draw(self, xp: Any, draws: Draws, centres: Array) -> tuple[Array, Array]:
        """Draw users.

        Args:
            xp: Array namespace.
            draws: Random numbers of B users.
            centres: Group centres, ``(G, d)``.

        Returns:
            Interests ``(B, d)`` of unit length and features ``(B, d)``.
        """
        groups, dim = centres.shape
        chosen = xp.astype(draws.uniform(GROUP, 1)[:, 0] * groups, xp.int64)
        spread, noise = (scale / dim**0.5 for scale in (self.spread, self.feature_noise))
        interest = xp.take(centres, chosen, axis=0) + spread * draws.normal(INTEREST, dim)
        interest = interest / xp.sqrt(xp.vecdot(interest, interest))[:, None]
        return interest, interest + noise * draws.normal(FEATURES, dim)
