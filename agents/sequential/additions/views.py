"""Random views of sequences: some events masked, cropped or reordered."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from agents.sequential.sequences import PADDING

# Shares of the events that a view masks, keeps, or reorders (MCLRec, arXiv:2304.07763).
MASKED, KEPT, REORDERED = 0.5, 0.5, 0.8


def random_views(tokens: Tensor, start: int, mask: int) -> Tensor:
    """Return a view of each sequence; each is masked, cropped or reordered with equal chance.

    Args:
        tokens: Padded on the right, ``(B, T)``; with at least one event after any start token.
        start: Start token; where a sequence begins with it, so does the view.
        mask: Token of a masked event.

    Returns:
        ``(B, T)``, padded on the right. A cropped view keeps at least one event.
    """
    started = tokens[:, :1] == start
    after = functional.pad(tokens[:, 1:], (0, 1), value=PADDING)
    view = _view(torch.where(started, after, tokens), mask)
    return torch.where(started, functional.pad(view[:, :-1], (1, 0), value=start), view)


def _view(tokens: Tensor, mask_token: int) -> Tensor:
    """Return a view of each sequence of events, ``(B, T)``."""
    kind = torch.randint(3, (len(tokens), 1), device=tokens.device)
    view = torch.where(kind == 0, masked(tokens, mask_token), reordered(tokens))
    return torch.where(kind == 1, cropped(tokens), view)


def masked(tokens: Tensor, mask_token: int) -> Tensor:
    """Mask a random share `MASKED` of the events of each sequence, ``(B, T) -> (B, T)``."""
    present = tokens != PADDING
    noise = torch.rand(tokens.shape, device=tokens.device).masked_fill(~present, 2.0)
    place = noise.argsort(dim=1).argsort(dim=1)  # random order of the events, padding last
    count = (MASKED * present.sum(dim=1, keepdim=True)).floor()
    return torch.where(place < count, mask_token, tokens)


def cropped(tokens: Tensor) -> Tensor:
    """Keep a random run of a share `KEPT` of the events of each sequence, ``(B, T) -> (B, T)``."""
    length = (tokens != PADDING).sum(dim=1, keepdim=True)
    kept = (KEPT * length).floor().long().clamp_min(1)
    source = torch.arange(tokens.shape[1], device=tokens.device) + _start(length, kept)
    run = tokens.gather(1, source.clamp_max(tokens.shape[1] - 1))
    return run.where(torch.arange(tokens.shape[1], device=tokens.device) < kept, PADDING)


def reordered(tokens: Tensor) -> Tensor:
    """Shuffle a random run of a share `REORDERED` of the events, ``(B, T) -> (B, T)``."""
    length = (tokens != PADDING).sum(dim=1, keepdim=True)
    run = (REORDERED * length).floor().long()
    start = _start(length, run)
    place = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
    inside = (place >= start) & (place < start + run)
    noise = start + run * torch.rand(tokens.shape, device=tokens.device)
    return tokens.gather(1, torch.where(inside, noise, place).argsort(dim=1, stable=True))


def _start(length: Tensor, run: Tensor) -> Tensor:
    """Return a random start of a run of some length within each sequence, ``(B, 1)``."""
    free = (length - run).clamp_min(0) + 1
    return (torch.rand(length.shape, device=length.device) * free).long().clamp_max(free - 1)
