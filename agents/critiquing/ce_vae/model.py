"""The network of CE-VAE, and its loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import relu


class CEVAE(nn.Module):
    """Encoder, decoders and inverse.

    Args:
        items: I.
        aspects: K.
        dim: Size of the latent space, d.
        generator: Draws the weights; the network lives on its device.
    """

    def __init__(self, items: int, aspects: int, dim: int, generator: torch.Generator) -> None:
        super().__init__()
        self.encoder = nn.Linear(items, 2 * dim)
        self.items = nn.Linear(dim, items)
        self.aspects = nn.Linear(dim, aspects)
        self.inverse = nn.Linear(aspects, dim)
        self.to(generator.device)
        for layer in (self.encoder, self.items, self.aspects, self.inverse):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)

    def latent(self, taken: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log standard deviation, each ``(B, d)``, of users who took ``(B, I)``."""
        mean, spread = self.encoder(taken).chunk(2, dim=1)
        return relu(mean), spread


def losses(
    model: CEVAE,
    taken: Tensor,
    written: Tensor,
    *,
    beta: float,
    corruption: float,
    generator: torch.Generator,
) -> Tensor:
    """Return the loss of each user, ``(B,)``.

    Squared errors of items, of aspects, and of the inverse, whose target, the latent vector, takes
    no gradient; and beta times the divergence from the standard normal prior.

    Args:
        model: The network.
        taken: 1 where the user reviewed an item, ``(B, I)``.
        written: 1 where the user wrote of an aspect, ``(B, K)``.
        beta: Weight of the divergence.
        corruption: Share of the input that is dropped at random.
        generator: Draws the latent vectors.
    """
    kept = torch.rand(taken.shape, generator=generator, device=taken.device) >= corruption
    mean, spread = model.latent(taken * kept / max(1 - corruption, 1e-6))
    noise = torch.randn(mean.shape, generator=generator, device=mean.device)
    latent = mean + noise * spread.exp()
    aspects = model.aspects(latent)
    errors = (
        (model.items(latent) - taken).square().sum(dim=1)
        + (aspects - written).square().sum(dim=1)
        + (relu(model.inverse(aspects)) - latent.detach()).square().sum(dim=1)
    )
    divergence = 0.5 * (mean.square() + (2 * spread).exp() - 1 - 2 * spread).sum(dim=1)
    loss: Tensor = errors + beta * divergence
    return loss
