r"""The losses, one number per event.

With :math:`s_y` the score of the observed event, :math:`s_j` those of N negatives and
:math:`\ell(x) = \log(1 + e^x)`:

=================  ============================================================================
``cross_entropy``  :math:`-\log` of the softmax over all items; with masked events BERT4Rec, eq. 8
``sampled``        :math:`-\log \frac{e^{s_y}}{e^{s_y} + \sum_j e^{s_j - \log(N q_j)}}`, negatives
                   drawn with probability :math:`q_j`; Bengio and Senecal 2008
``gbce``           :math:`\beta \ell(-s_y) + \sum_j \ell(s_j)`, with
                   :math:`\beta = 1 - t (1 - \alpha)` and :math:`\alpha = N / (I - 1)`; gSASRec,
                   arXiv:2308.07192
``bce``            ``gbce`` with t = 0; SASRec, eq. 7
``bpr``            :math:`\frac1N \sum_j \ell(s_j - s_y)`; GRU4Rec, section 3.1.3
``top1_max``       :math:`\sum_j w_j (\sigma(s_j - s_y) + \sigma(s_j^2))`, :math:`w = softmax(s_j)`;
                   arXiv:1706.03847, eq. 5
=================  ============================================================================
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def cross_entropy(scores: Tensor, target: Tensor) -> Tensor:
    """Return the cross-entropy over the whole catalogue, ``(n,)``.

    Args:
        scores: Scores of all items, ``(n, I)``.
        target: The observed items, ``(n,)``.
    """
    return F.cross_entropy(scores, target, reduction="none")


def sampled_softmax(
    positive: Tensor, negative: Tensor, log_expected: Tensor, hit: Tensor
) -> Tensor:
    """Return the cross-entropy over the event and corrected negatives, ``(n,)``.

    The sum over the negatives is an unbiased estimate of that over all items but the event.

    Args:
        positive: Scores of the events, ``(n,)``.
        negative: Scores of negatives that all events share, ``(n, N)``.
        log_expected: Logarithm of how often each negative is drawn on average, ``(N,)``.
        hit: Whether a negative is the event itself and does not count, ``(n, N)``.
    """
    corrected = (negative - log_expected).masked_fill(hit, -torch.inf)
    return F.softplus(corrected.logsumexp(dim=1) - positive)


def gbce(positive: Tensor, negative: Tensor, calibration: float, num_items: int) -> Tensor:
    """Return the generalised binary cross-entropy, ``(n,)``.

    Args:
        positive: Scores of the events, ``(n,)``.
        negative: Scores of their negatives, ``(n, N)``.
        calibration: t, from 0 to 1.
        num_items: I, at least 2.
    """
    alpha = negative.shape[1] / (num_items - 1)
    beta = 1 - calibration * (1 - min(alpha, 1.0))
    return beta * F.softplus(-positive) + F.softplus(negative).sum(dim=1)


def bce(positive: Tensor, negative: Tensor) -> Tensor:
    """Return the binary cross-entropy, ``(n,)``; arguments as in `gbce`."""
    return F.softplus(-positive) + F.softplus(negative).sum(dim=1)


def bpr(positive: Tensor, negative: Tensor) -> Tensor:
    """Return the loss of Bayesian personalised ranking, ``(n,)``; arguments as in `gbce`."""
    return F.softplus(negative - positive[:, None]).mean(dim=1)


def top1_max(positive: Tensor, negative: Tensor) -> Tensor:
    """Return the TOP1-max loss, ``(n,)``; arguments as in `gbce`."""
    weight = torch.softmax(negative, dim=1)
    pairs = torch.sigmoid(negative - positive[:, None]) + torch.sigmoid(negative.square())
    return (weight * pairs).sum(dim=1)


def draw_negatives(target: Tensor, num_items: int, count: int) -> Tensor:
    """Draw items other than the target uniformly with replacement, ``(n, count)``.

    Args:
        target: Item ids, ``(n,)``.
        num_items: I, at least 2.
        count: N.
    """
    step = torch.randint(1, num_items, (len(target), count), device=target.device)
    return (target[:, None] + step) % num_items
