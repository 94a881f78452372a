"""Networks that score every item of the catalogue in a context."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

# Standardised inputs are limited to this many standard deviations.
_LIMIT = 5.0


class Standardised(nn.Module):
    """Standardises inputs by mean and deviation of a sample; a column that is constant counts 0.

    Args:
        sample: ``(M, P)``.
    """

    mean: Tensor
    inverse: Tensor

    def __init__(self, sample: Tensor) -> None:
        super().__init__()
        mean = sample.mean(dim=0)
        deviation = (sample - mean).square().mean(dim=0).sqrt()
        self.register_buffer("mean", mean)
        scale = torch.where(deviation > 1e-6, 1 / deviation.clamp_min(1e-6), 0.0)
        self.register_buffer("inverse", scale)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the standardised inputs, ``(B, P)``."""
        return ((inputs - self.mean) * self.inverse).clamp(-_LIMIT, _LIMIT)


class LinearScores(nn.Module):
    """``z = [1 | x] W`` with a column of weights per item.

    Args:
        sample: Inputs that standardise x, ``(M, P)``.
        num_items: I.
    """

    def __init__(self, sample: Tensor, num_items: int) -> None:
        super().__init__()
        self.scale = Standardised(sample)
        self.weight = nn.Parameter(sample.new_zeros(sample.shape[1], num_items))
        self.bias = nn.Parameter(sample.new_zeros(num_items))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the score of every item, ``(B, I)``."""
        scores: Tensor = self.scale(inputs) @ self.weight + self.bias
        return scores


class SlateNet(nn.Module):
    """A query computed from the context meets a vector and a bias computed from each item.

    ``z_i = q . e_i / sqrt(d) + b_i``. An item is known by its standardised features and by a
    learned vector beside them. The first scores are nearly equal.

    Args:
        sample: Inputs that standardise the context, ``(M, P)``.
        item_features: Features of the items, ``(I, D)``; D may be 0.
        hidden: Width of the layers.
        dim: d.
        item_dim: Length of the learned vector of an item; 0 for features only.
    """

    features: Tensor

    def __init__(
        self, sample: Tensor, item_features: Tensor, *, hidden: int, dim: int, item_dim: int
    ) -> None:
        super().__init__()
        self.scale = Standardised(sample)
        features = Standardised(item_features)(item_features)
        self.register_buffer("features", features)
        self.own = nn.Parameter(0.1 * torch.randn(len(features), item_dim))
        self.context = nn.Sequential(*_layers(sample.shape[1], hidden), nn.Linear(hidden, dim))
        self.item = nn.Sequential(
            nn.Linear(features.shape[1] + item_dim, hidden), nn.Tanh(), nn.Linear(hidden, dim + 1)
        )
        with torch.no_grad():
            for network in (self.context, self.item):
                network[-1].get_parameter("weight").mul_(0.3)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the score of every item, ``(B, I)``."""
        table = self.item(torch.cat([self.features, self.own], dim=1))  # (I, d + 1)
        vectors, bias = table[:, :-1], table[:, -1]
        query = self.context(self.scale(inputs))  # (B, d)
        scores: Tensor = query @ vectors.T / math.sqrt(vectors.shape[1]) + bias
        return scores


class Critic(nn.Module):
    """V(s), a number for every context.

    Args:
        sample: Inputs that standardise the context, ``(M, P)``.
        hidden: Width of the layers.
    """

    def __init__(self, sample: Tensor, hidden: int) -> None:
        super().__init__()
        self.scale = Standardised(sample)
        self.layers = nn.Sequential(*_layers(sample.shape[1], hidden), nn.Linear(hidden, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return V, ``(B,)``."""
        value: Tensor = self.layers(self.scale(inputs))[:, 0]
        return value


def _layers(inputs: int, hidden: int) -> list[nn.Module]:
    return [nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh()]
