"""Choice models: which items of a slate a user clicks.

Every model maps utilities ``(B, K)`` to clicks ``(B, K)`` and has exact click probabilities.
``shown`` is False where a slot shows nothing (padding, or a repeat of an earlier item); None means
that every slot shows an item. ``at_most_one`` is True if a slate gets at most one click.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from pydantic import Field

from envs.world.backend import Array
from envs.world.clicks import draw_one
from envs.world.contracts import ChoicePart
from recsim.draws import Draws


def attraction(xp: Any, utility: Array) -> Array:
    """Return the logistic function; utilities are clipped at -80, as float32 would overflow."""
    return 1 / (1 + xp.exp(xp.clip(-utility, None, 80.0)))


class MultinomialLogit(ChoicePart):
    r"""At most one click, by a multinomial logit with a no-click option.

    .. math:: P(\text{click } k) = \frac{e^{u_k}}{e^{u_\varnothing} + \sum_j e^{u_j}}

    ``no_click`` is :math:`u_\varnothing`, in units of utility.

    Source: McFadden 1974; for slates Ie et al. 2019 (SlateQ, arXiv 1905.12767).
    """

    at_most_one: ClassVar[bool] = True

    kind: Literal["multinomial_logit"] = "multinomial_logit"
    no_click: float = Field(1.0, ge=-50, le=50, description="utility of clicking nothing")

    def _weights(self, xp: Any, utility: Array, shown: Array | None) -> Array:
        return xp.exp(utility) if shown is None else xp.exp(utility) * shown

    def probabilities(self, xp: Any, utility: Array, shown: Array | None = None) -> Array:
        """Return the click probability of each slot, ``(B, K)``."""
        weights = self._weights(xp, utility, shown)
        return weights / (weights.sum(1)[:, None] + math.exp(self.no_click))

    def draw(self, xp: Any, draws: Draws, utility: Array, shown: Array | None = None) -> Array:
        """Draw clicks, bool ``(B, K)``."""
        cumulative = self._weights(xp, utility, shown).cumsum(1)
        return draw_one(draws, cumulative, cumulative[:, -1:] + math.exp(self.no_click))


class _Attracting(ChoicePart):
    """Choice models in which an examined item is clicked by itself, with its attraction."""

    threshold: float = Field(2.0, ge=-50, le=50, description="utility that attracts half the time")

    def attraction(self, xp: Any, utility: Array) -> Array:
        """Return the probability that an examined item is clicked, same shape as ``utility``."""
        return attraction(xp, utility - self.threshold)


class Cascade(_Attracting):
    r"""The user scans from the top, clicks the first item that attracts, and stops.

    .. math:: a_k = \sigma(u_k - \text{threshold}), \qquad
       P(\text{click } k) = a_k \prod_{j<k} \gamma (1 - a_j)

    ``patience`` is :math:`\gamma`, the probability of examining the next slot after passing one. An
    empty slot is always passed.

    Source: Craswell et al. 2008 (cascade model); patience as the satisfaction-free dynamic
    Bayesian network of Chapelle and Zhang 2009.
    """

    at_most_one: ClassVar[bool] = True

    kind: Literal["cascade"] = "cascade"
    patience: float = Field(0.95, gt=0, le=1)

    def probabilities(self, xp: Any, utility: Array, shown: Array | None = None) -> Array:
        """Return the click probability of each slot, ``(B, K)``."""
        attraction = self.attraction(xp, utility)
        passing = self.patience * (1 - attraction)  # (B, K)
        if shown is not None:
            attraction = attraction * shown
            passing = xp.where(shown, passing, xp.ones_like(passing))
        reached = xp.ones_like(passing)
        reached[:, 1:] = passing[:, :-1].cumprod(1)
        return attraction * reached


class PositionBased(_Attracting):
    r"""Every slot is examined with its own probability; several clicks are possible.

    .. math:: P(\text{click } k) = (k+1)^{-\eta}\, \sigma(u_k - \text{threshold})

    independently over slots k = 0, 1, ...; ``bias`` is :math:`\eta`, 0 for no position bias.

    Source: Craswell et al. 2008 (position model); the power form of examination is common in
    unbiased learning to rank, e.g. Joachims et al. 2017 (arXiv 1608.04468).
    """

    at_most_one: ClassVar[bool] = False

    kind: Literal["position_based"] = "position_based"
    bias: float = Field(1.0, ge=0, le=20)

    def examination(self, xp: Any, like: Array) -> Array:
        """Return the examination probability of each slot, ``(1, K)``, of the type of ``like``."""
        rank = xp.ones_like(like[:1]).cumsum(1)  # (1, K)
        return rank**-self.bias

    def probabilities(self, xp: Any, utility: Array, shown: Array | None = None) -> Array:
        """Return the click probability of each slot, ``(B, K)``."""
        clicked = self.examination(xp, utility) * self.attraction(xp, utility)
        return clicked if shown is None else clicked * shown
