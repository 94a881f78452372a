"""Log-probabilities of slates under Plackett-Luce, with gradients."""

from __future__ import annotations

import torch
from torch import Tensor

# Below every logit, but finite, because gradients of infinities are NaN.
NEVER = -1e9


def log_probabilities(logits: Tensor, slates: Tensor) -> Tensor:
    """Return the log-probability of each item of a slate given the items before it, ``(B, K)``.

    With z the logits and a the slate, ``z_{a_k} - log sum_{j not in a_1 ... a_{k-1}} exp(z_j)``.
    The sum over k is the log-probability of the ordered slate, the logarithm of
    `agents.shared.plackett_luce.slate_propensities`. Padding counts 0 and excludes no item.

    Args:
        logits: ``(B, C)``.
        slates: Indices of candidates, distinct in a row, ``(B, K)``; -1 is padding.
    """
    padding = slates < 0
    # Padding picks an additional candidate that is never drawn.
    logits = torch.cat([logits, torch.full_like(logits[:, :1], NEVER)], dim=1)  # (B, C + 1)
    index = torch.where(padding, logits.shape[1] - 1, slates)
    picked = logits.gather(1, index)  # (B, K)
    rest = logits.scatter(1, index, NEVER).logsumexp(dim=1, keepdim=True)
    # Log-sum-exp of the items that remain before each pick: the rest and the later picks.
    left = torch.cat([rest, picked.flip(1)], dim=1).logcumsumexp(dim=1)[:, 1:].flip(1)
    return torch.where(padding, 0.0, picked - left)
