r"""Estimators of what a policy earns per slate, from slates that another policy showed.

The log holds N slates of K positions: items a_1 ... a_K, a reward r_k for each. Every estimator is
a function of a `SlateSample`, which has what it needs of the following ratios of the probabilities
under the evaluated policy pi and the logging policy mu:

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
                                                                   what depends on that item only
`cascade_dr`   mean of sum_k [w_1:k (r_k - Q_k) + w_1:k-1 E Q_k]   cascade; any Q not fitted on the
                                                                   same slates
`snsips`       sum of w_1:K r / sum of w_1:K                       bias vanishes as 1/N
`sniips`       sum_k [sum of w_k r_k / sum of w_k]                 bias vanishes as 1/N
`snrips`       sum_k [sum of w_1:k r_k / sum of w_1:k]             bias vanishes as 1/N
`wpi`          sum of W r / sum of W                               bias vanishes as 1/N
=============  ==================================================  ===============================

The forms ``clipped_...`` use min(w, L) for every weight w, in denominators too; W may be below zero
and is cut to [-L, L]. Variance grows from `iips` and `pi` to `rips` and on to `sips`, the weight of
which is a product over all positions: assume as much as is true, and no more.

References: IIPS, Li et al. 2018, arXiv 1804.10488; RIPS, McInerney et al. 2020, arXiv 2007.12986;
PI and wPI, Swaminathan et al. 2017, arXiv 1605.04812; Cascade-DR, Kiyohara et al. 2022, arXiv
2202.01562.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from recsim.errors import UserError, did_you_mean
from recsim.estimators.impressions.sample import Floats, columns
from recsim.estimators.ratios import sum_of_ratios
from recsim.estimators.slates.sample import SlateEstimator, SlateSample

Clip = Callable[[Floats], Floats]


def sips(sample: SlateSample, *, clip: float = np.inf) -> float:
    """Standard IPS: the mean of w_1:K r. Unbiased whatever a reward depends on.

    Args:
        sample: With ``slate_weights`` or ``prefix_weights``.
        clip: L, the largest weight kept.

    Returns:
        Reward per slate; NaN if there is no slate.
    """
    return _made("sips", clip).of(sample)


def snsips(sample: SlateSample, *, clip: float = np.inf) -> float:
    """Self-normalised `sips`: the mean reward, weighted by w_1:K.

    Args:
        sample: With ``slate_weights`` or ``prefix_weights``.
        clip: L, the largest weight kept.

    Returns:
        Reward per slate; NaN if all weights are zero.
    """
    return _made("snsips", clip).of(sample)


def iips(sample: SlateSample, *, clip: float = np.inf) -> float:
    """Independent IPS: the mean of sum_k w_k r_k. Unbiased if r_k depends on slot k's item only.

    Args:
        sample: With ``slot_weights`` and ``slot_rewards``; see `SlateSample.at_positions` for
            weights alpha_k of the positions.
        clip: L, the largest weight kept.

    Returns:
        Reward per slate; NaN if there is no slate.
    """
    return _made("iips", clip).of(sample)


def sniips(sample: SlateSample, *, clip: float = np.inf) -> float:
    """Self-normalised `iips`, each position for itself.

    Args:
        sample: With ``slot_weights`` and ``slot_rewards``.
        clip: L, the largest weight kept.

    Returns:
        Reward per slate; NaN if all weights of a position are zero.
    """
    return _made("sniips", clip).of(sample)


def rips(sample: SlateSample, *, clip: float = np.inf) -> float:
    """Reward-interaction IPS: the mean of sum_k w_1:k r_k. Unbiased under a cascade.

    Args:
        sample: With ``prefix_weights`` and ``slot_rewards``.
        clip: L, the largest weight kept.

    Returns:
        Reward per slate; NaN if there is no slate.
    """
    return _made("rips", clip).of(sample)


def snrips(sample: SlateSample, *, clip: float = np.inf) -> float:
    """Self-normalised `rips`, each position for itself.

    Args:
        sample: With ``prefix_weights`` and ``slot_rewards``.
        clip: L, the largest weight kept.

    Returns:
        Reward per slate; NaN if all weights of a position are zero.
    """
    return _made("snrips", clip).of(sample)


def pi(sample: SlateSample, *, clip: float = np.inf) -> float:
    """Pseudo-inverse: the mean of W r. Unbiased if the reward adds up over positions.

    Args:
        sample: With ``additive_weights``; see `recsim.estimators.slates.pseudo_inverse`.
        clip: L; weights are cut to [-L, L].

    Returns:
        Reward per slate; NaN if there is no slate.
    """
    return _made("pi", clip).of(sample)


def wpi(sample: SlateSample, *, clip: float = np.inf) -> float:
    """Weighted pseudo-inverse: sum of W r / sum of W.

    Args:
        sample: With ``additive_weights``; see `recsim.estimators.slates.pseudo_inverse`.
        clip: L; weights are cut to [-L, L].

    Returns:
        Reward per slate; NaN if the weights add up to zero.
    """
    return _made("wpi", clip).of(sample)


def cascade_dr(sample: SlateSample, *, clip: float = np.inf) -> float:
    """Cascade doubly robust: the mean of sum_k [w_1:k (r_k - Q_k) + w_1:k-1 E Q_k], w_1:0 = 1.

    Unbiased under a cascade for any Q that was not fitted on the same slates, and with little
    variance for a good one. See `recsim.estimators.slates.cascade` for fitting Q.

    Args:
        sample: With ``prefix_weights``, ``slot_rewards``, ``action_values``, ``expected_values``.
        clip: L, the largest weight kept.

    Returns:
        Reward per slate; NaN if there is no slate.
    """
    return _made("cascade_dr", clip).of(sample)


def make_slate_estimator(
    name: str, *, clip: float = 10.0, slots: int | None = None
) -> SlateEstimator:
    """Build an estimator of the slate family.

    Args:
        name: One of `SLATE_ESTIMATORS`.
        clip: Largest weight that the clipped ones keep, L > 0.
        slots: Positions of a slate, K; needed to add it up with a `Tally`.

    Raises:
        UserError: If there is no such estimator, or the clip is not above zero.
    """
    if name not in SLATE_ESTIMATORS:
        raise UserError(f"Unknown estimator {name!r}.{did_you_mean(name, SLATE_ESTIMATORS)}")
    if not clip > 0:
        raise UserError(f"clip must be above 0, got {clip}: it is the largest weight kept.")
    return _made(name, clip if name.startswith("clipped_") else np.inf, slots)


def _made(name: str, clip: float, slots: int | None = None) -> SlateEstimator:
    """Build an estimator that clips, whatever its name."""
    weights, terms, per_slot = _KINDS[name.removeprefix("clipped_")]
    signed = weights == "additive_weights"

    def used(values: Floats) -> Floats:
        if np.isinf(clip):
            return values
        return np.clip(values, -clip, clip) if signed else np.minimum(values, clip)

    return SlateEstimator(
        name=name,
        terms=partial(terms, weights=weights, clip=used, who=name),
        value=sum_of_ratios,
        used=used,
        clip=clip,
        parameter=f"clip={clip:g}" if np.isfinite(clip) else "",
        mean=terms in (_whole, _by_slot, _cascade),
        noun="slate" if weights in ("slate_weights", "additive_weights") else "item shown",
        weights=weights,
        slots=slots,
        sums=(lambda k: 2 * k) if per_slot else (lambda k: 2),
    )


def _whole(sample: SlateSample, *, weights: str, clip: Clip, who: str) -> Floats:
    return columns(1.0, (clip(sample.need(weights, who)), sample.rewards))


def _whole_normalised(sample: SlateSample, *, weights: str, clip: Clip, who: str) -> Floats:
    used = clip(sample.need(weights, who))
    return columns(used, (used, sample.rewards))


def _by_slot(sample: SlateSample, *, weights: str, clip: Clip, who: str) -> Floats:
    used, rewards = clip(sample.need(weights, who)), sample.need("slot_rewards", who)
    return columns(1.0, np.einsum("nk,nk->n", used, rewards))


def _by_slot_normalised(sample: SlateSample, *, weights: str, clip: Clip, who: str) -> Floats:
    used, rewards = clip(sample.need(weights, who)), sample.need("slot_rewards", who)
    table = np.empty((len(used), 2 * used.shape[1]))  # (N, 2 K)
    table[:, : used.shape[1]] = used
    np.multiply(used, rewards, out=table[:, used.shape[1] :])
    return table


def _cascade(sample: SlateSample, *, weights: str, clip: Clip, who: str) -> Floats:
    used = clip(sample.need(weights, who))  # (N, K)
    surprise = sample.need("slot_rewards", who) - sample.need("action_values", who)
    expected = sample.need("expected_values", who)
    # The weight before the first position is 1.
    ahead = expected[:, 0] + np.einsum("nk,nk->n", used[:, :-1], expected[:, 1:])
    return columns(1.0, np.einsum("nk,nk->n", used, surprise) + ahead)


# Name -> the weights, the terms, and whether these are sums for every position.
_KINDS: dict[str, tuple[str, Callable[..., Any], bool]] = {
    "sips": ("slate_weights", _whole, False),
    "snsips": ("slate_weights", _whole_normalised, False),
    "iips": ("slot_weights", _by_slot, False),
    "sniips": ("slot_weights", _by_slot_normalised, True),
    "rips": ("prefix_weights", _by_slot, False),
    "snrips": ("prefix_weights", _by_slot_normalised, True),
    "pi": ("additive_weights", _whole, False),
    "wpi": ("additive_weights", _whole_normalised, False),
    "cascade_dr": ("prefix_weights", _cascade, False),
}

SLATE_ESTIMATORS: tuple[str, ...] = tuple(
    prefix + name for name in _KINDS for prefix in ("", "clipped_")
)
"""The names that `make_slate_estimator` knows."""
