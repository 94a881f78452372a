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
        dim: Dimension of the latent space, d.
        generator: Random generator of the weights, which determines the device too.
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
        """Return mean and log deviation, ``(B, d)`` each, of users with items ``(B, I)``."""
        mean, log_deviation = self.encoder(taken).chunk(2, dim=1)
        return relu(mean), log_deviation


def losses(
    model: CEVAE,
    taken: Tensor,
    mentioned: Tensor,
    *,
    beta: float,
    corruption: float,
    generator: torch.Generator,
) -> Tensor:
    """Return the loss of each user, ``(B,)``.

    It is the sum of the squared errors of items, of aspects and of the inverse, whose target, the
    latent vector, has no gradient; plus beta times the divergence from the standard normal prior.

    Args:
        model: The network.
        taken: 1 if the user reviewed an item, ``(B, I)``.
        mentioned: 1 if the user mentioned an aspect, ``(B, K)``.
        beta: Weight of the divergence.
        corruption: Fraction of the input that is dropped at random.
        generator: Random generator of the dropout and of the latent vectors.
    """
    kept = torch.rand(taken.shape, generator=generator, device=taken.device) >= corruption
    mean, log_deviation = model.latent(taken * kept / max(1 - corruption, 1e-6))
    noise = torch.randn(mean.shape, generator=generator, device=mean.device)
    latent = mean + noise * log_deviation.exp()
    aspects = model.aspects(latent)
    errors = (
        (model.items(latent) - taken).square().sum(dim=1)
        + (aspects - mentioned).square().sum(dim=1)
        + (relu(model.inverse(aspects)) - latent.detach()).square().sum(dim=1)
    )
    variance = (2 * log_deviation).exp()
    divergence = 0.5 * (mean.square() + variance - 1 - 2 * log_deviation).sum(dim=1)
    loss: Tensor = errors + beta * divergence
    return loss
