"""Training by gradient steps, stopped early by the loss of held-out users."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from recsim.arrays import Ints
from recsim.contracts.slates import AgentConfig

# Held-out rows in a batch of an evaluation.
_BATCH = 8192


class EarlyStoppingConfig(AgentConfig):
    """Settings of agents that are trained by AdamW with early stopping.

    Attributes:
        batch_size: Rows per step.
        learning_rate: Learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
        held_out: Fraction of users held out for early stopping.
        evaluate_every: Steps between two evaluations on the held-out users.
        patience: Evaluations without a lower loss after which training stops.
        device: Where torch computes: ``cpu``, ``cuda`` ...
    """

    batch_size: PositiveInt = 512
    learning_rate: float = Field(default=0.003, gt=0, allow_inf_nan=False)
    weight_decay: float = Field(default=0.01, ge=0, allow_inf_nan=False)
    held_out: float = Field(default=0.1, ge=0, lt=1)
    evaluate_every: PositiveInt = 50
    patience: PositiveInt = 5
    device: str = "cpu"


@dataclass(frozen=True)
class Training:
    """How a model is trained.

    Attributes:
        steps: Largest number of gradient steps.
        batch_size: Rows per step, drawn with replacement.
        learning_rate: Learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
        evaluate_every: Steps between two evaluations on the held-out rows.
        patience: Evaluations without a lower loss after which training stops.
    """

    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    evaluate_every: int
    patience: int

    @staticmethod
    def of(config: EarlyStoppingConfig, steps: int) -> Training:
        """Return the training that an agent's settings describe, with a number of steps."""
        return Training(
            steps=steps,
            batch_size=config.batch_size,
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
            evaluate_every=config.evaluate_every,
            patience=config.patience,
        )


def split_by_user(user: Ints, fraction: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the rows to train on and the rows of the held-out users.

    Args:
        user: User of each row, ``(M,)``.
        fraction: Fraction of users held out; their number is rounded down.
        generator: Draws the users.
    """
    known, own = np.unique(user, return_inverse=True)
    device = generator.device
    order = torch.randperm(len(known), generator=generator, device=device).cpu()
    out = torch.zeros(len(known), dtype=torch.bool)
    out[order[: int(fraction * len(known))]] = True
    held_out = out[torch.as_tensor(own)]  # (U,) -> (M,)
    return (~held_out).nonzero()[:, 0].to(device), held_out.nonzero()[:, 0].to(device)


class BestState:
    """Keeps the state in which a model had its largest value.

    Args:
        model: The model.
        patience: Number of updates without a larger value after which training should stop; None:
            never.

    Attributes:
        largest: The largest value, -inf before the first.
    """

    def __init__(self, model: nn.Module, patience: int | None = None) -> None:
        self._model, self._patience = model, patience
        self.largest, self._since = -math.inf, 0
        self._state: dict[str, Tensor] | None = None

    def update(self, value: float) -> bool:
        """Keep the current state if its value is the largest; return whether to stop training."""
        self._since += 1
        if value > self.largest:
            self.largest, self._since = value, 0
            state = self._model.state_dict().items()
            self._state = {name: tensor.detach().clone() for name, tensor in state}
        return self._patience is not None and self._since >= self._patience

    def restore(self) -> None:
        """Load the kept state, if there is one."""
        if self._state is not None:
            self._model.load_state_dict(self._state)


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
        model: The model.
        losses: Returns the loss of each of some rows, ``(N,)`` to ``(N,)``.
        rows: Rows to train on; at least one.
        held_out: Held-out rows; without any, all steps are taken and the last state is kept.
        training: Length, optimiser and early stopping.
        generator: Draws the batches.

    Returns:
        One entry per evaluation: ``step``, ``loss``, the mean over the batches since the last
        evaluation, and ``held_out``, the loss of the held-out rows, if there are any.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay
    )
    report: list[dict[str, float]] = []
    recent: list[Tensor] = []
    best = BestState(model, training.patience)
    for step in range(1, training.steps + 1):
        drawn = torch.randint(
            len(rows), (training.batch_size,), generator=generator, device=rows.device
        )
        loss = losses(rows[drawn]).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        recent.append(loss.detach())
        if step % training.evaluate_every and step < training.steps:
            continue
        entry = {"step": step, "loss": float(torch.stack(recent).mean())}
        report.append(entry)
        recent.clear()
        if not len(held_out):
            continue
        entry["held_out"] = _mean_loss(losses, held_out)
        if best.update(-entry["held_out"]):
            break
    best.restore()
    return report


@torch.no_grad()
def _mean_loss(losses: Callable[[Tensor], Tensor], rows: Tensor) -> float:
    return float(torch.cat([losses(part) for part in torch.split(rows, _BATCH)]).mean())
