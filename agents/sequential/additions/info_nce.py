"""The contrastive loss of pairs of states."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def info_nce(
    first: Tensor, second: Tensor, temperature: float = 1.0, groups: Tensor | None = None
) -> Tensor:
    """Return the mean cross-entropy of each state's partner among all states of the batch.

    The similarity of two states is their inner product divided by the temperature.

    Args:
        first: ``(B, D)``.
        second: The partner of each, ``(B, D)``.
        temperature: Divisor of the similarities; positive.
        groups: Group of each pair, ``(B,)``: other pairs of the same group are not negatives.
            None if all other pairs are.
    """
    pairs = len(first)
    states = torch.cat([first, second])  # (2B, D)
    similar = states @ states.T / temperature  # (2B, 2B)
    index = torch.arange(2 * pairs, device=states.device)
    partner = (index + pairs) % (2 * pairs)
    excluded = torch.eye(2 * pairs, dtype=torch.bool, device=states.device)
    if groups is not None:
        label = groups.repeat(2)
        excluded = (label[:, None] == label).index_put(
            (index, partner), torch.tensor(False, device=states.device)
        )
    return functional.cross_entropy(similar.masked_fill(excluded, float("-inf")), partner)


def centre_contrast(
    states: Tensor, centres: Tensor, nearest: Tensor, temperature: float = 1.0
) -> Tensor:
    """Return the contrast between states and their nearest centres.

    Pairs with the same centre are not negatives of each other.

    Args:
        states: ``(B, D)``.
        centres: ``(C, D)``.
        nearest: Index of the centre of each state, ``(B,)``.
        temperature: Divisor of the similarities; positive.
    """
    return info_nce(states, centres[nearest], temperature, groups=nearest)
