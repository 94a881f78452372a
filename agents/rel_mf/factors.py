"""Vectors of users and items, and their training on pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from agents.rel_mf.losses import Coefficients, PointLoss, pair_losses
from agents.rel_mf.pairs import Pairs
from agents.shared.early_stopping import gradient_step


class Factors(nn.Module):
    """``logit(u, i) = p_u . q_i``, plus ``b_u + b_i + b`` with biases.

    Args:
        num_users: U.
        num_items: I.
        dim: Length of the vectors.
        generator: Draws the initial vectors, Xavier uniform; biases start at 0.
        biases: Whether to add biases.
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        dim: int,
        generator: torch.Generator,
        *,
        biases: bool = False,
    ) -> None:
        super().__init__()
        device = generator.device
        self.users = nn.Parameter(torch.empty(num_users, dim, device=device))
        self.items = nn.Parameter(torch.empty(num_items, dim, device=device))
        for table in (self.users, self.items):
            nn.init.xavier_uniform_(table, generator=generator)
        shapes = (num_users, num_items, 1) if biases else ()
        self.biases = nn.ParameterList(torch.zeros(size, device=device) for size in shapes)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Return the score of each pair, ``(N,)``."""
        scores = (self.users[users] * self.items[items]).sum(dim=1)
        if len(self.biases):
            of_users, of_items, overall = self.biases
            scores = scores + of_users[users] + of_items[items] + overall
        return scores

    def all_scores(self) -> Tensor:
        """Return the score of every pair, ``(U, I)``, without gradient."""
        with torch.no_grad():
            scores = self.users @ self.items.T
            if len(self.biases):
                of_users, of_items, overall = self.biases
                scores = scores + of_users[:, None] + of_items + overall
            return scores

    def penalty(self) -> Tensor:
        """Return ``(|P|^2 + |Q|^2) / 2`` over the whole tables."""
        return (self.users.square().sum() + self.items.square().sum()) / 2


@dataclass(frozen=True)
class Training:
    """How vectors are trained.

    Attributes:
        learning_rate: Learning rate.
        l2: Weight of the penalty.
        optimizer: ``adam`` or ``sgd``.
        loss: Loss of a pair with known relevance.
        non_negative: Whether the loss of a pair is clipped at 0 from below.
    """

    learning_rate: float = 0.005
    l2: float = 1e-5
    optimizer: Literal["adam", "sgd"] = "adam"
    loss: PointLoss = "squared"
    non_negative: bool = False


def train(
    factors: Factors,
    batches: Iterable[Pairs],
    coefficients: Callable[[Tensor, Tensor], Coefficients],
    training: Training,
    *,
    on_step: Callable[[int, Tensor], bool] | None = None,
) -> None:
    """Take one gradient step per batch.

    Args:
        factors: Trained in place.
        batches: Users and items of each batch, ``(N,)`` each.
        coefficients: Returns a and b of each pair of a batch; see `agents.rel_mf.losses`.
        training: Optimiser and loss.
        on_step: Called with the number of steps taken and the loss of the last batch; if it returns
            True, training stops.
    """
    kind = torch.optim.Adam if training.optimizer == "adam" else torch.optim.SGD
    optimizer = kind(factors.parameters(), lr=training.learning_rate)
    for step, (users, items) in enumerate(batches, start=1):
        losses = pair_losses(
            coefficients(users, items),
            factors(users, items),
            training.loss,
            non_negative=training.non_negative,
        )
        loss = losses.sum() / len(users)
        gradient_step(optimizer, loss + training.l2 * factors.penalty())
        if on_step is not None and on_step(step, loss.detach()):
            return
