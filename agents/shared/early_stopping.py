"""Gradient steps that end when what is held out is predicted no better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

# Rows that are judged at a time.
_JUDGED = 8192


@dataclass(frozen=True)
class Training:
    """How a model is trained.

    Attributes:
        steps: Gradient steps at most.
        batch_size: Rows per step, drawn with replacement.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW.
        evaluate_every: Steps between looks at what is held out.
        patience: Looks without a lower loss after which training ends.
    """

    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    evaluate_every: int
    patience: int


def split_by_user(
    user: NDArray[np.int64], share: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return the rows to train on and the rows of the users held out.

    Args:
        user: User of each row, ``(M,)``.
        share: Share of the users held out, rounded down.
        generator: Which users.
    """
    known, own = np.unique(user, return_inverse=True)
    device = generator.device
    order = torch.randperm(len(known), generator=generator, device=device).cpu()
    out = torch.zeros(len(known), dtype=torch.bool)
    out[order[: int(share * len(known))]] = True
    held_out = out[torch.as_tensor(own)]  # (U,) -> (M,)
    return (~held_out).nonzero()[:, 0].to(device), held_out.nonzero()[:, 0].to(device)


def train(
    model: nn.Module,
    losses: Callable[[Tensor], Tensor],
    rows: Tensor,
    held_out: Tensor,
    training: Training,
    generator: torch.Generator,
) -> list[dict[str, float]]:
    """Train a model in place and keep its best state.

    Args:
        model: What is trained.
        losses: Gives the loss of each of some rows, ``(N,)`` to ``(N,)``.
        rows: Rows to train on; at least one.
        held_out: Rows that judge; without any, all steps are taken and the last state is kept.
        training: How.
        generator: Which batches.

    Returns:
        One entry per look: ``step``, ``loss`` of the batches since the last look, and
        ``held_out``, the loss there, if there is any.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay
    )
    report: list[dict[str, float]] = []
    seen: list[Tensor] = []
    best, best_state, since = float("inf"), None, 0
    for step in range(1, training.steps + 1):
        drawn = torch.randint(
            len(rows), (training.batch_size,), generator=generator, device=rows.device
        )
        loss = losses(rows[drawn]).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        seen.append(loss.detach())
        if step % training.evaluate_every and step < training.steps:
            continue
        entry = {"step": step, "loss": float(torch.stack(seen).mean())}
        report.append(entry)
        seen.clear()
        if not len(held_out):
            continue
        entry["held_out"] = _judge(losses, held_out)
        since += 1
        if entry["held_out"] < best:
            best, since = entry["held_out"], 0
            best_state = {name: value.clone() for name, value in model.state_dict().items()}
        if since >= training.patience:
            break
    if best_state is not None:
        model.load_state_dict(best_state)
    return report


@torch.no_grad()
def _judge(losses: Callable[[Tensor], Tensor], rows: Tensor) -> float:
    return float(torch.cat([losses(part) for part in torch.split(rows, _JUDGED)]).mean())
