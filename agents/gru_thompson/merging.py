"""Merge several rankings into one slate: the in-slate part of in-slate Thompson sampling."""

from __future__ import annotations

import torch
from torch import Tensor


def rank_major(rankings: Tensor, slate_size: int) -> Tensor:
    """Merge rankings by taking all first places, then all second places, and so on.

    Items that are already in the slate are skipped. This is the order of the authors' code.

    Args:
        rankings: Distinct items, best first, of each of M samples, ``(..., M, R)``, with R at least
            ``slate_size``.
        slate_size: K.

    Returns:
        ``(..., K)``.
    """
    lead = rankings.shape[:-2]
    queue = rankings.mT.reshape(-1, rankings.shape[-1] * rankings.shape[-2])  # (N, R * M)
    # First occurrence of each item: a stable sort puts it before its repetitions.
    ordered, place = queue.sort(dim=1, stable=True)
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = torch.zeros_like(new).scatter(1, place, new)
    taken = first & (first.cumsum(dim=1) <= slate_size)
    return queue[taken].reshape(*lead, slate_size)  # K per row, in the order of the queue


def per_slot(rankings: Tensor, slate_size: int) -> Tensor:
    """Fill slot k with the best item of sample k that is not yet in the slate.

    Args:
        rankings: Distinct items, best first, of each of at least K samples, ``(..., M, R)``, with R
            at least ``slate_size``.
        slate_size: K.

    Returns:
        ``(..., K)``.
    """
    slate = rankings[..., :1, 0]  # (..., 1)
    for slot in range(1, slate_size):  # each slot depends on the previous ones
        ranking = rankings[..., slot, :]  # (..., R)
        free = (ranking[..., :, None] != slate[..., None, :]).all(dim=-1)
        best = free.int().argmax(dim=-1, keepdim=True)
        slate = torch.cat([slate, ranking.gather(-1, best)], dim=-1)
    return slate
