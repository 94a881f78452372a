r"""Estimators of the value of a policy from logged impressions, by name.

The log holds N impressions: context x_i, item a_i drawn by the logging policy mu, reward r_i. The
value of another policy pi is what r would be on average had pi drawn the items, and

.. math:: w_i = \pi(a_i \mid x_i) / \mu(a_i \mid x_i)

corrects for the difference. Those here look at weights and rewards alone; those that also ask a
reward model are in `recsim.estimators.impressions.doubly_robust`.

===============  =======================================  ======================================
estimator        formula                                  bias
===============  =======================================  ======================================
`ips`            mean of w r                              none, if mu > 0 wherever pi > 0
`snips`          sum of w r / sum of w                    vanishes as 1/N; unharmed if the
                                                          weights are all wrong by one factor
`clipped_ips`    mean of min(w, L) r                      E[min(w, L) r] - E[w r], below 0 for
                                                          r >= 0
`clipped_snips`  sum of min(w, L) r / sum of min(w, L)    that of a policy nearer to mu
`sub_gaussian`   mean of w r / (1 - L + L w)              as clipping; its error has a sub-Gaussian
                                                          bound
`replay`         mean r where a_i is what a               none, if mu is uniform
                 deterministic pi shows
===============  =======================================  ======================================

References: IPS, Horvitz and Thompson 1952; clipping, Ionides, "Truncated Importance Sampling",
2008; SNIPS, Swaminathan and Joachims, "The Self-Normalized Estimator for Counterfactual Learning",
2015; sub-Gaussian, Metelli, Russo and Restelli, "Subgaussian and Differentiable Importance Sampling
for Off-Policy Evaluation and Learning", NeurIPS 2021; replay, Li, Chu, Langford and Wang, "Unbiased
Offline Evaluation of Contextual-Bandit-Based News Article Recommendation Algorithms", 2011,
arXiv:1003.5956.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from recsim.errors import UserError, did_you_mean
from recsim.estimators.impressions.doubly_robust import MODEL_ESTIMATORS
from recsim.estimators.impressions.sample import Estimator, Floats, Sample, columns, ratio
from recsim.estimators.weights import Parameters, clipped, effective_sample_size, subgaussian
from recsim.settings import validated

__all__ = [
    "ESTIMATORS",
    "clipped_ips",
    "clipped_snips",
    "effective_sample_size",
    "ips",
    "make_estimator",
    "replay",
    "snips",
    "sub_gaussian",
]


def ips(weights: Any, rewards: Any) -> float:
    """Inverse propensity scoring: the mean of w r.

    Unbiased if mu > 0 wherever pi > 0.

    Args:
        weights: Importance weights, ``(N,)``.
        rewards: Rewards, ``(N,)``.

    Returns:
        Reward per impression; NaN if there is none.
    """
    return make_estimator("ips")(weights, rewards)


def snips(weights: Any, rewards: Any) -> float:
    """Self-normalised inverse propensity scoring: the mean reward, weighted by w.

    Its bias vanishes as 1/N, if mu > 0 wherever pi > 0.

    Args:
        weights: Importance weights, ``(N,)``.
        rewards: Rewards, ``(N,)``.

    Returns:
        Reward per impression; NaN if all weights are zero.
    """
    return make_estimator("snips")(weights, rewards)


def clipped_ips(weights: Any, rewards: Any, clip: float) -> float:
    """Inverse propensity scoring with weights above ``clip`` cut to it: the mean of min(w, L) r.

    Biased by E[(min(w, L) - w) r], which is negative for positive rewards.

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


def sub_gaussian(weights: Any, rewards: Any, subgaussian: float) -> float:
    """Inverse propensity scoring with smoothly bounded weights: the mean of w r / (1 - L + L w).

    Unbiased only for L = 0, where it is IPS; no weight exceeds 1 / L.

    Args:
        weights: Importance weights, ``(N,)``.
        rewards: Rewards, ``(N,)``.
        subgaussian: L, in [0, 1].

    Returns:
        Reward per impression; NaN if there is none.
    """
    return make_estimator("sub_gaussian", subgaussian=subgaussian)(weights, rewards)


def replay(policy: Any, rewards: Any) -> float:
    """Replay: the mean reward of the impressions that a deterministic policy would have made.

    Unbiased if the items were logged uniformly at random, or by the same policy.

    Args:
        policy: Probability that the policy shows the logged item, 0 or 1, ``(N,)``.
        rewards: Rewards, ``(N,)``.

    Returns:
        Reward per impression; NaN if no impression matches.

    Raises:
        UserError: If the policy is not deterministic.
    """
    return make_estimator("replay")(policy, rewards, policy=policy)


def make_estimator(name: str, **parameters: float) -> Estimator:
    """Build an estimator.

    Args:
        name: One of `ESTIMATORS`.
        **parameters: ``clip``, ``tau``, ``shrinkage``, ``subgaussian``; see
            `recsim.estimators.weights.Parameters`. Each estimator reads its own only.

    Raises:
        UserError: If there is no such estimator, or a parameter is unknown or out of its range.
    """
    if name not in ESTIMATORS:
        raise UserError(f"Unknown estimator {name!r}.{did_you_mean(name, ESTIMATORS)}")
    return ESTIMATORS[name](validated(Parameters, parameters, "estimator"))


def _plain(
    name: str,
    used: Callable[[Floats], Floats],
    clip: float = np.inf,
    parameter: str = "",
) -> Estimator:
    """Return a mean of w r."""

    def terms(sample: Sample) -> Floats:
        return columns(1.0, (used(sample.weights), sample.rewards))

    return Estimator(name, terms, ratio, used, clip, parameter, mean=True)


def _self_normalised(name: str, clip: float, parameter: str = "") -> Estimator:
    """Return a mean of r, weighted by w."""
    used = partial(clipped, clip=clip)

    def terms(sample: Sample) -> Floats:
        weights = used(sample.weights)
        return columns(weights, (weights, sample.rewards))

    return Estimator(name, terms, ratio, used, clip, parameter)


def _replay() -> Estimator:
    """Return a mean of r over the impressions that match."""

    def used(weights: Floats) -> Floats:
        return (weights > 0).astype(np.float64)

    def terms(sample: Sample) -> Floats:
        assert sample.policy is not None
        doubt = (sample.policy > 1e-9) & (sample.policy < 1 - 1e-9)
        if doubt.any():
            row = int(np.argmax(doubt))
            raise UserError(
                "replay needs a deterministic policy, which shows an item or does not; this one "
                f"shows a logged item with probability {sample.policy[row]:g}. Use 'snips'."
            )
        matching = used(sample.policy)
        return columns(matching, (matching, sample.rewards))

    needs = frozenset({"policy"})
    return Estimator("replay", terms, ratio, used, needs=needs, assumes="uniform")


ESTIMATORS: dict[str, Callable[[Parameters], Estimator]] = {
    "ips": lambda p: _plain("ips", partial(clipped, clip=np.inf)),
    "snips": lambda p: _self_normalised("snips", np.inf),
    "clipped_ips": lambda p: _plain(
        "clipped_ips", partial(clipped, clip=p.clip), p.clip, f"clip={p.clip:g}"
    ),
    "clipped_snips": lambda p: _self_normalised("clipped_snips", p.clip, f"clip={p.clip:g}"),
    "sub_gaussian": lambda p: _plain(
        "sub_gaussian",
        partial(subgaussian, degree=p.subgaussian),
        parameter=f"subgaussian={p.subgaussian:g}",
    ),
    "replay": lambda p: _replay(),
    **MODEL_ESTIMATORS,
}
