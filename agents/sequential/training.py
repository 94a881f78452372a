"""Training of a model, with early stopping by held-out users."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from agents.sequential.config import SequentialConfig
from agents.sequential.models import SequenceModel
from agents.sequential.sequences import PADDING
from agents.shared.early_stopping import descend
from recsim.arrays import Bools, Ints

# Positions in each held-out window at which the next event is predicted.
_CUTS = 8


def split(users: Ints, fraction: float, rng: np.random.Generator) -> tuple[Bools, Bools]:
    """Return masks of the training windows and of those of held-out users, ``(W,)`` each.

    Args:
        users: User of each window.
        fraction: Fraction of users held out; their number is rounded down.
        rng: Draws the users.
    """
    known = np.unique(users)
    chosen = rng.permutation(known)[: int(fraction * len(known))]
    held_out = np.isin(users, chosen)
    return ~held_out, held_out


def train(
    model: SequenceModel, tokens: Tensor, held_out: Tensor, config: SequentialConfig
) -> list[dict[str, float]]:
    """Train a model in place with torch's global generator, and keep the best state.

    Args:
        model: The model.
        tokens: Windows to train on, ``(W, L)``.
        held_out: Windows of held-out users, ``(V, L)``; V may be 0.
        config: Settings.

    Returns:
        One row per evaluation: ``step``, ``loss`` per example since the last evaluation and, if
        users are held out, ``reciprocal_rank``.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    queries = _queries(held_out)

    def losses() -> Iterator[Tensor]:
        for batch in _batches(tokens, config):
            yield model.losses(*model.examples(_trim(batch)))

    def evaluate() -> tuple[str, float, float]:
        model.eval()
        rank = reciprocal_rank(model, *queries, config.batch_size)
        model.train()
        return "reciprocal_rank", rank, rank

    model.train()
    report = descend(
        model,
        optimizer,
        losses(),
        steps=config.steps,
        every=config.evaluate_every,
        patience=config.patience,
        evaluate=evaluate if len(held_out) else None,
    )
    model.eval()
    return report


def _batches(tokens: Tensor, config: SequentialConfig) -> Iterator[Tensor]:
    """Yield one batch per step; every window occurs once before any is repeated."""
    done = 0
    while True:
        order = torch.randperm(len(tokens), device=tokens.device)
        for start in range(0, len(order), config.batch_size):
            if done == config.steps:
                return
            done += 1
            yield tokens[order[start : start + config.batch_size]]


def _queries(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Cut windows at random positions: prefixes ``(N, L)`` and the item after each, ``(N,)``."""
    tokens = tokens.repeat_interleave(_CUTS, dim=0)
    length = (tokens != PADDING).sum(dim=1)
    cut = (torch.rand(len(tokens), device=tokens.device) * length).long()
    place = torch.arange(tokens.shape[1], device=tokens.device)
    target = tokens[torch.arange(len(tokens), device=tokens.device), cut] - 1
    return torch.where(place < cut[:, None], tokens, PADDING), target


@torch.no_grad()
def reciprocal_rank(model: SequenceModel, tokens: Tensor, target: Tensor, batch_size: int) -> float:
    """Return the mean reciprocal rank of the next items among all items, with pessimistic ties.

    Args:
        model: The model, in evaluation mode.
        tokens: Earlier events, ``(N, T)``.
        target: Next items, ``(N,)``.
        batch_size: Sequences in a batch.
    """
    total = 0.0
    for start in range(0, len(tokens), batch_size):
        part, wanted = tokens[start : start + batch_size], target[start : start + batch_size]
        scores = model.score_all(model.next_states(_trim(part)))  # (n, I)
        rank = (scores >= scores.gather(1, wanted[:, None])).sum(dim=1)
        total += float((1.0 / rank).sum())
    return total / len(tokens)


def _trim(tokens: Tensor) -> Tensor:
    """Drop columns that are padding in every row."""
    return tokens[:, : int((tokens != PADDING).sum(dim=1).max())]
