r"""The losses, from scores to one number per event.

With :math:`r_i` the score of the event that came and :math:`r_j` those of N negatives:

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
    """Binary cross-entropy of the event against sampled negatives, ``(n,)``.

    Args:
        positive: Scores of the events, ``(n,)``.
        negative: Scores of their negatives, ``(n, N)``.
    """
    return -F.logsigmoid(positive) - F.logsigmoid(-negative).sum(dim=1)


def bpr(positive: Tensor, negative: Tensor) -> Tensor:
    """Bayesian personalised ranking, ``(n,)``; arguments as those of `bce`."""
    return -F.logsigmoid(positive[:, None] - negative).mean(dim=1)


def top1_max(positive: Tensor, negative: Tensor) -> Tensor:
    """TOP1 against the negatives that score highest, ``(n,)``; arguments as those of `bce`."""
    weight = torch.softmax(negative, dim=1)
    pairs = torch.sigmoid(negative - positive[:, None]) + torch.sigmoid(negative.square())
    return (weight * pairs).sum(dim=1)


def cross_entropy(scores: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy over the whole catalogue, ``(n,)``.

    Args:
        scores: Of all items, ``(n, I)``.
        target: Item that came, ``(n,)``.
    """
    return F.cross_entropy(scores, target, reduction="none")


def draw_negatives(target: Tensor, num_items: int, count: int) -> Tensor:
    """Draw items other than the target, uniformly and with replacement, ``(n, count)``.

    Args:
        target: Item ids, ``(n,)``.
        num_items: I, at least 2.
        count: N.
    """
    step = torch.randint(1, num_items, (len(target), count), device=target.device)
    return (target[:, None] + step) % num_items
