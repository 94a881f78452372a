"""Gradient descent with early stopping, and calibration of the results."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from envs.learned.config import UserModelConfig
from envs.learned.rows import batches
from recsim.arrays import Ints

_LEAST_STEPS = 16  # in one pass over the rows


def train(
    network: nn.Module,
    losses: Callable[[Ints], Tensor],
    rows: Ints,
    check: Ints,
    config: UserModelConfig,
    generator: np.random.Generator,
) -> None:
    """Fit a network by AdamW with early stopping; the weights of the lowest held-out loss remain.

    Args:
        network: Fitted in place.
        losses: Returns the losses of some rows, ``(B,)``.
        rows: Rows to fit to.
        check: Rows of the users held out for early stopping.
        config: Epochs, patience, batch size, learning rate, weight decay.
        generator: Shuffles the rows.
    """
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    best, best_loss, waited = copy.deepcopy(network.state_dict()), float("inf"), 0
    # Smaller batches for few rows, so that a pass has at least some steps of at least 32 rows.
    size = min(config.batch_size, max(len(rows) // _LEAST_STEPS, 32))
    for _ in range(config.epochs):
        for batch in batches(generator.permutation(rows), size):
            optimizer.zero_grad()
            loss = losses(batch).mean()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            held_out = sum(float(losses(batch).sum()) for batch in batches(check))
        held_out /= len(check)
        if held_out < best_loss:
            best, best_loss, waited = copy.deepcopy(network.state_dict()), held_out, 0
        else:
            waited += 1
            if waited >= config.patience:
                break
    network.load_state_dict(best)


def calibrate(loss: Callable[[Tensor], Tensor], start: list[float]) -> list[float]:
    """Return the parameters with the lowest loss, by L-BFGS in float64 on the CPU.

    Args:
        loss: Returns the mean loss of parameters ``(P,)``.
        start: Parameters of no calibration; kept if the search finds no better ones.
    """
    begin = torch.tensor(start, dtype=torch.float64)
    best = begin.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([best], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(best)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        better = bool(best.isfinite().all()) and bool(loss(best) < loss(begin))
    return [float(value) for value in (best if better else begin).detach()]
