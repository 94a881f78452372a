"""The mean return-to-go of a context, learned by regression."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from agents.shared.early_stopping import EarlyStoppingConfig, Training, split_by_user, train
from agents.slate_policy.network import Critic
from recsim.arrays import Floats, Floats32, Ints

_FOLDS = 2
# Settings of the regression that are not those of the policy.
_TRAINING = EarlyStoppingConfig(held_out=0.2, evaluate_every=25, patience=4)
_STEPS, _HIDDEN = 400, 64


def cross_fitted_values(
    contexts: Floats32, to_go: Floats, user: Ints, generator: torch.Generator
) -> Floats:
    """Return V(s), the predicted return-to-go before each row, ``(M,)``.

    Rows of a user are predicted by a network that was fitted to other users: fitted to the same
    rows, it would absorb part of their advantage.

    Args:
        contexts: ``(M, P)``.
        to_go: G, ``(M,)``.
        user: ``(M,)``.
        generator: Draws folds and batches, on the device of the computation.
    """
    device = generator.device
    inputs = torch.as_tensor(np.array(contexts), device=device)
    mean, deviation = to_go.mean(), max(to_go.std(), 1e-12)
    target = torch.as_tensor((to_go - mean) / deviation, dtype=torch.float32, device=device)
    _, own = np.unique(user, return_inverse=True)
    users = int(own.max()) + 1
    fold = torch.randperm(users, generator=generator, device=device).cpu().numpy()[own] % _FOLDS
    values = np.full(len(to_go), mean)
    for number in range(_FOLDS):
        others = np.flatnonzero(fold != number)
        if not len(others):  # a single user
            continue
        rows = torch.as_tensor(others, device=device)
        critic = _fitted(inputs[rows], target[rows], user[others], generator)
        with torch.no_grad():
            predicted = critic(inputs).cpu().numpy().astype(np.float64)
        values[fold == number] = (mean + deviation * predicted)[fold == number]
    return values


def _fitted(inputs: Tensor, target: Tensor, user: Ints, generator: torch.Generator) -> Critic:
    critic = Critic(inputs, _HIDDEN).to(inputs.device)
    rows, held_out = split_by_user(user, _TRAINING.held_out, generator)

    def losses(part: Tensor) -> Tensor:
        error: Tensor = critic(inputs[part]) - target[part]
        return error.square()

    train(critic, losses, rows, held_out, Training.of(_TRAINING, _STEPS), generator)
    return critic
