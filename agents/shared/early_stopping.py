"""Training by gradient steps, stopped early by the loss of held-out users."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

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

    def batches() -> Iterator[Tensor]:
        for _ in range(training.steps):
            drawn = torch.randint(
                len(rows), (training.batch_size,), generator=generator, device=rows.device
            )
            yield losses(rows[drawn]).mean(dim=0, keepdim=True)

    def evaluate() -> tuple[str, float, float]:
        loss = _mean_loss(losses, held_out)
        return "held_out", loss, -loss

    return descend(
        model,
        partial(gradient_step, optimizer),
        batches(),
        steps=training.steps,
        every=training.evaluate_every,
        patience=training.patience,
        evaluate=evaluate if len(held_out) else None,
    )


def descend(
    model: nn.Module,
    update: Callable[[Tensor], None],
    batches: Iterable[Tensor],
    *,
    steps: int,
    every: int,
    patience: int | None = None,
    evaluate: Callable[[], tuple[str, float, float]] | None = None,
) -> list[dict[str, float]]:
    """Take a gradient step for each batch, and keep the best state of a model.

    Args:
        model: The model.
        update: Takes a step against the gradient of a loss; see `gradient_step`.
        batches: Yields the losses of a batch under the present parameters, ``(N,)``, whose mean is
            minimised.
        steps: Number of batches.
        every: Steps between two evaluations; the last step is always followed by one.
        patience: Evaluations without a higher score after which training stops; None: never.
        evaluate: Returns a name and a value for the report, and the score of the present state;
            None to keep the last state.

    Returns:
        One entry per evaluation: ``step``, ``loss``, the mean over all losses since the last
        evaluation, and the value that ``evaluate`` returned.
    """
    report: list[dict[str, float]] = []
    recent: list[Tensor] = []
    best = BestState(model, patience)
    for step, losses in enumerate(batches, start=1):
        update(losses.mean())
        recent.append(losses.detach())
        if step % every and step < steps:
            continue
        entry: dict[str, float] = {"step": step, "loss": float(torch.cat(recent).mean())}
        report.append(entry)
        recent.clear()
        if evaluate is not None:
            name, entry[name], score = evaluate()
            if best.update(score):
                break
    best.restore()
    return report


def gradient_step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """Take one step against the gradient of a loss."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


@torch.no_grad()
def _mean_loss(losses: Callable[[Tensor], Tensor], rows: Tensor) -> float:
    return float(torch.cat([losses(part) for part in torch.split(rows, _BATCH)]).mean())
