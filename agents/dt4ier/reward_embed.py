"""Embeddings of returns-to-go."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class MultiRewardEmbedding(nn.Module):
    r"""Soft buckets over all rewards jointly.

    With scaled returns-to-go x:

    .. math::
        h = \text{LeakyReLU}(W_1 x), \quad z = \text{softmax}(\tau\,(W_2 h + h)), \quad
        E = z\,(L(\text{grid}) + B),

    a mixture of bucket vectors. Each bucket vector is a linear map of a grid point, which lies in
    [0, 1] for every reward, plus a free vector. The softmax is over the buckets, and its
    temperature is learned.

    Args:
        num_rewards: R.
        dim: D.
        buckets: N.
    """

    grid: Tensor

    def __init__(self, num_rewards: int, dim: int, buckets: int) -> None:
        super().__init__()
        self.first = nn.Linear(num_rewards, buckets, bias=False)
        self.second = nn.Linear(buckets, buckets, bias=False)
        self.log_sharpness = nn.Parameter(torch.ones(()))
        self.register_buffer(
            "grid", torch.linspace(0, 1, buckets)[:, None].repeat(1, num_rewards)
        )  # (N, R)
        self.along = nn.Linear(num_rewards, dim)
        self.free = nn.Embedding(buckets, dim)

    def forward(self, rtg: Tensor) -> Tensor:
        """Return the vectors, ``(..., D)``, of scaled returns-to-go ``(..., R)``."""
        h = functional.leaky_relu(self.first(rtg))  # (..., R) -> (..., N)
        z = (self.log_sharpness.exp() * (self.second(h) + h)).softmax(dim=-1)
        vectors: Tensor = z @ (self.along(self.grid) + self.free.weight)  # (..., N) -> (..., D)
        return vectors


class LinearRewardEmbedding(nn.Module):
    """A linear map and tanh, as in the original decision transformer.

    Args:
        num_rewards: R.
        dim: D.
    """

    def __init__(self, num_rewards: int, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(num_rewards, dim)

    def forward(self, rtg: Tensor) -> Tensor:
        """Return the vectors, ``(..., D)``, of scaled returns-to-go ``(..., R)``."""
        return torch.tanh(self.linear(rtg))
