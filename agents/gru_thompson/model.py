r"""The model: what is drawn, from which prior, and the posterior over it.

Items are points v; a user with preference z picks slot k of a slate of L slots (nothing included)
with probability

.. math:: P(k) \propto e^{s_k}, \qquad s_k = -\lVert z - v_{i_k} \rVert_2, \qquad s_0 = b_L,

slot 0 being "nothing". An item belongs to a group g, whose mean and scale it shares:
:math:`v_i \sim N(\mu_g, \sigma_g^2)`, :math:`\mu_g \sim N(0, s_v^2)`. How preferences move is
told in `agents.gru_thompson.states`, how a user starts in `Model.start`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from agents.gru_thompson.choices import Choices
from agents.gru_thompson.config import ModelConfig
from agents.gru_thompson.posterior import Gaussian, gaussian_kl, take
from agents.gru_thompson.states import MATRICES, StateKind, Weights

# Rows of the authors' table that stand for no item: no step, nothing clicked, unknown item.
_SPECIAL_ROWS = 3
_LEAST_SCALE = 1e-3
# Deviation of the median of 50 draws of a standard Gaussian: how the authors place the means.
_MEDIAN_OF_50 = math.sqrt(math.pi / 2 / 50)


@dataclass(frozen=True, eq=False)
class Globals:
    """One draw of everything but the items and the users.

    Attributes:
        weights: ``gamma`` and the matrices of the state, as `states.preferences` takes them.
        bias: Score of "nothing" by slots of the slate, ``(..., S + 2)``.
    """

    weights: Weights
    bias: Tensor


class Model(nn.Module):
    """Posterior of the model's parameters, with its prior.

    Args:
        config: Prior, state and posterior.
        groups: Group of each item, ``(I,)``.
        slots: Items in the largest slate, S.
        horizon: Steps of a user that the training looks at, T; see `start`.
        generator: Randomness of the first means.
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
        self.config, self.horizon = config, horizon
        self.num_items = len(groups)
        self._special = _SPECIAL_ROWS if config.faithful else 0
        device = generator.device
        groups = groups.to(device) if config.hierarchical else torch.zeros_like(groups).to(device)
        if self._special and config.hierarchical:
            special = torch.arange(_SPECIAL_ROWS, device=device)
            groups = torch.cat([special, groups + _SPECIAL_ROWS])
        elif self._special:
            groups = torch.cat([groups.new_zeros(_SPECIAL_ROWS), groups])
        self.register_buffer("groups", groups)
        kinds, dim, most = int(groups.max()) + 1, config.dim, config.max_scale

        def around(*shape: int, scale: float) -> Tensor:
            noise = torch.randn(shape, generator=generator, device=device)
            return _MEDIAN_OF_50 * scale * noise

        both = math.hypot(config.group_mean_scale, config.group_scale_scale)
        self.items = Gaussian(0.01 * around(len(groups), dim, scale=both), 0.01, most)
        means = 0.01 * around(kinds, dim, scale=config.group_mean_scale)
        self.group_mean = Gaussian(means, 0.01, most)
        if config.faithful:
            scales = 0.01 * around(kinds, dim, scale=config.group_scale_scale)
        else:
            # softplus of this is 1/2.
            scales = torch.full((kinds, dim), math.log(math.expm1(0.5)), device=device)
        self.group_scale = Gaussian(scales, 0.01, most)
        bias = around(slots + 2, scale=config.bias_scale)
        self.bias = Gaussian(bias, min(0.05, most / 2), most, -10, 10)
        gamma = torch.full((), 0.5, device=device)
        self.gamma = Gaussian(gamma, min(0.05, most / 2), most, 0, 1)
        self.matrices = nn.ModuleDict()
        for name in MATRICES:
            first = around(dim, dim, scale=1.0)
            if name == "z" and not config.faithful:
                first = first + torch.eye(dim, device=device)
            self.matrices[name] = Gaussian(first, min(0.05, most / 2), most, -10, 10)
        # Spread of the initial states, in (0.001, 5).
        self.spread = nn.Parameter(torch.tensor(_logit(0.2, 0.001, 5.0), device=device))

    def rows(self, items: Tensor) -> Tensor:
        """Return the rows of items in the table ``items``; padding gets the row of some item."""
        return items.clamp_min(0) + self._special

    def globals(
        self,
        generator: torch.Generator,
        *,
        size: tuple[int, ...] = (),
        temperature: float = 1.0,
    ) -> Globals:
        """Draw what is neither of items nor of users.

        Args:
            generator: Source of the noise.
            size: Independent draws.
            temperature: Factor of the posterior's deviations.
        """
        sites = {"gamma": self.gamma, **self.matrices}
        weights = {
            name: site.draw(generator, size=size, temperature=temperature)
            for name, site in sites.items()
            if isinstance(site, Gaussian)
        }
        return Globals(weights, self.bias.draw(generator, size=size, temperature=temperature))

    def start(self, clicks: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        r"""Return mean and deviation of the posterior of the initial states.

        It is a function of what the user clicked, so that no user has parameters of their own.
        With m the posterior means of the clicked items, in their order, T the horizon:

        .. math:: w_t \propto t^{-4}, \quad \text{mean} = \sum_t w_t m_t, \quad
           \text{deviation}^2 = \alpha^2 \Big(\frac1n \sum_t
           \big(m_t - \frac1T \sum_{t'} m_{t'}\big)^2 + 10^{-6}\Big)

        Of who clicked nothing only the prior is known.

        Args:
            clicks: Items clicked in their order, ``(U, W)``; -1 is skipped.
            others: Steps without a click, ``(U,)``.

        Returns:
            Two tensors ``(U, D)``.
        """
        real = clicks >= 0
        # The authors ask for ids above 3, which leaves out the first item.
        real_for_start = clicks > 0 if self.config.faithful else real
        means = self.items.mean(self.rows(clicks)) * real[..., None]  # (U, W, D)
        rank = real_for_start.cumsum(dim=1)
        # rank**4 overflows no float, and is never 0 where it counts.
        weight = real_for_start / rank.clamp_min(1).to(means.dtype) ** 4
        weight = weight / weight.sum(dim=1, keepdim=True).clamp_min(1e-12)
        count = real_for_start.sum(dim=1, keepdim=True)  # (U, 1)
        mean = (weight[..., None] * means).sum(dim=1)
        total = means.sum(dim=1)
        if self._special:
            special = self.items.mean(torch.arange(2, device=clicks.device))  # (2, D)
            absent = (self.horizon - real.sum(dim=1) - others).clamp_min(0)
            total = total + absent[:, None] * special[0] + others[:, None] * special[1]
        centre = total / self.horizon
        uniform = real_for_start / count.clamp_min(1)
        variance = (uniform[..., None] * (means - centre[:, None]).square()).sum(dim=1)
        alpha = 0.001 + 4.999 * torch.sigmoid(self.spread)
        deviation = alpha * (variance + 1e-6).sqrt()
        if self.config.faithful:
            return mean, deviation
        known = count > 0
        return mean, torch.where(known, deviation, self.config.start_scale)

    def group_scales(self, generator: torch.Generator) -> Tensor:
        """Draw the deviations of items around their group, ``(G, D)``."""
        raw = self.group_scale.draw(generator)
        if self.config.faithful:
            return raw.abs().clamp_min(_LEAST_SCALE)
        return nn.functional.softplus(raw) + _LEAST_SCALE

    def kl(self, state: StateKind, generator: torch.Generator) -> Tensor:
        """Return an unbiased estimate of the divergence from the prior, users left out.

        Only the scales of groups are drawn; what is Gaussian given them is exact.

        Args:
            state: Which state is in use; parameters of others have no say.
            generator: Source of the draw.
        """
        config = self.config
        scale = take(self.group_scales(generator), self.groups)  # (I, D)
        own, group = self.items, self.group_mean
        centre, unsure = take(group.mean(), self.groups), take(group.scale(), self.groups)
        # The mean over the group's mean adds its variance to the square.
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


def history(choices: Choices) -> tuple[Tensor, Tensor]:
    """Return what the start is told from: clicks ``(U, T)`` and steps without one ``(U,)``."""
    clicks = torch.where(choices.basis, choices.click, -1)
    others = (choices.basis & (choices.length > 0) & (choices.click < 0)).sum(dim=1)
    return clicks, others


def _logit(value: float, low: float, high: float) -> float:
    share = (value - low) / (high - low)
    return math.log(share / (1 - share))
