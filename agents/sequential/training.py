"""How a model is trained, and when it stops."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.sequential.config import SequentialConfig
from agents.sequential.models import SequenceModel
from agents.sequential.sequences import PADDING

# Places in each held-out window where the next event is to be told.
_CUTS = 8


def split(
    users: NDArray[np.int64], share: float, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Hold out users: which windows are trained on, and which are judged, ``(W,)`` each.

    Args:
        users: User of each window.
        share: Share of users held out; rounded down, so that one user is never held out.
        rng: Who it is.
    """
    known = np.unique(users)
    out = rng.permutation(known)[: int(share * len(known))]
    judged = np.isin(users, out)
    return ~judged, judged


def train(
    model: SequenceModel, tokens: Tensor, judged: Tensor, config: SequentialConfig
) -> list[dict[str, float]]:
    """Train a model in place with the global generator of torch; keep the best state.

    Args:
        model: At its start.
        tokens: Windows to train on, ``(W, L)``.
        judged: Windows of held-out users, ``(V, L)``; V may be 0.
        config: How to train.

    Returns:
        One row a look: ``step``, ``loss`` per example since the last look and, where users are held
        out, ``reciprocal_rank``.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    questions = _questions(judged)
    best, best_state, since = -1.0, {}, 0
    rows: list[dict[str, float]] = []
    seen: list[Tensor] = []
    model.train()
    for step, batch in enumerate(_batches(tokens, config), start=1):
        losses = model.losses(*model.examples(_trim(batch)))
        optimizer.zero_grad(set_to_none=True)
        losses.mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        seen.append(losses.detach())
        if step % config.evaluate_every and step < config.steps:
            continue
        row = {"step": step, "loss": float(torch.cat(seen).mean())}
        rows.append(row)
        seen.clear()
        if not len(judged):
            continue
        model.eval()
        row["reciprocal_rank"] = reciprocal_rank(model, *questions, config.batch_size)
        model.train()
        since += 1
        if row["reciprocal_rank"] > best:
            best, since = row["reciprocal_rank"], 0
            best_state = {name: value.clone() for name, value in model.state_dict().items()}
        if since >= config.patience:
            break
    if best_state:
        model.load_state_dict(best_state)
    model.eval()
    return rows


def _batches(tokens: Tensor, config: SequentialConfig) -> Iterator[Tensor]:
    """Yield as many batches as there are steps, all windows once before any comes again."""
    done = 0
    while True:
        order = torch.randperm(len(tokens), device=tokens.device)
        for start in range(0, len(order), config.batch_size):
            if done == config.steps:
                return
            done += 1
            yield tokens[order[start : start + config.batch_size]]


def _questions(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Cut windows at random places: beginnings ``(N, L)`` and the item after each, ``(N,)``."""
    tokens = tokens.repeat_interleave(_CUTS, dim=0)
    length = (tokens != PADDING).sum(dim=1)
    cut = (torch.rand(len(tokens), device=tokens.device) * length).long()
    place = torch.arange(tokens.shape[1], device=tokens.device)
    target = tokens[torch.arange(len(tokens), device=tokens.device), cut] - 1
    return torch.where(place < cut[:, None], tokens, PADDING), target


@torch.no_grad()
def reciprocal_rank(model: SequenceModel, tokens: Tensor, target: Tensor, batch_size: int) -> float:
    """Return the mean reciprocal rank of the next items among all items; ties count against.

    Args:
        model: In evaluation mode.
        tokens: What came before, ``(N, T)``.
        target: What came next, ``(N,)``.
        batch_size: Sequences at a time.
    """
    total = 0.0
    for start in range(0, len(tokens), batch_size):
        part, wanted = tokens[start : start + batch_size], target[start : start + batch_size]
        scores = model.score_all(model.next_states(_trim(part)))  # (n, I)
        rank = (scores >= scores.gather(1, wanted[:, None])).sum(dim=1)
        total += float((1.0 / rank).sum())
    return total / len(tokens)


def _trim(tokens: Tensor) -> Tensor:
    """Leave out columns that are padding in every row."""
    return tokens[:, : int((tokens != PADDING).sum(dim=1).max())]
