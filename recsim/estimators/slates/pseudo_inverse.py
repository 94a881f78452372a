r"""The weights of the pseudo-inverse estimator.

If the expected reward of a slate is a sum over positions of terms that depend on the item there
only, r(x, s) = phi(x)' 1_s with 1_s the slot-major indicator of the slate, then

.. math:: W = q_\pi' \, \Gamma_\mu^+ \, 1_s, \quad q_\pi = E_\pi[1_s], \quad
          \Gamma_\mu = E_\mu[1_s 1_s']

makes the mean of W r an unbiased estimate: E_mu[W r] = q_pi' Gamma^+ Gamma phi = q_pi' phi, because
q_pi lies in the range of Gamma wherever mu can show every slate that pi can. Weights can be below
zero, and are far smaller than those of whole slates: the variance grows with K C, not with C^K.

Three functions compute the weights: `pseudo_inverse_weights` for a logging policy that lists its
slates, `product_weights` for slots drawn independently, and `uniform_weights` for uniform slates
without repetition.

Reference: Swaminathan et al. 2017, "Off-policy evaluation for slate recommendation", arXiv
1605.04812. The closed form of `uniform_weights` follows from the eigenvalues of Gamma.
"""

from __future__ import annotations

import numpy as np

from recsim.arrays import Bools, Floats, Ints

# Eigenvalues of Gamma below this fraction of the largest are zero up to rounding.
_RANK_TOLERANCE = 1e-12
# Largest difference between the entries of Gamma Gamma^+ q and q where q is in the range of Gamma.
_RANGE_TOLERANCE = 1e-6


def pseudo_inverse_weights(
    slates: Ints, target: Floats, second_moments: Floats
) -> tuple[Floats, Bools]:
    """Return q_pi' Gamma^+ 1_s of every logged slate, for any logging policy.

    Args:
        slates: Logged slates, candidate indices, ``(B, K)``.
        target: q_pi, probability of every candidate at every position under the evaluated policy,
            ``(B, K, C)``.
        second_moments: Gamma of the logging policy, ``(B, K C, K C)``, or ``(K C, K C)`` if it is
            the same in every context. See `SlateDistribution.second_moments`.

    Returns:
        The weights, ``(B,)``, and whether q_pi lies in the range of Gamma, ``(B,)``: where it does
        not, the log does not determine the value of the evaluated policy even if rewards are
        additive, and the estimate is biased.
    """
    rows, slots, candidates = target.shape
    flat = target.reshape(rows, slots * candidates)
    inverse = np.linalg.pinv(second_moments, rcond=_RANK_TOLERANCE, hermitian=True)
    if second_moments.ndim == 2:
        solved = flat @ inverse  # (B, K C); Gamma is symmetric
        back = solved @ second_moments
    else:
        solved = np.einsum("bi,bij->bj", flat, inverse)
        back = np.einsum("bi,bij->bj", solved, second_moments)
    places = np.arange(slots) * candidates + slates  # (B, K), slot-major
    weights: Floats = np.take_along_axis(solved, places, axis=1).sum(axis=1)
    return weights, np.abs(back - flat).max(axis=1, initial=0.0) <= _RANGE_TOLERANCE


def product_weights(slot_weights: Floats) -> Floats:
    """Return sum_k w_k - K + 1: the weights where the logging policy fills slots independently.

    Args:
        slot_weights: w_k, ratios of the probabilities of each item at its position, ``(B, K)``.

    Returns:
        ``(B,)``.
    """
    weights: Floats = slot_weights.sum(axis=1) - slot_weights.shape[1] + 1.0
    return weights


def uniform_weights(slates: Ints, target: Floats) -> Floats:
    r"""Return the weights where the logging policy draws distinct candidates uniformly.

    With m = sum_k q_k(s_k), the expected number of items that the evaluated policy puts at the same
    positions, and n = sum_{k,l} q_k(s_l), that of its items that are in the slate at all,

    .. math:: W = 1 + \frac{C (C-1)}{C-K} \Big(\frac{n}{K} - \frac{K}{C}\Big)
              + (C-1) \Big(m - \frac{n}{K}\Big)

    without the middle term where K = C. Takes O(K^2) per slate, whatever the catalogue.

    Args:
        slates: Logged slates, distinct candidate indices, ``(B, K)``.
        target: Probability of every candidate at every position under the evaluated policy,
            ``(B, K, C)``; it must not repeat a candidate within a slate where K = C.

    Returns:
        ``(B,)``.
    """
    _, slots, candidates = target.shape
    if candidates == 1:
        return np.ones(len(slates))
    shown = np.take_along_axis(target, slates[:, None, :], axis=2)  # (B, K, K): q_k(s_l)
    same = np.einsum("bkk->b", shown)
    anywhere = shown.sum(axis=(1, 2)) / slots
    weights: Floats = 1.0 + (candidates - 1) * (same - anywhere)
    if candidates > slots:
        scale = candidates * (candidates - 1) / (candidates - slots)
        weights = weights + scale * (anywhere - slots / candidates)
    return weights
