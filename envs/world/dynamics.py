"""How users change with what they consume."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field

from envs.world.backend import Array
from envs.world.part import Part
from recsim.draws import MAX_NORMAL, Draws, Purpose

DRIFT, BUDGET = Purpose("drift"), Purpose("budget")


class InterestDrift(Part):
    r"""Interests move towards, or away from, what was clicked.

    .. math:: u' \propto u \pm \eta \sum_{k\ \text{clicked}} e_k + \sigma \epsilon / \sqrt{d},
       \qquad \|u'\| = 1

    with + for ``direction="towards"``, ``rate`` :math:`\eta` per click and ``noise``
    :math:`\sigma` per step. Each user moves by their own clicks alone.

    Source: the interest evolution of RecSim (Ie et al. 2019, arXiv 1909.04847), with a fixed
    direction instead of a random one.
    """

    rate: float = Field(0.1, ge=0, le=100)
    direction: Literal["towards", "away"] = "towards"
    noise: float = Field(0.02, ge=0, le=100)

    def step(
        self, xp: Any, draws: Draws, interest: Array, consumed: Array, scale: float = 1.0
    ) -> None:
        """Move the interests, in place.

        Args:
            xp: Array namespace.
            draws: Random numbers of the users.
            interest: Unit vectors, ``(B, d)``; overwritten.
            consumed: Sum of the clicked embeddings times ``scale``, ``(B, d)``.
            scale: Length of an embedding in ``consumed``.
        """
        rate = self.rate if self.direction == "towards" else -self.rate
        interest += (rate / scale) * consumed
        if self.noise:
            dim = interest.shape[1]
            interest += (self.noise / dim**0.5) * draws.normal(DRIFT, dim)
        # The small number avoids 0 / 0 for an interest that is cancelled by the clicked item.
        interest /= xp.sqrt(xp.vecdot(interest, interest) + 1e-12)[:, None]


class Satisfaction(Part):
    r"""A slow memory of how good the consumed items were.

    .. math:: s' = s + \eta \Big(\sum_{k\ \text{clicked}} (v_k - s) + [\text{no click}](n - s)\Big),
       \qquad v_k = \tfrac12 (1 + q_k - \text{bait_cost}\, b_k)

    clipped to [0, 1]. Satisfaction adds ``appeal`` times :math:`s - \frac12` to the utility of
    every item, and multiplies the minutes watched by :math:`1 + \text{engagement}\,(2s - 1)`.
    Between sessions it recovers towards ``start`` by the factor ``1 - recovery`` a day. Bait
    raises clicks now and lowers satisfaction; quality does the opposite.

    Source: RecSim's long-term satisfaction (Ie et al. 2019, arXiv 1909.04847: "choc" against
    "kale"), with a bounded moving average instead of the logistic function of net exposure.
    """

    start: float = Field(0.5, ge=0, le=1, description="satisfaction of a new user")
    rate: float = Field(0.1, ge=0, le=1, description="eta, per click")
    bait_cost: float = Field(1.0, ge=0, le=1)
    neglect: float = Field(0.4, ge=0, le=1, description="limit of steps without a click")
    appeal: float = Field(2.0, ge=0, le=20, description="effect on utility")
    engagement: float = Field(0.5, ge=0, le=1, description="effect on minutes watched")
    recovery: float = Field(0.05, ge=0, le=1, description="fraction recovered per day away")

    def step(self, xp: Any, satisfaction: Array, value: Array, count: Array) -> Array:
        """Return the new satisfaction ``(B,)`` from summed value and number of clicks ``(B,)``."""
        missed = count == 0
        change = value - count * satisfaction + missed * (self.neglect - satisfaction)
        return xp.clip(satisfaction + self.rate * change, 0.0, 1.0)

    def lift(self, satisfaction: Array) -> Array:
        """Return the term that satisfaction adds to the utility of every item, ``(B,)``."""
        return self.appeal * (satisfaction - 0.5)

    def rest(self, satisfaction: Array, days: Array) -> Array:
        """Return the satisfaction after ``days`` away, ``(B,)``."""
        return self.start + (satisfaction - self.start) * (1 - self.recovery) ** days

    def engaged(self, satisfaction: Array) -> Array:
        """Return the factor on the minutes watched, ``(B,)``."""
        return (1 - self.engagement) + (2 * self.engagement) * satisfaction


class GroupFatigue(Part):
    r"""Users tire of a group of items that they have just consumed.

    .. math:: f'_g = \rho f_g + (1 - \rho)\, |\{k\ \text{clicked}: g(k) = g\}|

    with ``memory`` :math:`\rho` per step and ``daily_memory`` per day away; ``weight`` times
    :math:`f_g` is subtracted from the utility of the group's items.

    Source: boredom in SARDINE (Deffayet et al. 2023), with exponential decay instead of a
    threshold.
    """

    weight: float = Field(4.0, ge=0, le=100)
    memory: float = Field(0.9, ge=0, lt=1)
    daily_memory: float = Field(0.5, ge=0, le=1)

    def step(self, fatigue: Array, consumed: Array) -> Array:
        """Return the new fatigue ``(B, G)`` from the clicks on each group ``(B, G)``."""
        return self.memory * fatigue + (1 - self.memory) * consumed

    def rest(self, fatigue: Array, days: Array) -> Array:
        """Return the fatigue after ``days`` away, ``(B, G)``."""
        return fatigue * (self.daily_memory ** days[:, None])


class SessionBudget(Part):
    r"""A session ends when the user's time budget is used up.

    Every slate costs ``step_minutes`` plus the minutes watched, and returns ``refund`` minutes
    times the value :math:`v_k` of each clicked item. The budget of a session is log-normal with
    mean ``minutes`` and log-deviation ``spread``.

    Source: RecSim's interest evolution, where good documents extend the time budget of users (Ie
    et al. 2019, arXiv 1909.04847).
    """

    minutes: float = Field(20.0, gt=0)
    spread: float = Field(0.3, ge=0)
    step_minutes: float = Field(0.5, ge=0)
    refund: float = Field(0.0, ge=0)

    def longest(self, value: float) -> int | None:
        """Return a number of steps that no session exceeds; None if there may be no end.

        Args:
            value: Largest summed value of the items clicked in a step.
        """
        least = self.step_minutes - self.refund * value
        if least <= 0:
            return None
        budget = self.minutes * math.exp(self.spread * MAX_NORMAL - self.spread**2 / 2)
        return math.ceil(budget / least * (1 + 1e-4)) + 1  # sums are rounded in float32

    def draw(self, xp: Any, draws: Draws) -> Array:
        """Draw the budgets of new sessions in minutes, ``(B,)``."""
        log = self.spread * draws.normal(BUDGET, 1)[:, 0] - self.spread**2 / 2
        return self.minutes * xp.exp(log)
