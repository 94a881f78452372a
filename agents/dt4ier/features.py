"""User features, standardised by the training users."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Standardiser(nn.Module):
    """Scales features to mean 0 and standard deviation 1; constant features become 0.

    Args:
        num_features: F.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("deviation", torch.ones(num_features))

    def learn(self, features: Tensor) -> None:
        """Set the mean and deviation to those of some users, ``(U, F)``."""
        self.mean.copy_(features.mean(dim=0))
        spread = features.std(dim=0, correction=0)
        self.deviation.copy_(torch.where(spread > 0, spread, 1.0))

    def forward(self, features: Tensor) -> Tensor:
        """Return the standardised features, ``(B, F)``."""
        standard: Tensor = (features - self.mean) / self.deviation
        return standard


class UserEncoder(nn.Module):
    """A linear map of standardised features.

    Args:
        num_features: F.
        dim: D.
    """

    def __init__(self, num_features: int, dim: int) -> None:
        super().__init__()
        self.standard = Standardiser(num_features)
        self.linear = nn.Linear(num_features, dim, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the vectors, ``(B, D)``, of users with features ``(B, F)``."""
        vectors: Tensor = self.linear(self.standard(features))
        return vectors
