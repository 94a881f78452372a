"""Importance weights, and what estimators do to them.

================  ==================================  ============================================
parameter         weight used in place of w           ends
================  ==================================  ============================================
`clip` L          min(w, L)                           infinity: w itself
`tau`             w if w <= tau, else 0               infinity: w itself; 0: the model alone
`shrinkage` L     L w / (w^2 + L)                     infinity: w itself; 0: the model alone
`subgaussian` L   w / (1 - L + L w)                   0: w itself; 1: 1 wherever w > 0
================  ==================================  ============================================

By default none of them leaves a weight above 10: L w / (w^2 + L) is at most sqrt(L) / 2, and
w / (1 - L + L w) below 1 / L.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

Floats = NDArray[np.float64]


class Parameters(BaseModel):
    """How far estimators that restrain the weights go; each reads its own parameter only.

    Attributes:
        clip: Largest weight that ``clipped_ips``, ``clipped_snips`` and ``clipped_dr`` keep, L.
        tau: Largest weight with which ``switch_dr`` and ``switch`` use a reward; beyond it they use
            the reward model.
        shrinkage: L of ``dros``.
        subgaussian: L of ``sub_gaussian``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    clip: Annotated[float, Field(gt=0)] = 10.0
    tau: Annotated[float, Field(ge=0)] = 10.0
    shrinkage: Annotated[float, Field(ge=0)] = 400.0
    subgaussian: Annotated[float, Field(ge=0, le=1)] = 0.1


def effective_sample_size(weights: Any) -> float:
    """Kish's (sum of w)^2 / sum of w^2: how many equally weighted impressions are worth as much.

    Args:
        weights: Importance weights, ``(N,)``.

    Returns:
        Between 1 and N; 0 if all weights are zero.
    """
    weights = np.asarray(weights, dtype=np.float64)
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def clipped(weights: Floats, clip: float) -> Floats:
    """Return min(w, L), ``(N,)``; Ionides, "Truncated Importance Sampling", 2008."""
    return weights if clip == np.inf else np.minimum(weights, clip)


def switched(weights: Floats, tau: float) -> Floats:
    """Return w where it is at most tau, else 0, ``(N,)``; Wang et al. 2017, arXiv:1612.01205."""
    return np.where(weights <= tau, weights, 0.0)


def shrunk(weights: Floats, shrinkage: float) -> Floats:
    """Return L w / (w^2 + L), ``(N,)``; Su et al. 2020, arXiv:1907.09623."""
    if shrinkage == 0:
        return np.zeros_like(weights)
    return weights / (weights**2 / shrinkage + 1.0)


def subgaussian(weights: Floats, degree: float) -> Floats:
    """Return w / (1 - L + L w), ``(N,)``; Metelli, Russo and Restelli, NeurIPS 2021."""
    below = 1.0 - degree + degree * weights
    # With L = 1 a weight of zero would be 0 / 0.
    return np.divide(weights, below, out=np.zeros_like(weights), where=weights > 0)
