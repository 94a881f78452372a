"""Training of a model, with early stopping by NDCG@10 of held-out events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from agents.sequential.additions.base import Addition
from agents.sequential.config import SequentialConfig
from agents.sequential.models import SequenceModel
from agents.sequential.objective import Objective
from agents.sequential.sequences import Windows
from agents.sequential.validation import Queries, ndcg
from agents.shared.devices import Stream
from agents.shared.early_stopping import descend

_BETAS = (0.9, 0.98)
# Largest norm of a gradient, and the last learning rate as a share of the highest.
_CLIP, _LAST = 5.0, 0.05


def train(
    model: SequenceModel,
    windows: Windows,
    objective: Objective,
    queries: Queries | None,
    config: SequentialConfig,
    additions: Sequence[Addition] = (),
) -> tuple[SequenceModel, list[dict[str, float]]]:
    """Train a model with torch's global generator.

    Args:
        model: The model, which is changed.
        windows: Draws the windows to train on.
        objective: The loss.
        queries: Held-out events; without any, all steps are taken.
        config: Settings.
        additions: Further terms of the loss.

    Returns:
        The model in its best state, or a copy with averaged parameters; and one row per
        evaluation: ``step``, ``loss`` per example since the last evaluation and, with held-out
        events, ``ndcg@10``.
    """
    update = Update(model, config)
    judged = update.averaged or model

    def losses() -> Iterator[Tensor]:
        updates = max([1, *(addition.updates for addition in additions)])
        # The rest of the training is the same with an addition and without it.
        stream = Stream(torch.initial_seed() + 1, objective.device)
        for step in range(config.steps):
            model.train()
            if step % updates == 0:
                batch = windows.draw(config.batch_size)
            elif step % updates == 1:
                with stream.use():
                    for addition in additions:
                        addition.between(batch)
            loss = model.losses(batch, objective)
            with stream.use():
                for addition in additions:
                    loss = loss + addition.loss(batch)
            yield loss

    def evaluate() -> tuple[str, float, float]:
        judged.eval()
        value = ndcg(judged, queries, config.exclude_seen) if queries is not None else 0.0
        return "ndcg@10", value, value

    report = descend(
        judged,
        update,
        losses(),
        steps=config.steps,
        every=config.evaluate_every,
        patience=config.patience,
        evaluate=evaluate if queries is not None else None,
    )
    return judged.eval(), report


class Update:
    """A step of Adam with clipped gradient, warm-up and linear decay.

    Args:
        model: The model.
        config: Settings.

    Attributes:
        averaged: A copy of the model whose parameters are the moving average, or None.
    """

    def __init__(self, model: SequenceModel, config: SequentialConfig) -> None:
        self._parameters = [value for value in model.parameters() if value.requires_grad]
        self._adam = torch.optim.Adam(
            self._parameters, lr=config.learning_rate, betas=_BETAS, fused=True
        )
        schedule = learning_rates(config.steps, min(config.warm_up, config.steps // 10))
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._adam, schedule)
        self._decay, self._done = config.average, 0
        self.averaged = deepcopy(model) if config.average else None
        copied = [] if self.averaged is None else self.averaged.parameters()
        self._means = [value for value in copied if value.requires_grad]

    def __call__(self, loss: Tensor) -> None:
        """Take a step against the gradient of a loss."""
        self._adam.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._parameters, _CLIP)
        self._adam.step()
        self._schedule.step()
        self._done += 1
        if self.averaged is not None:
            # An average of the last few steps at first, when there are not more.
            weight = max(1 - self._decay, 1 / self._done)
            with torch.no_grad():
                for mean, value in zip(self._means, self._parameters, strict=True):
                    mean.lerp_(value, weight)


def learning_rates(steps: int, warm_up: int) -> Callable[[int], float]:
    """Return the learning rate of each step, as a share of the highest.

    Args:
        steps: Number of steps.
        warm_up: Steps in which it rises; after them it falls linearly.
    """

    def share(step: int) -> float:
        if step < warm_up:
            return (step + 1) / warm_up
        left = (steps - step) / max(steps - warm_up, 1)
        return _LAST + (1 - _LAST) * max(left, 0.0)

    return share
