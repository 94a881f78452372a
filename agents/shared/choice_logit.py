r"""The conditional logit of a choice from a slate, with "nothing" as an option.

.. math:: P(i \mid A) = \frac{e^{s_i}}{e^{s_\varnothing} + \sum_{j \in A} e^{s_j}}

Source: McFadden, "Conditional Logit Analysis of Qualitative Choice Behavior", 1974.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Log-weight of an empty slot: practically zero probability, but finite, so that 0 times it is 0.
_NEVER = -1e9


def log_choice(scores: Tensor, nothing: Tensor, shown: Tensor) -> Tensor:
    """Return the log-probability of every option; "nothing" is the first, ``(B, K + 1)``.

    Args:
        scores: Score of every slot, ``(B, K)``.
        nothing: Score of choosing nothing, ``(B,)``.
        shown: Whether the slot shows an item, ``(B, K)``.
    """
    masked = torch.where(shown, scores, _NEVER)
    return torch.log_softmax(torch.cat([nothing[:, None], masked], dim=1), dim=1)


def chosen_shares(clicks: Tensor, shown: Tensor) -> Tensor:
    """Return the choices as distributions over the options, ``(B, K + 1)``.

    All weight is on the clicked slot, or on "nothing" if there is no click. A slate with n clicks
    is one choice too: each clicked slot has weight 1/n.

    Args:
        clicks: 1 where the slot was clicked, ``(B, K)``.
        shown: Whether the slot shows an item, ``(B, K)``.
    """
    clicked = ((clicks > 0) & shown).float()
    count = clicked.sum(dim=1, keepdim=True)  # (B, 1)
    return torch.cat([(count == 0).float(), clicked / count.clamp_min(1)], dim=1)


def choice_loss(scores: Tensor, nothing: Tensor, shown: Tensor, clicks: Tensor) -> Tensor:
    """Return the negative log-likelihood of the choices, ``(B,)``; see `chosen_shares`."""
    shares = chosen_shares(clicks, shown)
    return -(shares * log_choice(scores, nothing, shown)).sum(dim=1)
