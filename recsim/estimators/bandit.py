r"""Importance-weighting estimators of the value of a policy.

The log holds N impressions: context x_i, item a_i drawn by the logging policy mu, reward r_i. The
value of another policy pi is what r would be on average had pi drawn the items, and

.. math:: w_i = \pi(a_i \mid x_i) / \mu(a_i \mid x_i)

corrects for the difference.

===============  =======================================  ======================================
estimator        formula                                  bias
===============  =======================================  ======================================
`ips`            mean of w r                              none, if mu > 0 wherever pi > 0
`snips`          sum of w r / sum of w                    vanishes as 1/N; unharmed if the
                                                          weights are all wrong by one factor
`clipped_ips`    mean of min(w, L) r                      E[min(w, L) r] - E[w r], below 0 for
                                                          r >= 0
`clipped_snips`  sum of min(w, L) r / sum of min(w, L)    that of a policy nearer to mu
===============  =======================================  ======================================

References: IPS, Horvitz and Thompson 1952; clipping, Ionides, "Truncated Importance Sampling",
2008; SNIPS, Swaminathan and Joachims, "The Self-Normalized Estimator for Counterfactual Learning",
2015.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recsim.errors import UserError, did_you_mean
from recsim.estimators.sample import Estimator, Floats, Sample


def ips(weights: Any, rewards: Any) -> float:
    """Inverse propensity scoring: the mean of w r.

    Args:
        weights: Importance weights, ``(N,)``.
        rewards: Rewards, ``(N,)``.

    Returns:
        Reward per impression; NaN if there is none.
    """
    return make_estimator("ips")(weights, rewards)


def snips(weights: Any, rewards: Any) -> float:
    """Self-normalised inverse propensity scoring: the mean reward, weighted by w.

    Args:
        weights: Importance weights, ``(N,)``.
        rewards: Rewards, ``(N,)``.

    Returns:
        Reward per impression; NaN if all weights are zero.
    """
    return make_estimator("snips")(weights, rewards)


def clipped_ips(weights: Any, rewards: Any, clip: float) -> float:
    """Inverse propensity scoring with weights above ``clip`` cut to it.

    Args:
        weights: Importance weights, ``(N,)``.
        rewards: Rewards, ``(N,)``.
        clip: L, the largest weight kept.

    Returns:
        Reward per impression; NaN if there is none.
    """
    return make_estimator("clipped_ips", clip=clip)(weights, rewards)


def clipped_snips(weights: Any, rewards: Any, clip: float) -> float:
    """Self-normalised inverse propensity scoring with weights above ``clip`` cut to it.

    The clip applies to the weights in both sums.

    Args:
        weights: Importance weights, ``(N,)``.
        rewards: Rewards, ``(N,)``.
        clip: L, the largest weight kept.

    Returns:
        Reward per impression; NaN if all weights are zero.
    """
    return make_estimator("clipped_snips", clip=clip)(weights, rewards)


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


def make_estimator(name: str, *, clip: float = 10.0) -> Estimator:
    """Build an estimator.

    Args:
        name: One of `ESTIMATORS`.
        clip: Largest weight that the clipped ones keep, L > 0.

    Raises:
        UserError: If there is no such estimator, or the clip is not above zero.
    """
    if name not in ESTIMATORS:
        raise UserError(f"Unknown estimator {name!r}.{did_you_mean(name, ESTIMATORS)}")
    if not clip > 0:
        raise UserError(f"clip must be above 0, got {clip}: it is the largest weight kept.")
    return ESTIMATORS[name](clip)


def _ratio(sums: Floats) -> Floats:
    """Return the second sum over the first, NaN where that is zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sums[..., 0] == 0, np.nan, sums[..., 1] / sums[..., 0])


def _plain(name: str, clip: float) -> Estimator:
    """Return a mean of w r."""

    def used(weights: Floats) -> Floats:
        return np.minimum(weights, clip)

    def terms(sample: Sample) -> Floats:
        return np.stack([np.ones(len(sample)), used(sample.weights) * sample.rewards], axis=1)

    return Estimator(name, terms, _ratio, used, clip)


def _self_normalised(name: str, clip: float) -> Estimator:
    """Return a mean of r, weighted by w."""

    def used(weights: Floats) -> Floats:
        return np.minimum(weights, clip)

    def terms(sample: Sample) -> Floats:
        weights = used(sample.weights)
        return np.stack([weights, weights * sample.rewards], axis=1)

    return Estimator(name, terms, _ratio, used, clip)


ESTIMATORS: dict[str, Callable[[float], Estimator]] = {
    "ips": lambda clip: _plain("ips", np.inf),
    "snips": lambda clip: _self_normalised("snips", np.inf),
    "clipped_ips": lambda clip: _plain("clipped_ips", clip),
    "clipped_snips": lambda clip: _self_normalised("clipped_snips", clip),
}
