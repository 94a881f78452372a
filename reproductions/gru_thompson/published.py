"""The details of the authors' code of gru_thompson that `agents.gru_thompson` deliberately changes.

    agent = PublishedAgent(GRUThompsonConfig(**published_settings(users)), problem, seed)

Compared with the agent, the likelihood counts 38 times (which makes the posterior so narrow that
Thompson sampling is nearly greedy), the divergence of the initial states is not scaled to all
users, users without a click start at 0 with deviation 2e-4, clicks on the first item do not count
for the initial state, group scales are the absolute value of a Gaussian that starts near 0, and the
read-out of the recurrent state does not start at the identity. Not included are the vectors for
padding, "nothing" and unknown items, which in the authors' code are learned and enter the deviation
of the initial state.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from agents.gru_thompson import GRUThompsonAgent
from agents.gru_thompson.config import ModelConfig
from agents.gru_thompson.model import Model, initial_means
from agents.gru_thompson.posterior import Gaussian, gaussian_kl

_LEAST_SCALE = 1e-3


def published_settings(num_users: int) -> dict[str, Any]:
    """Return the authors' training settings.

    Args:
        num_users: Number of training users. The authors bound each entry of the gradient by 100;
            their loss is the sum over all users, while that of the agent is the mean.
    """
    return {
        "likelihood_temperature": 0.02645,
        "betas": (0.1, 0.1),
        "particles": 4,
        "clip": 100.0 / num_users,
    }


class PublishedModel(Model):
    """`Model` with the initial states, scales and start values of the authors' code."""

    def __init__(
        self,
        config: ModelConfig,
        groups: Tensor,
        slots: int,
        horizon: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, groups, slots, horizon, generator)
        shape, most = tuple(self.group_scale.location.shape), config.max_scale
        scales = initial_means(generator, *shape, scale=config.group_scale_scale)
        self.group_scale = Gaussian(0.01 * scales, 0.01, most)
        read_out = initial_means(generator, config.dim, config.dim, scale=1.0)
        self.matrices["z"] = Gaussian(read_out, min(0.05, most / 2), most, -10, 10)

    def start(self, clicks: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and deviation of the initial states; see `Model.start`."""
        counted = torch.where(clicks > 0, clicks, -1)  # the authors ask for ids above the first
        mean, deviation = super().start(counted)
        known = (counted >= 0).any(dim=1, keepdim=True)
        return mean, torch.where(known, deviation, self.alpha * 1e-3)

    def start_kl(self, mean: Tensor, deviation: Tensor, scale: float) -> Tensor:
        """Return the divergence of the initial states of the batch, not scaled to all users."""
        return gaussian_kl(mean, deviation, 0.0, self.config.start_scale).sum()

    def group_scales(self, generator: torch.Generator) -> Tensor:
        """Sample the deviations of items around their group's mean, ``(G, D)``."""
        return self.group_scale.draw(generator).abs().clamp_min(_LEAST_SCALE)


class PublishedAgent(GRUThompsonAgent):
    """`GRUThompsonAgent` with `PublishedModel`; see `published_settings`."""

    model_class: ClassVar[type[Model]] = PublishedModel
