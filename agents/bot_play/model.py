"""The recommender: users, items and aspects in one linear space.

Shapes: B users, U users in all, I items, K aspects, d dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CritiquedModel(nn.Module):
    """Adds the vector of a user and the encoding of their preferences.

    With the preferences c (aspects that the user mentioned, minus those that they critiqued),

        z(u, c) = U[u] + A(c),    scores = z V^T,    logits(i) = P(z + V[i]),

    where the logits are those of the aspects in the justification of item i. A and P are linear
    with intercepts, or have hidden layers. There are no biases of users or items.

    Args:
        counts: Initial c, ``(U, K)``: train reviews of a user that mention an aspect.
        num_items: I.
        dim: d.
        generator: Random generator of the initial weights; it determines the device.
        init_std: Standard deviation of the initial vectors of users and items.
        enc_layers: Number of layers ``ReLU(Linear(d, d))`` of A after its first, linear one.
        proj_layers: Number of such layers of P before its last, linear one.
    """

    def __init__(
        self,
        counts: Tensor,
        num_items: int,
        dim: int,
        generator: torch.Generator,
        *,
        init_std: float = 0.1,
        enc_layers: int = 0,
        proj_layers: int = 0,
    ) -> None:
        super().__init__()
        device, (num_users, num_aspects) = generator.device, counts.shape

        def hidden(count: int) -> list[nn.Module]:
            pairs = ((nn.Linear(dim, dim), nn.ReLU()) for _ in range(count))
            return [layer for pair in pairs for layer in pair]

        self.counts: Tensor
        self.register_buffer("counts", counts.float())
        self.users = nn.Parameter(torch.empty(num_users, dim))
        self.items = nn.Parameter(torch.empty(num_items, dim))
        self.encoder = nn.Sequential(nn.Linear(num_aspects, dim), *hidden(enc_layers))
        self.head = nn.Sequential(*hidden(proj_layers), nn.Linear(dim, num_aspects))
        self.to(device)
        for table in (self.users, self.items):
            nn.init.normal_(table, std=init_std, generator=generator)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):  # the default of torch, but from this generator
                bound = layer.in_features**-0.5
                nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
                nn.init.uniform_(layer.bias, -bound, bound, generator=generator)

    def first_preferences(self, users: Tensor) -> Tensor:
        """Return c before any critique, ``(B, K)``; 0 for the unknown user -1."""
        return _rows(self.counts, users)

    def latent(self, users: Tensor, preferences: Tensor) -> Tensor:
        """Return z, ``(B, d)``; for the unknown user -1, it depends on the preferences alone."""
        encoded: Tensor = self.encoder(preferences)
        return _rows(self.users, users) + encoded

    def scores(self, latent: Tensor) -> Tensor:
        """Return the scores of all items, ``(B, I)``."""
        return latent @ self.items.T

    def logits(self, latent: Tensor, items: Tensor) -> Tensor:
        """Return the logits, ``(B, K)``, of aspects in the justification of items ``(B,)``."""
        logits: Tensor = self.head(latent + self.items[items])
        return logits


def _rows(table: Tensor, users: Tensor) -> Tensor:
    return table[users.clamp(min=0)] * (users >= 0)[:, None]
