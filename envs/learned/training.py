"""Gradient steps with an early end, and calibration of what came out."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from envs.learned.config import UserModelConfig
from envs.learned.rows import batches

Ints = NDArray[np.int64]

_LEAST_STEPS = 16  # in a pass over the rows


def train(
    network: nn.Module,
    losses: Callable[[Ints], Tensor],
    rows: Ints,
    check: Ints,
    config: UserModelConfig,
    generator: np.random.Generator,
) -> list[dict[str, float]]:
    """Fit a network by AdamW; it ends with the weights of the lowest loss on ``check``.

    Args:
        network: What is fitted, in place.
        losses: Loss of each of the rows given, ``(B,)``.
        rows: Rows to fit to.
        check: Rows of other users.
        config: Epochs, patience, batch size, learning rate, weight decay.
        generator: Order of the rows.

    Returns:
        One entry per epoch: ``epoch``, ``loss`` and ``held_out``.
    """
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    best, best_loss, waited = copy.deepcopy(network.state_dict()), float("inf"), 0
    course: list[dict[str, float]] = []
    # Few rows would make few steps: a pass takes at least some, of no fewer than 32 rows each.
    size = min(config.batch_size, max(len(rows) // _LEAST_STEPS, 32))
    for epoch in range(config.epochs):
        order = generator.permutation(rows)
        total = 0.0
        for batch in batches(order, size):
            optimizer.zero_grad()
            loss = losses(batch).mean()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += float(loss.detach()) * len(batch)
        with torch.no_grad():
            held_out = sum(float(losses(batch).sum()) for batch in batches(check))
        held_out /= len(check)
        course.append({"epoch": epoch, "loss": total / len(rows), "held_out": held_out})
        if held_out < best_loss:
            best, best_loss, waited = copy.deepcopy(network.state_dict()), held_out, 0
        else:
            waited += 1
            if waited >= config.patience:
                break
    network.load_state_dict(best)
    return course


def calibrate(loss: Callable[[Tensor], Tensor], start: list[float]) -> list[float]:
    """Return the few parameters with the least loss, by L-BFGS in float64 on the CPU.

    Args:
        loss: Mean loss of the parameters, ``(P,)``.
        start: Those that change nothing; they are kept where the search finds no better ones.
    """
    begin = torch.tensor(start, dtype=torch.float64)
    found = begin.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([found], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(found)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        better = bool(found.isfinite().all()) and bool(loss(found) < loss(begin))
    return [float(value) for value in (found if better else begin).detach()]
