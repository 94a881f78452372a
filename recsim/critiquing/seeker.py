"""A simulated user who looks for one item and critiques the items that are shown instead.

Pure functions of tensors, shared by the environment and by the training with bot play. The rules
are those of the bot play of Li et al. (`arXiv:2112.05197 <https://arxiv.org/abs/2112.05197>`_), to
which ``noise`` is added.

Shapes: B sessions, K aspects.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Rule = Literal["popular", "unpopular", "random", "different"]
"""How a seeker picks among the aspects that can be critiqued; see `pick_aspect`."""


def critiquable(shown: Tensor, target: Tensor, done: Tensor, *, positive: bool = False) -> Tensor:
    """Return which aspects a seeker can critique.

    Args:
        shown: Aspects of the justification, ``(B, K)`` bool.
        target: Aspects of the target item, ``(B, K)`` bool.
        done: Aspects that were critiqued earlier, ``(B, K)`` bool.
        positive: Whether the critique is positive, about aspects shown that the target also has;
            else it is negative, about aspects shown that the target lacks.

    Returns:
        ``(B, K)`` bool.
    """
    return shown & (target if positive else ~target) & ~done


def pick_aspect(
    rule: Rule,
    pool: Tensor,
    *,
    popularity: Tensor,
    shown_counts: Tensor,
    target_counts: Tensor,
    chance: Tensor,
    noise: Tensor | None = None,
) -> Tensor:
    """Return the aspect that each seeker critiques.

    Ties go to the aspect with the lower id.

    Args:
        rule: ``"popular"``: the aspect that most reviews mention; ``"unpopular"``: the fewest
            reviews; ``"random"``: any; ``"different"``: the aspect with the largest difference
            between mentions in reviews of the item shown and in reviews of the target.
        pool: Aspects that can be critiqued, ``(B, K)`` bool.
        popularity: Number of train reviews that mention each aspect, ``(K,)``.
        shown_counts: Number of train reviews of the item shown that do, ``(B, K)``.
        target_counts: Number of train reviews of the target that do, ``(B, K)``.
        chance: Independent uniform numbers for random picks, ``(B, K)``.
        noise: Sessions that pick at random whatever the rule, ``(B,)`` bool; None for none.

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


def after_critique(
    preferences: Tensor, aspects: Tensor, user_counts: Tensor, *, positive: bool = False
) -> Tensor:
    """Return the estimated preferences ``c`` after a critique; they accumulate over a session.

    A negative critique subtracts ``max(U[u, k], 1)``: an aspect that the user has mentioned goes to
    0, one that they never mentioned to -1. A positive critique adds as much.

    Args:
        preferences: ``c``, ``(B, K)`` floats.
        aspects: Aspects critiqued, ``(B, K)`` bool.
        user_counts: ``U``, the initial value of ``c``, ``(B, K)``; 0 for an unknown user.
        positive: Whether the critique is positive.
    """
    weight = user_counts.clamp(min=1).to(preferences.dtype) * aspects
    return preferences + weight if positive else preferences - weight
