"""New users: their interests, and the features that the system observes."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from envs.world.backend import Array, Stream
from envs.world.part import Part


class Population(Part):
    r"""New users prefer one group and have a small random interest in everything else.

    .. math:: u \propto c_g + \text{spread}\,\epsilon / \sqrt{d}, \qquad \|u\| = 1,

    g uniform over the groups. The system observes ``user_features``: u at arrival plus noise with
    standard deviation ``feature_noise / sqrt(d)`` per coordinate.
    """

    spread: float = Field(0.8, ge=0)
    feature_noise: float = Field(0.5, ge=0)

    def draw(self, xp: Any, stream: Stream, centres: Array, num: int) -> tuple[Array, Array]:
        """Draw ``num`` users.

        Args:
            xp: Array namespace.
            stream: Source of randomness.
            centres: Group centres, ``(G, d)``.
            num: Users to draw.

        Returns:
            Interests ``(num, d)`` of unit length and features ``(num, d)``.
        """
        groups, dim = centres.shape
        chosen = xp.astype(stream.uniform((num,)) * groups, xp.int64)
        noise = stream.normal((num, 2, dim)) / dim**0.5
        interest = xp.take(centres, chosen, axis=0) + self.spread * noise[:, 0]
        interest = interest / xp.sqrt(xp.vecdot(interest, interest))[:, None]
        return interest, interest + self.feature_noise * noise[:, 1]
