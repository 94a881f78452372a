"""Somebody who knows what they look for, and says what is wrong with what they are shown.

Pure functions of tensors, so that the environment and the training by bot play have one seeker. The
rules are those of the bot play of Li et al. (`arXiv:2112.05197
<https://arxiv.org/abs/2112.05197>`_); `noisy` is ours.

Shapes: B sessions, K aspects.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Rule = Literal["popular", "unpopular", "random", "different"]
"""Whom a seeker follows in picking from what may be criticised; see `picked`."""


def criticisable(shown: Tensor, target: Tensor, done: Tensor, *, positive: bool = False) -> Tensor:
    """Return what may be criticised.

    Args:
        shown: Aspects in the justification, ``(B, K)`` bool.
        target: Aspects of the item that is looked for, ``(B, K)`` bool.
        done: Aspects that were criticised before, ``(B, K)`` bool.
        positive: Whether aspects are praised: those shown that the target has too; else those shown
            that it lacks.

    Returns:
        ``(B, K)`` bool.
    """
    return shown & (target if positive else ~target) & ~done


def picked(
    rule: Rule,
    pool: Tensor,
    *,
    popularity: Tensor,
    shown_counts: Tensor,
    target_counts: Tensor,
    chance: Tensor,
    noise: Tensor | None = None,
) -> Tensor:
    """Return the one aspect that each seeker criticises.

    Ties go to the aspect with the lower number.

    Args:
        rule: ``"popular"``: the one that most reviews mention; ``"unpopular"``: the fewest;
            ``"random"``: any; ``"different"``: the one that reviews of the item shown mention most
            often beyond those of the target.
        pool: What may be criticised, ``(B, K)`` bool.
        popularity: Train reviews that mention an aspect, ``(K,)``.
        shown_counts: Train reviews of the item shown that do, ``(B, K)``.
        target_counts: Train reviews of the target that do, ``(B, K)``.
        chance: Independent uniform numbers, ``(B, K)``, for a pick at random.
        noise: Whose pick is a random one whatever the rule, ``(B,)`` bool; None for nobody.

    Returns:
        ``(B, K)`` bool, with one True in each row whose pool is not empty.
    """
    random = chance.double()
    if rule == "random":
        value = random
    elif rule == "different":
        value = (shown_counts - target_counts).double()
    else:
        value = (popularity if rule == "popular" else -popularity).double().expand_as(random)
    if noise is not None:
        value = torch.where(noise[:, None], random, value)
    best = torch.where(pool, value, -torch.inf).argmax(dim=1, keepdim=True)
    one = torch.zeros_like(pool).scatter_(1, best, True)
    return one & pool


def criticised(
    preferences: Tensor, aspects: Tensor, user_counts: Tensor, *, positive: bool = False
) -> Tensor:
    """Return what is believed of users after a critique: ``c``, cumulative over the session.

    A negative critique takes away ``max(U[u, k], 1)``: nothing is left of an aspect that the user
    wrote of, and one that they never wrote of goes to -1. Praise adds as much.

    Args:
        preferences: ``c``, ``(B, K)`` floats.
        aspects: Aspects criticised, ``(B, K)`` bool.
        user_counts: What ``c`` was at first, ``(B, K)``; 0 for somebody who is not known.
        positive: Whether it is praise.
    """
    weight = user_counts.clamp(min=1).to(preferences.dtype) * aspects
    return preferences + weight if positive else preferences - weight
