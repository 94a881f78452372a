"""Whether and when a user returns."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field

from envs.world.backend import Array
from envs.world.contracts import RetentionPart
from recsim.draws import Draws, Purpose

RETURN = Purpose("return")
# Hazards are kept away from 0 and 1, so that every gap is a finite number of days.
MIN_HAZARD = 1e-6


class Retention(RetentionPart):
    r"""After a session the user leaves for good, or returns after a number of days.

    With satisfaction s, the user churns with probability

    .. math:: \sigma(\text{churn} - \text{churn_slope}\,(s - \tfrac12)),

    and otherwise returns after a gap of :math:`D \ge 1` days, geometric with the daily hazard

    .. math:: h = \sigma(\text{hazard} + \text{hazard_slope}\,(s - \tfrac12)).

    The reward ``return`` of the session's last step is 1/D, or 0 if the user never returns.

    Source: return time as a hazard that depends on the experience, Du et al. 2015 (time-sensitive
    recommendation) and Zou et al. 2019 (arXiv 1902.05570, delayed retention reward).
    """

    kind: Literal["hazard"] = "hazard"
    churn: float = Field(-3.0, ge=-50, le=50, description="log-odds of leaving at s = 1/2")
    churn_slope: float = Field(6.0, ge=0, le=50)
    hazard: float = Field(0.0, ge=-50, le=50, description="log-odds of returning on a day")
    hazard_slope: float = Field(6.0, ge=0, le=50)

    def churn_probability(self, xp: Any, satisfaction: Array) -> Array:
        """Return the probability of never returning, ``(B,)``."""
        return 1 / (1 + xp.exp(self.churn_slope * (satisfaction - 0.5) - self.churn))

    def daily_hazard(self, xp: Any, satisfaction: Array) -> Array:
        """Return the probability of returning on a given day, ``(B,)``."""
        return 1 / (1 + xp.exp(-self.hazard - self.hazard_slope * (satisfaction - 0.5)))

    def longest_gap(self) -> int:
        """Return a number of days that no gap exceeds."""
        hazard = 1 / (1 + math.exp(self.hazard_slope / 2 - self.hazard))
        hazard = min(max(hazard, MIN_HAZARD), 1 - MIN_HAZARD)
        # The largest uniform number is 1 - 2^-24; the sum is rounded in float32.
        return math.ceil(24 * math.log(2) / -math.log1p(-hazard) * (1 + 1e-4)) + 1

    def draw(self, xp: Any, draws: Draws, satisfaction: Array) -> tuple[Array, Array]:
        """Draw whether and when users return after a session.

        Returns:
            ``gap`` in days ``(B,)`` float, 0 if the user churned, and ``churned`` ``(B,)`` bool.
        """
        chance = draws.uniform(RETURN, 2)
        churned = chance[:, 0] < self.churn_probability(xp, satisfaction)
        hazard = self.daily_hazard(xp, satisfaction)
        # Inverse of the geometric distribution function.
        survive = xp.log1p(-xp.clip(hazard, MIN_HAZARD, 1 - MIN_HAZARD))
        days = xp.ceil(xp.log1p(-chance[:, 1]) / survive)
        days = xp.maximum(days, xp.ones_like(days))
        return xp.where(churned, xp.zeros_like(days), days), churned
