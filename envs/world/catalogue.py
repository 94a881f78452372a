"""The items: topics, quality, bait and length."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from envs.world.contracts import CataloguePart
from envs.world.items import Items, unit


class Catalogue(CataloguePart):
    r"""Items drawn from a Gaussian mixture of groups.

    Group centres are uniform on the unit sphere. An item is

    .. math:: e_i \propto c_{g(i)} + \text{spread}\,\epsilon_i / \sqrt{d}, \qquad \|e_i\| = 1.

    Quality :math:`q_i` and bait :math:`b_i` are uniform on [0, 1], coupled by a Gaussian copula
    with correlation ``bait_quality_correlation``. Length in minutes is log-normal with mean
    ``length`` and log-deviation ``length_spread``; a user who clicks watches
    :math:`m_i = \ell_i (c + (1 - c) q_i)` of it, ``c = completion``. Group sizes are proportional
    to :math:`\text{rank}^{-\text{group_skew}}`.

    The system observes ``item_features``: the embedding plus noise with standard deviation
    ``feature_noise / sqrt(dim)`` per coordinate, and the standardised log-length.

    Source: mixture of topics and per-item quality after the documents of RecSim (Ie et al. 2019,
    arXiv 1909.04847, section 5); the copula of bait and quality is our own.
    """

    kind: Literal["drawn"] = "drawn"
    num_items: int = Field(200, ge=2, le=10_000_000, description="items in the catalogue, I")
    num_groups: int = Field(10, ge=1, le=10_000_000, description="groups (topics), G")
    dim: int = Field(8, ge=2, le=10_000, description="dimensions of embeddings and interests, d")
    spread: float = Field(0.6, ge=0, description="distance of items from their group's centre")
    group_skew: float = Field(0.0, ge=0, description="0: equal groups; 1: sizes fall as 1/rank")
    bait_quality_correlation: float = Field(0.0, ge=-1, le=1)
    length: float = Field(4.0, gt=0, description="mean length of an item, minutes")
    length_spread: float = Field(0.4, ge=0, description="deviation of the log-length")
    completion: float = Field(0.3, ge=0, le=1, description="fraction watched at quality 0")
    feature_noise: float = Field(0.3, ge=0, description="noise of the visible item features")
    seed: int = Field(0, ge=0, description="the catalogue is a function of this seed")

    def draw(self) -> Items:
        """Draw the items."""
        rng = np.random.default_rng([self.seed, 0x51A7E])
        centres = unit(rng.standard_normal((self.num_groups, self.dim)))
        share = np.arange(1, self.num_groups + 1.0) ** -self.group_skew
        groups = rng.choice(self.num_groups, self.num_items, p=share / share.sum())
        noise = rng.standard_normal((self.num_items, self.dim)) / math.sqrt(self.dim)
        embedding = unit(centres[groups] + self.spread * noise)
        rho = self.bait_quality_correlation
        z = rng.standard_normal((2, self.num_items))
        quality, bait = normal_cdf(z[0]), normal_cdf(rho * z[0] + math.sqrt(1 - rho**2) * z[1])
        log_length = self.length_spread * rng.standard_normal(self.num_items)
        length = self.length * np.exp(log_length - self.length_spread**2 / 2)
        error = rng.standard_normal((self.num_items, self.dim)) / math.sqrt(self.dim)
        features = np.column_stack(
            [
                embedding + self.feature_noise * error,
                log_length / self.length_spread if self.length_spread else log_length,
            ]
        )
        return Items(
            embedding=embedding.astype(np.float32),
            centres=centres.astype(np.float32),
            group=groups.astype(np.int64),
            quality=quality.astype(np.float32),
            bait=bait.astype(np.float32),
            minutes=(length * (self.completion + (1 - self.completion) * quality)).astype(
                np.float32
            ),
            features=features.astype(np.float32),
        )


def normal_cdf(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distribution function of the standard normal distribution, same shape."""
    cdf: NDArray[np.float64] = 0.5 * (1 + np.vectorize(math.erf)(z / math.sqrt(2)))
    return cdf
