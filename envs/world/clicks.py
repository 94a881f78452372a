"""From click probabilities to clicks."""

from __future__ import annotations

from envs.world.backend import Array
from recsim.draws import Draws, Purpose

CLICKS = Purpose("clicks")


def draw_one(draws: Draws, cumulative: Array, total: Array) -> Array:
    """Draw at most one slot per user, with probability proportional to its weight.

    Args:
        draws: Random numbers of the users; one uniform number each is used.
        cumulative: Cumulative sum of the weights over slots, ``(B, K)``.
        total: ``(B, 1)`` or a number, at least the sum; the remainder is the weight of no click.

    Returns:
        One-hot or zero rows, bool ``(B, K)``.
    """
    below = cumulative <= draws.uniform(CLICKS, 1) * total  # (B, K)
    # The clicked slot is the first whose cumulative weight exceeds the uniform number.
    clicks = ~below
    clicks[:, 1:] &= below[:, :-1]
    return clicks


def draw_each(draws: Draws, probability: Array) -> Array:
    """Draw every slot by itself, bool ``(B, K)``, from its click probability ``(B, K)``."""
    return draws.uniform(CLICKS, probability.shape[1]) < probability
