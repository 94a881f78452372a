r"""Losses of one pair of user and item; every method minimises their mean over all pairs.

``Y = O R``: clicked Y, seen O with probability theta, relevant R with probability gamma. With
``d1`` the loss of a relevant pair and ``d0`` that of an irrelevant one, every loss here is
``a d1 + b d0``:

==============  ========================================  ======================================
loss            a, b                                      mean over O and R
==============  ========================================  ======================================
`ideal`         gamma, 1 - gamma                          the target
`naive` (MF)    Y, 1 - Y                                  unseen counts as irrelevant
`wmf`           c Y, 1 - Y (or Y, c (1 - Y))              biased
`weighted`      Y/theta, 1 - Y/theta                      the target: unbiased (Rel-MF); a single
                                                          pair can be negative
  clipped       Y/max(theta, M), 1 - Y/max(theta, M)      M = 0 unbiased, M = 1 naive
==============  ========================================  ======================================

For the mean over n pairs with known gamma and theta (derived; the tests enumerate it)::

    variance of unbiased = sum of gamma (1/theta - gamma) (d1 - d0)^2 / n^2
    bias of clipped      = sum of gamma (theta / max(theta, M) - 1) (d1 - d0) / n
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from recsim.errors import AgentError

Coefficients = tuple[Tensor, Tensor]
PointLoss = Literal["squared", "log"]


def ideal(relevance: Tensor) -> Coefficients:
    """Return a and b for a known probability of relevance.

    Args:
        relevance: gamma of each pair, ``(N,)``.
    """
    return relevance, 1 - relevance


def naive(clicks: Tensor) -> Coefficients:
    """Return a and b of plain matrix factorisation: pairs without a click are irrelevant.

    Args:
        clicks: Y of each pair, ``(N,)``, 0 or 1.
    """
    return clicks, 1 - clicks


def wmf(
    clicks: Tensor, weight: float, on: Literal["clicks", "unclicked"] = "clicks"
) -> Coefficients:
    """Return a and b of weighted matrix factorisation.

    Args:
        clicks: Y of each pair, ``(N,)``.
        weight: c.
        on: Whether c multiplies pairs with a click, or pairs without.
    """
    if on == "clicks":
        return weight * clicks, 1 - clicks
    return clicks, weight * (1 - clicks)


def inverse_propensities(propensities: Tensor, clip: float = 0.0) -> Tensor:
    """Return ``1 / max(theta, clip)``, without gradient.

    Args:
        propensities: theta, ``(N,)``.
        clip: M, the lower bound of propensities, in [0, 1].

    Raises:
        AgentError: If a propensity is outside (0, 1], or the clip outside [0, 1].
    """
    if not 0 <= clip <= 1:
        raise AgentError(f"clip must be in [0, 1], not {clip}: it is a bound of propensities.")
    theta = propensities.detach()
    wrong = ~((theta > 0) & (theta <= 1))
    if bool(wrong.any()):
        row = int(wrong.flatten().int().argmax())
        raise AgentError(f"Row {row}: propensity {theta.flatten()[row].item()} is outside (0, 1].")
    return 1 / theta.clamp_min(clip)


def weighted(clicks: Tensor, inverse: Tensor) -> Coefficients:
    """Return a and b of Rel-MF.

    Args:
        clicks: Y of each pair, ``(N,)``.
        inverse: Inverse propensity of each pair, ``(N,)``; see `inverse_propensities`.
    """
    a = clicks * inverse
    return a, 1 - a


def point_losses(logits: Tensor, kind: PointLoss = "squared") -> tuple[Tensor, Tensor]:
    """Return d1 and d0, the loss of each pair if it is relevant and if it is not.

    With ``f = sigmoid(logit)``: ``(1 - f)^2`` and ``f^2`` for ``squared``, ``-log f`` and
    ``-log(1 - f)`` for ``log``.

    Args:
        logits: Scores, ``(N,)``.
        kind: ``squared`` or ``log``.
    """
    if kind == "log":
        return functional.softplus(-logits), functional.softplus(logits)
    share = torch.sigmoid(logits)
    return (1 - share) ** 2, share**2


def pair_losses(
    coefficients: Coefficients,
    logits: Tensor,
    kind: PointLoss = "squared",
    *,
    non_negative: bool = False,
) -> Tensor:
    """Return the loss of each pair, ``(N,)``.

    Args:
        coefficients: a and b, ``(N,)`` each.
        logits: Scores, ``(N,)``.
        kind: ``squared`` or ``log``.
        non_negative: Whether the loss of a pair is clipped at 0 from below; it is then biased.
    """
    a, b = coefficients
    if_relevant, if_not = point_losses(logits, kind)
    losses = a * if_relevant + b * if_not
    return losses.clamp_min(0.0) if non_negative else losses
