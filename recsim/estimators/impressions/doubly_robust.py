r"""Estimators that ask a reward model q what the policy's items would have earned.

With weights w, rewards r, ``q_i = q(x_i, a_i)`` of the logged item and
``V_i = sum over a of pi(a | x_i) q(x_i, a)``:

============  ====================================================  ===========================
estimator     value                                                 bias
============  ====================================================  ===========================
`dm`          mean of V                                             that of q
`dr`          mean of V + w (r - q)                                 none
`clipped_dr`  mean of V + min(w, L) (r - q)                         E[(min(w, L) - w) (r - q)]
`sndr`        mean of V + sum of w (r - q) / sum of w               vanishes as 1/N
`switch_dr`   mean of V + w 1(w <= tau) (r - q)                     q's, where w > tau
`switch`      mean of w r 1(w <= tau)                               q's, where w > tau
              + sum over a of pi(a) q(a) 1(w(a) > tau)
`dros`        mean of V + L w / (w^2 + L) (r - q)                   E[(L w / (w^2 + L) - w)
                                                                    (r - q)]
`mrdr`        `dr`, with a q fitted by squared error with weights   none
              pi (1 - mu) / mu^2, which minimise the variance of DR
============  ====================================================  ===========================

"None" holds if mu > 0 wherever pi > 0, the propensities are right, and q was not fitted on the
impressions that it is asked about (cross-fitting; see `recsim.estimators.reward_models`), however
wrong q is. DR is unbiased too where q is right and the propensities are wrong.

References: DM and DR, Dudik, Langford and Li, "Doubly Robust Policy Evaluation and Learning", 2011,
arXiv:1103.4601; self-normalised DR, Robins, Sued, Lei-Gomez and Rotnitzky 2007; SWITCH, Wang,
Agarwal and Dudik, "Optimal and Adaptive Off-policy Evaluation in Contextual Bandits", 2017,
arXiv:1612.01205; DRos, Su, Dimakopoulou, Krishnamurthy and Dudik, "Doubly Robust Off-Policy
Evaluation with Shrinkage", 2020, arXiv:1907.09623; MRDR, Farajtabar, Chow and Ghavamzadeh, "More
Robust Doubly Robust Off-policy Evaluation", 2018, arXiv:1802.03493.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np

from recsim.estimators.impressions.sample import (
    Actions,
    Estimator,
    Floats,
    Sample,
    columns,
    quotient,
    ratio,
)
from recsim.estimators.weights import Parameters, clipped, shrunk, switched
from recsim.settings import validated


def dm(v: Any) -> float:
    """Direct method: the mean of V, what the reward model expects of the policy.

    Unbiased only as far as the reward model is; an interval around it does not know the model's
    error.

    Args:
        v: The reward model's mean under the policy, ``(N,)``.

    Returns:
        Reward per impression; NaN if there is none.
    """
    nothing = np.zeros(np.shape(v))
    return _make("dm")(nothing, nothing, q=nothing, v=v)


def dr(weights: Any, rewards: Any, q: Any, v: Any) -> float:
    """Doubly robust: the mean of V + w (r - q).

    Unbiased if the weights are right, or the reward model is.

    Args:
        weights: Importance weights, ``(N,)``.
        rewards: Rewards, ``(N,)``.
        q: What the reward model expects of the logged items, ``(N,)``.
        v: Its mean under the policy, ``(N,)``.

    Returns:
        Reward per impression; NaN if there is none.
    """
    return _make("dr")(weights, rewards, q=q, v=v)


def clipped_dr(weights: Any, rewards: Any, q: Any, v: Any, clip: float) -> float:
    """Doubly robust with weights above ``clip`` cut to it: the mean of V + min(w, L) (r - q).

    Biased by E[(min(w, L) - w) (r - q)].

    Args:
        weights: Importance weights, ``(N,)``.
        rewards: Rewards, ``(N,)``.
        q: What the reward model expects of the logged items, ``(N,)``.
        v: Its mean under the policy, ``(N,)``.
        clip: L, the largest weight kept.

    Returns:
        Reward per impression; NaN if there is none.
    """
    return _make("clipped_dr", clip=clip)(weights, rewards, q=q, v=v)


def sndr(weights: Any, rewards: Any, q: Any, v: Any) -> float:
    """Self-normalised doubly robust: the mean of V, plus the sum of w (r - q) over that of w.

    Its bias vanishes as 1/N, if the weights are right or the reward model is.

    Args:
        weights: Importance weights, ``(N,)``.
        rewards: Rewards, ``(N,)``.
        q: What the reward model expects of the logged items, ``(N,)``.
        v: Its mean under the policy, ``(N,)``.

    Returns:
        Reward per impression; NaN if all weights are zero.
    """
    return _make("sndr")(weights, rewards, q=q, v=v)


def switch_dr(weights: Any, rewards: Any, q: Any, v: Any, tau: float) -> float:
    """Doubly robust where w <= tau, the reward model elsewhere: V + w 1(w <= tau) (r - q).

    Biased by the reward model's error where w > tau.

    Args:
        weights: Importance weights, ``(N,)``.
        rewards: Rewards, ``(N,)``.
        q: What the reward model expects of the logged items, ``(N,)``.
        v: Its mean under the policy, ``(N,)``.
        tau: Largest weight with which a reward is used.

    Returns:
        Reward per impression; NaN if there is none.
    """
    return _make("switch_dr", tau=tau)(weights, rewards, q=q, v=v)


def switch(weights: Any, rewards: Any, actions: Actions, tau: float) -> float:
    """IPS for actions with w <= tau, the reward model for the others.

    The mean of w r 1(w <= tau) + sum over a of pi(a) q(a) 1(pi(a) / mu(a) > tau). Biased by the
    reward model's error where w > tau; actions that mu never shows are among them.

    Args:
        weights: Importance weights, ``(N,)``.
        rewards: Rewards, ``(N,)``.
        actions: pi, mu and q of every action, each ``(N, A)``.
        tau: Largest weight with which a reward is used.

    Returns:
        Reward per impression; NaN if there is none.
    """
    return _make("switch", tau=tau)(weights, rewards, actions=actions)


def dros(weights: Any, rewards: Any, q: Any, v: Any, shrinkage: float) -> float:
    """Doubly robust with optimistic shrinkage: the mean of V + L w / (w^2 + L) (r - q).

    L = 0 is `dm`, an infinite L is `dr`; in between biased by E[(L w / (w^2 + L) - w) (r - q)].

    Args:
        weights: Importance weights, ``(N,)``.
        rewards: Rewards, ``(N,)``.
        q: What the reward model expects of the logged items, ``(N,)``.
        v: Its mean under the policy, ``(N,)``.
        shrinkage: L, at least 0.

    Returns:
        Reward per impression; NaN if there is none.
    """
    return _make("dros", shrinkage=shrinkage)(weights, rewards, q=q, v=v)


def mrdr(weights: Any, rewards: Any, q: Any, v: Any) -> float:
    """More robust doubly robust: `dr` with a reward model fitted to make its variance small.

    Unbiased as `dr` is.

    Args:
        weights: Importance weights, ``(N,)``.
        rewards: Rewards, ``(N,)``.
        q: What a reward model that was fitted with the weights of `mrdr_weights` expects of the
            logged items, ``(N,)``.
        v: Its mean under the policy, ``(N,)``.

    Returns:
        Reward per impression; NaN if there is none.
    """
    return _make("mrdr")(weights, rewards, q=q, v=v)


def mrdr_weights(policy: Floats, logged: Floats) -> Floats:
    """Return the weights pi (1 - mu) / mu^2 with which the reward model of `mrdr` is fitted.

    Args:
        policy: pi of the logged items, ``(N,)``.
        logged: mu of the logged items, ``(N,)``.

    Returns:
        ``(N,)``; all zero where mu is always 1, since DR has no variance to reduce there.
    """
    return policy * (1.0 - logged) / logged**2


def _make(name: str, **parameters: float) -> Estimator:
    return MODEL_ESTIMATORS[name](validated(Parameters, parameters, "estimator"))


def _residual(
    name: str,
    used: Callable[[Floats], Floats],
    clip: float = np.inf,
    parameter: str = "",
    model: Literal["model", "weighted_model"] = "model",
) -> Estimator:
    """Return a mean of V + w (r - q)."""

    def terms(sample: Sample) -> Floats:
        said = getattr(sample, model)
        return columns(1.0, said.expected + used(sample.weights) * (sample.rewards - said.logged))

    needs = frozenset({model})
    return Estimator(name, terms, ratio, used, clip, parameter, mean=True, needs=needs)


def _direct() -> Estimator:
    def terms(sample: Sample) -> Floats:
        assert sample.model is not None
        return columns(1.0, sample.model.expected)

    # No reward is used; the weights still tell how far the policy is from the logged one.
    used = partial(clipped, clip=np.inf)
    needs = frozenset({"model"})
    return Estimator("dm", terms, ratio, used, mean=True, needs=needs, assumes="model")


def _self_normalised() -> Estimator:
    def terms(sample: Sample) -> Floats:
        assert sample.model is not None
        weights, model = sample.weights, sample.model
        return columns(1.0, model.expected, weights, (weights, sample.rewards - model.logged))

    def value(sums: Floats) -> Floats:
        found: Floats = quotient(sums[..., 1], sums[..., 0]) + quotient(sums[..., 3], sums[..., 2])
        return found

    used = partial(clipped, clip=np.inf)
    return Estimator("sndr", terms, value, used, needs=frozenset({"model"}))


def _switch(tau: float) -> Estimator:
    used = partial(switched, tau=tau)

    def terms(sample: Sample) -> Floats:
        assert sample.actions is not None
        policy, logging, q = sample.actions.policy, sample.actions.logging, sample.actions.model
        beyond = policy > tau * logging  # (N, A); without a division, so that mu = 0 may be
        return columns(
            1.0, used(sample.weights) * sample.rewards + (policy * q * beyond).sum(axis=1)
        )

    needs = frozenset({"actions"})
    return Estimator("switch", terms, ratio, used, tau, f"tau={tau:g}", mean=True, needs=needs)


MODEL_ESTIMATORS: dict[str, Callable[[Parameters], Estimator]] = {
    "dm": lambda p: _direct(),
    "dr": lambda p: _residual("dr", partial(clipped, clip=np.inf)),
    "clipped_dr": lambda p: _residual(
        "clipped_dr", partial(clipped, clip=p.clip), p.clip, f"clip={p.clip:g}"
    ),
    "sndr": lambda p: _self_normalised(),
    "switch_dr": lambda p: _residual(
        "switch_dr", partial(switched, tau=p.tau), p.tau, f"tau={p.tau:g}"
    ),
    "switch": lambda p: _switch(p.tau),
    "dros": lambda p: _residual(
        "dros",
        partial(shrunk, shrinkage=p.shrinkage),
        parameter=f"shrinkage={p.shrinkage:g}",
    ),
    "mrdr": lambda p: _residual("mrdr", partial(clipped, clip=np.inf), model="weighted_model"),
}
