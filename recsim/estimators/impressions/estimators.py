r"""Estimators of the value of a policy from logged impressions, by name.

The log holds N impressions: context x_i, item a_i drawn by the logging policy mu, reward r_i. The
value of another policy pi is the mean reward if pi had drawn the items, and

.. math:: w_i = \pi(a_i \mid x_i) / \mu(a_i \mid x_i)

corrects for the difference. A reward model adds ``q_i = q(x_i, a_i)`` of the logged item and
``V_i = sum over a of pi(a | x_i) q(x_i, a)``.

===============  =======================================  ======================================
estimator        value                                    bias
===============  =======================================  ======================================
`ips`            mean of w r                              none
`snips`          sum of w r / sum of w                    vanishes as 1/N; unaffected if all
                                                          weights are wrong by one factor
`clipped_ips`    mean of min(w, L) r                      E[min(w, L) r] - E[w r], below 0 for
                                                          r >= 0
`clipped_snips`  sum of min(w, L) r / sum of min(w, L)    that of a policy nearer to mu
`sub_gaussian`   mean of w r / (1 - L + L w)              as clipping; its error has a sub-Gaussian
                                                          bound
`replay`         mean r where a_i is the item that a      none, if mu is uniform
                 deterministic pi shows
`dm`             mean of V                                that of q
`dr`             mean of V + w (r - q)                    none
`clipped_dr`     mean of V + min(w, L) (r - q)            E[(min(w, L) - w) (r - q)]
`sndr`           mean of V                                vanishes as 1/N
                 + sum of w (r - q) / sum of w
`switch_dr`      mean of V + w 1(w <= tau) (r - q)        that of q, where w > tau
`switch`         mean of w r 1(w <= tau)                  that of q, where w > tau; actions that mu
                 + sum over a of pi(a) q(a) 1(w(a) >      never shows are among them
                 tau)
`dros`           mean of V + L w / (w^2 + L) (r - q)      E[(L w / (w^2 + L) - w) (r - q)]; L = 0
                                                          is `dm`, an infinite L is `dr`
`mrdr`           `dr`, with a q fitted by squared error   none
                 with weights pi (1 - mu) / mu^2, which
                 minimise the variance of DR
===============  =======================================  ======================================

"None" and "vanishes" hold if mu > 0 wherever pi > 0, the propensities are right, and q was not
fitted on the impressions for which it predicts (cross-fitting; see
`recsim.estimators.impressions.crossfitting`), however wrong q is. `dr` is unbiased too where q is
right and the propensities are wrong. An interval around `dm` does not include the error of q.

References: IPS, Horvitz and Thompson 1952; clipping, Ionides, "Truncated Importance Sampling",
2008; SNIPS, Swaminathan and Joachims, "The Self-Normalized Estimator for Counterfactual Learning",
2015; sub-Gaussian, Metelli, Russo and Restelli, "Subgaussian and Differentiable Importance Sampling
for Off-Policy Evaluation and Learning", NeurIPS 2021; replay, Li, Chu, Langford and Wang, "Unbiased
Offline Evaluation of Contextual-Bandit-Based News Article Recommendation Algorithms", 2011,
arXiv:1003.5956; DM and DR, Dudik, Langford and Li, "Doubly Robust Policy Evaluation and Learning",
2011, arXiv:1103.4601; self-normalised DR, Robins, Sued, Lei-Gomez and Rotnitzky 2007; SWITCH, Wang,
Agarwal and Dudik, "Optimal and Adaptive Off-policy Evaluation in Contextual Bandits", 2017,
arXiv:1612.01205; DRos, Su, Dimakopoulou, Krishnamurthy and Dudik, "Doubly Robust Off-Policy
Evaluation with Shrinkage", 2020, arXiv:1907.09623; MRDR, Farajtabar, Chow and Ghavamzadeh, "More
Robust Doubly Robust Off-policy Evaluation", 2018, arXiv:1802.03493.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from recsim.arrays import Floats
from recsim.errors import EstimationError
from recsim.estimators.estimator import check_name, columns
from recsim.estimators.impressions.sample import ImpressionEstimator, Sample, unrestrained
from recsim.estimators.settings import Limits
from recsim.estimators.weights import clipped, shrunk, subgaussian, switched
from recsim.settings import validated

Used = Callable[[Floats], Floats]


def make_estimator(name: str, **limits: float) -> ImpressionEstimator:
    """Build an estimator of the impression family.

    Args:
        name: One of `ESTIMATORS`.
        **limits: Fields of `Limits`: ``clip``, ``tau``, ``shrinkage``, ``subgaussian``. Each
            estimator reads its own limit only.

    Returns:
        A function of arrays, ``make_estimator("dr")(weights, rewards, q=q, v=v)``, or of a
        `Sample`.

    Raises:
        UserError: If there is no such estimator, or a limit is unknown, not a number
            or out of range.
    """
    check_name(name, _FORMS)
    form, checked = _FORMS[name], validated(Limits, limits, "estimator")
    limit, used = math.inf, form.used
    if form.limit:
        limit = checked.number(form.limit)
        used = partial(_LIMITED[form.limit], limit=limit)
    return ImpressionEstimator(
        name=name,
        terms=partial(form.terms, name=name, used=used, limit=limit),
        width=4 if form.terms is _self_normalised_robust else 2,
        clip=limit if form.limit in ("clip", "tau") else math.inf,
        parameter=f"{form.limit}={limit:g}" if form.limit else "",
        mean=form.terms not in (_self_normalised, _replay, _self_normalised_robust),
        needs=frozenset({form.needs} - {""}),
        assumes=form.assumes,
        used=used,
    )


def mrdr_weights(policy: Floats, logged: Floats) -> Floats:
    """Return the weights pi (1 - mu) / mu^2 with which the reward model of `mrdr` is fitted.

    Args:
        policy: pi of the logged items, ``(N,)``.
        logged: mu of the logged items, ``(N,)``.

    Returns:
        ``(N,)``; all zero where mu is always 1, since DR has no variance to reduce there.
    """
    return policy * (1.0 - logged) / logged**2


def _mean(sample: Sample, *, name: str, used: Used, limit: float) -> Floats:
    return columns(1.0, (used(sample.weights), sample.rewards))


def _self_normalised(sample: Sample, *, name: str, used: Used, limit: float) -> Floats:
    weights = used(sample.weights)
    return columns(weights, (weights, sample.rewards))


def _matching(weights: Floats) -> Floats:
    """Return 1 where a deterministic policy shows the logged item, else 0."""
    return (weights > 0).astype(np.float64)


def _replay(sample: Sample, *, name: str, used: Used, limit: float) -> Floats:
    policy = sample.need("policy", name)
    stochastic = (policy > 1e-9) & (policy < 1 - 1e-9)
    if stochastic.any():
        raise EstimationError(
            "replay needs a deterministic policy, which shows an item or does not; this one shows "
            f"a logged item with probability {policy[np.argmax(stochastic)]:g}. Use 'snips'."
        )
    matching = used(policy)
    return columns(matching, (matching, sample.rewards))


def _direct(sample: Sample, *, name: str, used: Used, limit: float) -> Floats:
    return columns(1.0, sample.need("model", name).expected)


def _robust(
    sample: Sample, *, name: str, used: Used, limit: float, column: str = "model"
) -> Floats:
    model = sample.need(column, name)
    return columns(1.0, model.expected + used(sample.weights) * (sample.rewards - model.logged))


def _self_normalised_robust(sample: Sample, *, name: str, used: Used, limit: float) -> Floats:
    weights, model = used(sample.weights), sample.need("model", name)
    return columns(1.0, weights, model.expected, (weights, sample.rewards - model.logged))


def _switch(sample: Sample, *, name: str, used: Used, limit: float) -> Floats:
    actions = sample.need("actions", name)
    # (N, A); without a division, so that mu = 0 is allowed.
    above = actions.policy > limit * actions.logging
    modelled = (actions.policy * actions.model * above).sum(axis=1)
    return columns(1.0, used(sample.weights) * sample.rewards + modelled)


_LIMITED: dict[str, Callable[..., Floats]] = {
    "clip": clipped,
    "tau": switched,
    "shrinkage": shrunk,
    "subgaussian": subgaussian,
}


class _Form(NamedTuple):
    """How one estimator is built.

    Attributes:
        description: One line.
        terms: What is summed.
        limit: The field of `Limits` that it reads, if it reads one.
        needs: The optional column of the sample that it needs, if it needs one.
        used: From weights to those used, if they are not limited.
        assumes: See `Estimator`.
    """

    description: str
    terms: Callable[..., Floats]
    limit: str = ""
    needs: str = ""
    used: Used = unrestrained
    assumes: Literal["", "model", "uniform"] = ""


_FORMS = {
    "ips": _Form("Inverse propensity scoring (IPS): mean of w r.", _mean),
    "snips": _Form("Self-normalised IPS: sum of w r / sum of w.", _self_normalised),
    "clipped_ips": _Form("IPS with clipped weights min(w, L).", _mean, "clip"),
    "clipped_snips": _Form("Self-normalised IPS with clipped weights.", _self_normalised, "clip"),
    "sub_gaussian": _Form("IPS with weights w / (1 - L + L w).", _mean, "subgaussian"),
    "replay": _Form(
        "Mean reward where a deterministic policy shows the logged item.",
        _replay,
        needs="policy",
        used=_matching,
        assumes="uniform",
    ),
    "dm": _Form("Direct method: mean of V.", _direct, needs="model", assumes="model"),
    "dr": _Form("Doubly robust (DR): mean of V + w (r - q).", _robust, needs="model"),
    "clipped_dr": _Form("DR with clipped weights min(w, L).", _robust, "clip", "model"),
    "sndr": _Form("Self-normalised DR.", _self_normalised_robust, needs="model"),
    "switch_dr": _Form("DR where w <= tau, elsewhere the model.", _robust, "tau", "model"),
    "switch": _Form("IPS where w <= tau, elsewhere the model.", _switch, "tau", "actions"),
    "dros": _Form("DR with weights L w / (w^2 + L).", _robust, "shrinkage", "model"),
    "mrdr": _Form(
        "DR with a reward model fitted to reduce its variance.",
        partial(_robust, column="weighted_model"),
        needs="weighted_model",
    ),
}

ESTIMATORS = {name: form.description for name, form in _FORMS.items()}
"""The names that `make_estimator` accepts, each with a line about it."""

LIMIT_OF = {name: form.limit for name, form in _FORMS.items() if form.limit}
"""The limit that an estimator reads, by the names of those that read one."""
