r"""Estimators of what a policy earns per slate, from slates that another policy showed.

The log holds N slates of K positions: items a_1 ... a_K, a reward r_k for each. Every estimator is
a function of a `SlateSample`, which holds the ratios that it needs of the probabilities under the
evaluated policy pi and the logging policy mu:

.. math::
    w_k = \frac{\pi_k(a_k \mid x)}{\mu_k(a_k \mid x)}, \quad
    w_{1:k} = \frac{\pi(a_1 \dots a_k \mid x)}{\mu(a_1 \dots a_k \mid x)}

=============  ==================================================  ===============================
estimator      value                                               unbiased if mu > 0 wherever
                                                                   pi > 0 and
=============  ==================================================  ===============================
`sips`         mean of w_1:K r                                     always
`iips`         mean of sum_k w_k r_k                               r_k depends on the item at k
                                                                   only
`rips`         mean of sum_k w_1:k r_k                             r_k does not depend on the items
                                                                   after k (cascade)
`pi`           mean of W r, W the pseudo-inverse weight            r is a sum over positions of
                                                                   terms of that item only
`cascade_dr`   mean of sum_k [w_1:k (r_k - Q_k) + w_1:k-1 E Q_k]   cascade; any Q not fitted on the
                                                                   same slates
`snsips`       sum of w_1:K r / sum of w_1:K                       bias vanishes as 1/N
`sniips`       sum_k [sum of w_k r_k / sum of w_k]                 bias vanishes as 1/N
`snrips`       sum_k [sum of w_1:k r_k / sum of w_1:k]             bias vanishes as 1/N
`wpi`          sum of W r / sum of W                               bias vanishes as 1/N
=============  ==================================================  ===============================

The forms ``clipped_...`` use min(w, L) for every weight w, in denominators too; W may be below zero
and is clipped to [-L, L]. Variance grows from `iips` and `pi` to `rips` and on to `sips`, whose
weight is a product over all positions: assume as much as is true, and no more. The Q of
`cascade_dr` is fitted in `recsim.estimators.slates.cascade`. Estimates are NaN without a slate, or
where a sum of weights is zero.

References: IIPS, Li et al. 2018, arXiv 1804.10488; RIPS, McInerney et al. 2020, arXiv 2007.12986;
PI and wPI, Swaminathan et al. 2017, arXiv 1605.04812; Cascade-DR, Kiyohara et al. 2022, arXiv
2202.01562.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from recsim.arrays import Floats
from recsim.estimators.estimator import checked_clip, columns
from recsim.estimators.settings import DEFAULT_CLIP
from recsim.estimators.slates.sample import SlateEstimator, SlateSample
from recsim.estimators.weights import clipped

Used = Callable[[Floats], Floats]


def make_slate_estimator(
    name: str, *, clip: float = DEFAULT_CLIP, slots: int | None = None
) -> SlateEstimator:
    """Build an estimator of the slate family.

    Args:
        name: One of `SLATE_ESTIMATORS`.
        clip: Largest weight that the clipped ones keep, L > 0.
        slots: Positions of a slate, K; needed for a `Tally` of estimators with sums per position.

    Returns:
        A function of a `SlateSample`: ``make_slate_estimator("rips")(sample)``, reward per slate.

    Raises:
        UserError: If there is no such estimator, or the clip is not above zero.
    """
    limit = checked_clip(name, SLATE_ESTIMATORS, clip)
    form = _FORMS[name.removeprefix("clipped_")]
    signed = form.weights == "additive_weights"
    used = partial(_clipped_both_ways if signed else clipped, limit=limit)
    by_slot = form.terms is _by_slot_normalised
    return SlateEstimator(
        name=name,
        terms=partial(form.terms, name=name, weights=form.weights, used=used),
        width=2 if not by_slot else None if slots is None else 2 * slots,
        clip=limit,
        parameter=f"clip={limit:g}" if np.isfinite(limit) else "",
        mean=form.terms in (_whole, _by_slot, _cascade),
        needs=frozenset({form.weights, *form.needs}),
        noun="slate" if form.weights in ("slate_weights", "additive_weights") else "item shown",
        weights=form.weights,
        used=used,
    )


def _clipped_both_ways(weights: Floats, limit: float) -> Floats:
    """Return weights cut to [-L, L]."""
    return weights if limit == np.inf else np.clip(weights, -limit, limit)


def _whole(sample: SlateSample, *, name: str, weights: str, used: Used) -> Floats:
    return columns(1.0, (used(sample.need(weights, name)), sample.rewards))


def _whole_normalised(sample: SlateSample, *, name: str, weights: str, used: Used) -> Floats:
    kept = used(sample.need(weights, name))
    return columns(kept, (kept, sample.rewards))


def _by_slot(sample: SlateSample, *, name: str, weights: str, used: Used) -> Floats:
    kept, rewards = used(sample.need(weights, name)), sample.need("slot_rewards", name)
    return columns(1.0, np.einsum("nk,nk->n", kept, rewards))


def _by_slot_normalised(sample: SlateSample, *, name: str, weights: str, used: Used) -> Floats:
    kept, rewards = used(sample.need(weights, name)), sample.need("slot_rewards", name)
    table = np.empty((len(kept), 2 * kept.shape[1]))  # (N, 2 K)
    table[:, : kept.shape[1]] = kept
    np.multiply(kept, rewards, out=table[:, kept.shape[1] :])
    return table


def _cascade(sample: SlateSample, *, name: str, weights: str, used: Used) -> Floats:
    kept = used(sample.need(weights, name))  # (N, K)
    residual = sample.need("slot_rewards", name) - sample.need("action_values", name)
    expected = sample.need("expected_values", name)
    # The weight before the first position is 1.
    ahead = expected[:, 0] + np.einsum("nk,nk->n", kept[:, :-1], expected[:, 1:])
    return columns(1.0, np.einsum("nk,nk->n", kept, residual) + ahead)


class _Form(NamedTuple):
    """How one estimator, clipped or not, is built.

    Attributes:
        description: One line.
        weights: Column of the sample with its weights.
        terms: What is summed.
        needs: Columns that it needs beside the weights.
    """

    description: str
    weights: str
    terms: Callable[..., Floats]
    needs: tuple[str, ...] = ()


_SLOTS = ("slot_rewards",)
_MODEL = ("slot_rewards", "action_values", "expected_values")
_FORMS = {
    "sips": _Form("IPS of whole slates.", "slate_weights", _whole),
    "snsips": _Form("Self-normalised `sips`.", "slate_weights", _whole_normalised),
    "iips": _Form("IPS of items at their positions.", "slot_weights", _by_slot, _SLOTS),
    "sniips": _Form("Self-normalised `iips`.", "slot_weights", _by_slot_normalised, _SLOTS),
    "rips": _Form("IPS of the first k items.", "prefix_weights", _by_slot, _SLOTS),
    "snrips": _Form("Self-normalised `rips`.", "prefix_weights", _by_slot_normalised, _SLOTS),
    "pi": _Form("Pseudo-inverse estimator.", "additive_weights", _whole),
    "wpi": _Form("Self-normalised `pi`.", "additive_weights", _whole_normalised),
    "cascade_dr": _Form("Doubly robust under a cascade.", "prefix_weights", _cascade, _MODEL),
}

SLATE_ESTIMATORS = {
    prefix + name: form.description.removesuffix(".") + suffix
    for name, form in _FORMS.items()
    for prefix, suffix in (("", "."), ("clipped_", " with clipped weights."))
}
"""The names that `make_slate_estimator` accepts, each with a line about it."""
