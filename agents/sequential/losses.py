r"""The losses, one number per event.

With :math:`r_i` the score of the observed event and :math:`r_j` those of N negatives:

=================  ============================================================================
``bce``            :math:`-\log \sigma(r_i) - \sum_j \log(1 - \sigma(r_j))`; SASRec, eq. 7
``bpr``            :math:`-\frac1N \sum_j \log \sigma(r_i - r_j)`; GRU4Rec, section 3.1.3
``top1_max``       :math:`\sum_j s_j (\sigma(r_j - r_i) + \sigma(r_j^2))`, :math:`s = softmax(r_j)`;
                   arXiv:1706.03847, eq. 5
``cross_entropy``  :math:`-\log` of the softmax over all items; with masked events BERT4Rec, eq. 8
=================  ============================================================================
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def bce(positive: Tensor, negative: Tensor) -> Tensor:
    """Return the binary cross-entropy of the event and sampled negatives, ``(n,)``.

    Args:
        positive: Scores of the events, ``(n,)``.
        negative: Scores of their negatives, ``(n, N)``.
    """
    return -F.logsigmoid(positive) - F.logsigmoid(-negative).sum(dim=1)


def bpr(positive: Tensor, negative: Tensor) -> Tensor:
    """Return the loss of Bayesian personalised ranking, ``(n,)``; arguments as in `bce`."""
    return -F.logsigmoid(positive[:, None] - negative).mean(dim=1)


def top1_max(positive: Tensor, negative: Tensor) -> Tensor:
    """Return the TOP1-max loss, ``(n,)``; arguments as in `bce`."""
    weight = torch.softmax(negative, dim=1)
    pairs = torch.sigmoid(negative - positive[:, None]) + torch.sigmoid(negative.square())
    return (weight * pairs).sum(dim=1)


def cross_entropy(scores: Tensor, target: Tensor) -> Tensor:
    """Return the cross-entropy over the whole catalogue, ``(n,)``.

    Args:
        scores: Scores of all items, ``(n, I)``.
        target: The observed items, ``(n,)``.
    """
    return F.cross_entropy(scores, target, reduction="none")


def draw_negatives(target: Tensor, num_items: int, count: int) -> Tensor:
    """Draw items other than the target uniformly with replacement, ``(n, count)``.

    Args:
        target: Item ids, ``(n,)``.
        num_items: I, at least 2.
        count: N.
    """
    step = torch.randint(1, num_items, (len(target), count), device=target.device)
    return (target[:, None] + step) % num_items
