"""Latent linear critiquing: weights of critiques from one linear program per session.

A critique of aspect k changes the scores of all items by ``lambda_k q_k A_k V^T``, where A_k is the
vector of the aspect and ``q_k < 0``. The weights lambda are chosen so that, among the best items
before any critique, those with a critiqued aspect fall below those without: they minimise
``sum_k lambda_k c_k`` with

    c_k = |A0| sum_{i in A1} q_k W_ik - |A1| sum_{i in A0} q_k W_ik,    W = V A,

where A1 and A0 are the items with and without. The constraints bound each weight, or their sum, so
the solution has a closed form.

Reference: Luo, Yang, Wu and Sanner, "Latent Linear Critiquing for Conversational Recommender
Systems", WWW 2020.

Differences from the paper and its code: before the first critique, the ranking is the base's;
positive critiques have no effect; an aspect that the user never mentioned can have a weight (see
``least`` of `agents.critiquing.averaging.weights`), while the published ``q_k`` is 0, so that such
critiques have no effect.

Shapes: B sessions, I items, K aspects.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agents.critiquing.filtering import ruled_out
from agents.shared.slates import top_slates
from recsim.arrays import AnyFloats, Bools


def split(
    scores: AnyFloats, allowed: Bools, critiqued: NDArray[np.number[Any]], having: Bools, top: int
) -> tuple[Bools, Bools]:
    """Return which of the best items have a critiqued aspect, A1, and which do not, A0.

    Args:
        scores: Scores before any critique, ``(B, I)``.
        allowed: Which items may be shown, ``(B, I)``.
        critiqued: Below 0 for negative critiques, ``(B, K)``.
        having: Aspects of the items, ``(I, K)``.
        top: Number of best items.

    Returns:
        Two of ``(B, I)``.
    """
    best = np.zeros(scores.shape, dtype=np.bool_)
    order = top_slates(np.where(allowed, scores, -np.inf), min(top, scores.shape[1]))
    np.put_along_axis(best, order, True, axis=1)
    best &= allowed
    out = ruled_out(critiqued, having)
    return best & out, best & ~out


def objective(effects: AnyFloats, violating: Bools, others: Bools) -> AnyFloats:
    """Return ``c``: how far an effect raises items with critiqued aspects above those without.

    Args:
        effects: Effects on the score of each item: ``(I, K)``, the same in all sessions, or
            ``(B, I, 1)``.
        violating: A1, ``(B, I)``.
        others: A0, ``(B, I)``.

    Returns:
        ``(B, K)``, or ``(B, 1)``.
    """
    with_, without = violating[:, None, :].astype(float), others[:, None, :].astype(float)
    balance = (
        without.sum(axis=2, keepdims=True) * with_ - with_.sum(axis=2, keepdims=True) * without
    )
    values: AnyFloats = (balance @ effects)[:, 0]  # (B, 1, I) @ (I, K) -> (B, 1, K) -> (B, K)
    return values


def critiqued_scores(
    method: Literal["bounded", "sum_to_one"],
    scores: AnyFloats,
    critiques: AnyFloats,
    effects: AnyFloats,
    intercept: AnyFloats,
    violating: Bools,
    others: Bools,
    bound: float = 100.0,
) -> AnyFloats:
    """Return the scores of the items after critiques.

    Args:
        method: ``bounded``: weights between -``bound`` and ``bound``, and 1 for the user.
            ``sum_to_one``: non-negative weights that sum to 1, including that of the user; the
            solution has all weight on either the user or one critique.
        scores: Scores before any critique, y0, ``(B, I)``.
        critiques: Weights of negative critiques, q < 0, else 0, ``(B, K)``.
        effects: W, ``(I, K)``.
        intercept: Score that the encoder's intercept adds to each item after a critique, ``(I,)``.
        violating: A1, ``(B, I)``.
        others: A0, ``(B, I)``.
        bound: Largest absolute value of a weight for ``bounded``.

    Returns:
        ``(B, I)``; y0 without critiques.
    """
    gain = critiques * objective(effects, violating, others)  # (B, K)
    if method == "bounded":
        own, weight = np.ones((len(scores), 1)), -bound * np.sign(gain)
    else:
        base = objective(scores[:, :, None], violating, others)  # (B, 1)
        every = np.concatenate([base, np.where(critiques < 0, gain, np.inf)], axis=1)
        chosen = np.zeros_like(every)
        np.put_along_axis(chosen, every.argmin(axis=1)[:, None], 1.0, axis=1)
        own, weight = chosen[:, :1], chosen[:, 1:]
    after = own * scores + (weight * critiques) @ effects.T + intercept
    result: AnyFloats = np.where((critiques < 0).any(axis=1, keepdims=True), after, scores)
    return result
