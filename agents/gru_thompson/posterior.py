r"""A mean-field Gaussian over a table of numbers, and its divergence from a Gaussian prior.

Every entry has its own mean and its own standard deviation in ``(0, max_scale)``:

.. math:: q(\theta) = \prod_j N(\theta_j; m_j, s_j^2)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Gaussian(nn.Module):
    """One table of the posterior.

    Args:
        start: Initial means, of any shape.
        scale: Initial standard deviation, below ``max_scale``.
        max_scale: Upper bound of the standard deviations.
        low: Lower bound of the means; None if they are unbounded.
        high: Upper bound of the means, required with ``low``.
    """

    def __init__(
        self,
        start: Tensor,
        scale: float,
        max_scale: float,
        low: float | None = None,
        high: float | None = None,
    ) -> None:
        super().__init__()
        self._bounds = None if low is None or high is None else (low, high)
        if self._bounds is not None:
            share = (start - self._bounds[0]) / (self._bounds[1] - self._bounds[0])
            start = torch.logit(share)
        self._max_scale = max_scale
        share_of_scale = scale / max_scale
        self.location = nn.Parameter(start.clone())
        self.width = nn.Parameter(
            torch.full_like(start, math.log(share_of_scale / (1 - share_of_scale)))
        )

    def mean(self, rows: Tensor | None = None) -> Tensor:
        """Return the means, or those of some rows."""
        location = self.location if rows is None else take(self.location, rows)
        if self._bounds is None:
            return location
        low, high = self._bounds
        return low + (high - low) * torch.sigmoid(location)

    def scale(self, rows: Tensor | None = None) -> Tensor:
        """Return the standard deviations, or those of some rows."""
        width = self.width if rows is None else take(self.width, rows)
        return self._max_scale * torch.sigmoid(width)

    def draw(
        self,
        generator: torch.Generator,
        *,
        rows: Tensor | None = None,
        size: tuple[int, ...] = (),
        temperature: float = 1.0,
    ) -> Tensor:
        """Sample by reparametrisation.

        Args:
            generator: Random generator.
            rows: Rows to sample, or None for all.
            size: Shape of independent samples, prepended to the shape of the table.
            temperature: Factor of the standard deviations; 0 gives the means.
        """
        mean = self.mean(rows)
        if not temperature:
            # A copy, because a caller may overwrite the sample.
            return mean.expand((*size, *mean.shape)).clone() if size else mean
        noise = torch.randn(
            (*size, *mean.shape), generator=generator, device=mean.device, dtype=mean.dtype
        )
        return torch.addcmul(mean, self.scale(rows), noise, value=temperature)

    def kl(self, prior_mean: Tensor | float, prior_scale: Tensor | float) -> Tensor:
        """Return the divergence from independent Gaussians, summed over the table."""
        return gaussian_kl(self.mean(), self.scale(), prior_mean, prior_scale).sum()


def gaussian_kl(
    mean: Tensor, scale: Tensor, prior_mean: Tensor | float, prior_scale: Tensor | float
) -> Tensor:
    r"""Return :math:`KL(N(m, s^2) \| N(\mu, \sigma^2))` of each entry.

    .. math:: \log\frac{\sigma}{s} + \frac{s^2 + (m - \mu)^2}{2\sigma^2} - \frac12
    """
    ratio = scale / prior_scale
    return (ratio.square() + ((mean - prior_mean) / prior_scale).square() - 1) / 2 - ratio.log()


def take(table: Tensor, rows: Tensor) -> Tensor:
    """Return rows of a table, ``rows.shape + table.shape[1:]``, with a fast gradient."""
    return nn.functional.embedding(rows, table)
