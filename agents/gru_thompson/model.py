r"""The model: latent variables, their priors and their posterior.

Items are points v; a user with preference z chooses slot k of a slate with L slots (including
"nothing") with probability

.. math:: P(k) \propto e^{s_k}, \qquad s_k = -\lVert z - v_{i_k} \rVert_2, \qquad s_0 = b_L,

where slot 0 is "nothing". An item belongs to a group g and shares its mean and scale:
:math:`v_i \sim N(\mu_g, \sigma_g^2)`, :math:`\mu_g \sim N(0, s_v^2)`. For the dynamics of
preferences see `agents.gru_thompson.states`, for the initial state of a user `Model.start`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from agents.gru_thompson.config import ModelConfig
from agents.gru_thompson.posterior import Gaussian, gaussian_kl, take
from agents.gru_thompson.states import MATRICES, StateKind, Weights

_LEAST_SCALE = 1e-3
# Deviation of the median of 50 samples of a standard Gaussian: the authors' initial means.
_MEDIAN_OF_50 = math.sqrt(math.pi / 2 / 50)


def initial_means(generator: torch.Generator, *shape: int, scale: float) -> Tensor:
    """Return random means of a table before training, on the device of the generator."""
    noise = torch.randn(shape, generator=generator, device=generator.device)
    return _MEDIAN_OF_50 * scale * noise


@dataclass(frozen=True, eq=False)
class Globals:
    """One sample of all variables other than items and initial states.

    Attributes:
        weights: ``gamma`` and the matrices of the state, as needed by `states.preferences`.
        bias: Score of "nothing" by the number of slots, ``(..., S + 2)``.
    """

    weights: Weights
    bias: Tensor


class Model(nn.Module):
    """Posterior of the model's variables, with their prior.

    Args:
        config: Prior, state and posterior family.
        groups: Group of each item, ``(I,)``.
        slots: Number of items in the largest slate, S.
        horizon: Number of steps per user in training, T; see `start`.
        generator: Random generator of the initial means.
    """

    groups: Tensor

    def __init__(
        self,
        config: ModelConfig,
        groups: Tensor,
        slots: int,
        horizon: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.config, self.horizon, self.num_items = config, horizon, len(groups)
        device = generator.device
        groups = groups.to(device) if config.hierarchical else torch.zeros_like(groups).to(device)
        self.register_buffer("groups", groups)
        kinds, dim, most = int(groups.max()) + 1, config.dim, config.max_scale
        both = math.hypot(config.group_mean_scale, config.group_scale_scale)
        items = 0.01 * initial_means(generator, len(groups), dim, scale=both)
        self.items = Gaussian(items, 0.01, most)
        means = 0.01 * initial_means(generator, kinds, dim, scale=config.group_mean_scale)
        self.group_mean = Gaussian(means, 0.01, most)
        # The softplus of these scales is 1/2.
        scales = torch.full((kinds, dim), math.log(math.expm1(0.5)), device=device)
        self.group_scale = Gaussian(scales, 0.01, most)
        bias = initial_means(generator, slots + 2, scale=config.bias_scale)
        self.bias = Gaussian(bias, min(0.05, most / 2), most, -10, 10)
        gamma = torch.full((), 0.5, device=device)
        self.gamma = Gaussian(gamma, min(0.05, most / 2), most, 0, 1)
        self.matrices = nn.ModuleDict()
        for name in MATRICES:
            mean = initial_means(generator, dim, dim, scale=1.0)
            if name == "z":
                mean = mean + torch.eye(dim, device=device)
            self.matrices[name] = Gaussian(mean, min(0.05, most / 2), most, -10, 10)
        # Factor alpha of the deviation of the initial states, in (0.001, 5).
        self.spread = nn.Parameter(torch.tensor(_logit(0.2, 0.001, 5.0), device=device))

    def globals(
        self,
        generator: torch.Generator,
        *,
        size: tuple[int, ...] = (),
        temperature: float = 1.0,
    ) -> Globals:
        """Sample all variables other than items and initial states.

        Args:
            generator: Random generator.
            size: Shape of independent samples.
            temperature: Factor of the posterior deviations.
        """
        sites = {"gamma": self.gamma, **self.matrices}
        weights = {
            name: site.draw(generator, size=size, temperature=temperature)
            for name, site in sites.items()
            if isinstance(site, Gaussian)
        }
        return Globals(weights, self.bias.draw(generator, size=size, temperature=temperature))

    def start(self, clicks: Tensor) -> tuple[Tensor, Tensor]:
        r"""Return mean and deviation of the posterior of the initial states.

        They are a function of the user's clicks, so that users have no parameters of their own.
        With the posterior means m of the n clicked items in order, and the horizon T:

        .. math:: w_t \propto t^{-4}, \quad \text{mean} = \sum_t w_t m_t, \quad
           \text{deviation}^2 = \alpha^2 \Big(\frac1n \sum_t
           \big(m_t - \frac1T \sum_{t'} m_{t'}\big)^2 + 10^{-6}\Big)

        For users without clicks, the posterior is the prior.

        Args:
            clicks: Items clicked, in order, ``(U, W)``; -1 is skipped.

        Returns:
            Two tensors ``(U, D)``.
        """
        clicked = clicks >= 0
        means = self.items.mean(clicks.clamp_min(0)) * clicked[..., None]  # (U, W, D)
        rank = clicked.cumsum(dim=1)
        # rank**4 does not overflow a float, and is never 0 where it counts.
        weight = clicked / rank.clamp_min(1).to(means.dtype) ** 4
        weight = weight / weight.sum(dim=1, keepdim=True).clamp_min(1e-12)
        count = clicked.sum(dim=1, keepdim=True)  # (U, 1)
        mean = (weight[..., None] * means).sum(dim=1)
        centre = means.sum(dim=1) / self.horizon
        uniform = clicked / count.clamp_min(1)
        variance = (uniform[..., None] * (means - centre[:, None]).square()).sum(dim=1)
        deviation = self.alpha * (variance + 1e-6).sqrt()
        return mean, torch.where(count > 0, deviation, self.config.start_scale)

    @property
    def alpha(self) -> Tensor:
        """Factor of the deviation of the initial states; see `start`."""
        return 0.001 + 4.999 * torch.sigmoid(self.spread)

    def start_kl(self, mean: Tensor, deviation: Tensor, scale: float) -> Tensor:
        """Return the divergence of the initial states of a batch, scaled to all users.

        Args:
            mean: Means of the initial states, ``(B, D)``.
            deviation: Their deviations, ``(B, D)``.
            scale: Number of users divided by the batch size.
        """
        return scale * gaussian_kl(mean, deviation, 0.0, self.config.start_scale).sum()

    def group_scales(self, generator: torch.Generator) -> Tensor:
        """Sample the deviations of items around their group's mean, ``(G, D)``."""
        return nn.functional.softplus(self.group_scale.draw(generator)) + _LEAST_SCALE

    def kl(self, state: StateKind, generator: torch.Generator) -> Tensor:
        """Return an unbiased estimate of the divergence from the prior, without initial states.

        Only the group scales are sampled; given them, the divergence of the Gaussians is exact.

        Args:
            state: The state in use; parameters of other states do not count.
            generator: Random generator.
        """
        config = self.config
        scale = take(self.group_scales(generator), self.groups)  # (I, D)
        own, group = self.items, self.group_mean
        centre, unsure = take(group.mean(), self.groups), take(group.scale(), self.groups)
        # The expectation over the group's mean adds its variance to the squared difference.
        items = gaussian_kl(own.mean(), own.scale(), centre, scale)
        total = (items + (unsure / scale).square() / 2).sum()
        total = total + group.kl(0.0, config.group_mean_scale)
        total = total + self.group_scale.kl(0.0, config.group_scale_scale)
        total = total + self.bias.kl(0.0, config.bias_scale)
        if state in {"linear", "lingru"}:
            total = total + self.gamma.kl(0.5, 0.3)
        if state in {"gru", "lingru"}:
            for site in self.matrices.values():
                assert isinstance(site, Gaussian)
                total = total + site.kl(0.0, config.gru_scale)
        return total


def _logit(value: float, low: float, high: float) -> float:
    share = (value - low) / (high - low)
    return math.log(share / (1 - share))
