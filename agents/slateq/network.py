"""Scores of items in a state, for both the choice model and the Q-function."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from agents.slateq.states import States


@dataclass(frozen=True, eq=False)
class Heads:
    """The output of a network for B states.

    Attributes:
        weights: Weight of every column of the item table, ``(B, Z)``.
        base: Score that all items share, ``(B,)``.
        nothing: Score of no click, ``(B,)``.
    """

    weights: Tensor
    base: Tensor
    nothing: Tensor


class Scorer(nn.Module):
    """``score(s, i) = base(s) + w(s) . z_i`` and ``score(s, nothing)``, with one hidden layer.

    z_i consists of the features of the item and a learned embedding. The state consists of the
    standardised facts about the user and exponentially discounted sums over the clicks of the
    history, ``sqrt(1 - decay^2) sum decay^age z_i`` and the same with 1 instead of z_i.

    Args:
        features: Standardised features of the items, ``(I, D)``; D may be 0.
        known: Values of `States.known` whose mean and deviation standardise it, ``(M, S)``.
        dim: Length of the embeddings.
        hidden: Units of the hidden layer.
        decay: Discount per slate.
        generator: Draws the initial parameters.
    """

    def __init__(
        self,
        features: Tensor,
        known: Tensor,
        *,
        dim: int,
        hidden: int,
        decay: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.decay = decay
        # Scales sums over many independent clicks to the standard deviation of one.
        self.unit = (1 - decay**2) ** 0.5
        self.register_buffer("features", features)
        self.register_buffer("mean", known.mean(dim=0))
        deviation = known.std(dim=0, correction=0)
        # A feature that is constant in the log must not affect scores when it varies later.
        inverse = torch.where(deviation > 1e-6, 1 / deviation.clamp_min(1e-6), 0.0)
        self.register_buffer("inverse", inverse)
        size = features.shape[1] + dim
        device = generator.device
        self.embedding = nn.Parameter(
            torch.randn((len(features), dim), generator=generator, device=device)
        )
        self.layer = _linear(known.shape[1] + size + 1, hidden, generator)
        self.heads = _linear(hidden, size + 2, generator)

    def start_at(self, value: float) -> None:
        """Initialise all scores near a value."""
        with torch.no_grad():
            self.heads.bias[-2:] = value

    def table(self) -> Tensor:
        """Return z of all items, ``(I, Z)``."""
        return torch.cat([self.features, self.embedding], dim=1)  # type: ignore[list-item]

    def forward(self, states: States) -> Heads:
        """Return the output for some states."""
        table = self.table()
        known = (states.known - self.mean) * self.inverse  # type: ignore[operator]
        weight = self.unit * self.decay**states.age * (states.items >= 0)  # (B, L)
        past = torch.einsum("bl,blz->bz", weight, table[states.items.clamp_min(0)])
        state = torch.cat([known, past, weight.sum(dim=1, keepdim=True)], dim=1)
        out = self.heads(torch.relu(self.layer(state)))  # (B, Z + 2)
        return Heads(out[:, :-2], out[:, -2], out[:, -1])

    def scores(self, heads: Heads, items: Tensor | None) -> Tensor:
        """Return the scores of items.

        Args:
            heads: Output for B states.
            items: Ids, ``(B, C)``, with arbitrary scores at -1; or None for the whole catalogue.

        Returns:
            ``(B, C)`` or ``(B, I)``.
        """
        table = self.table()
        if items is None:
            return heads.base[:, None] + heads.weights @ table.T
        z = table[items.clamp_min(0)]  # (B, C, Z)
        return heads.base[:, None] + torch.einsum("bz,bcz->bc", heads.weights, z)


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    layer = nn.Linear(inputs, outputs, device=generator.device)
    nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer
