"""Latent linear critiquing: how much each critique counts, by a linear program of each session.

A critique of aspect k changes the scores of all items by ``lambda_k q_k A_k V^T``, where A_k is the
vector of the aspect and ``q_k < 0``. The weights lambda are chosen so that, of the items ranked
best before any critique, those with a criticised aspect fall below those without: they minimise
``sum_k lambda_k c_k`` with

    c_k = |A0| sum_{i in A1} q_k W_ik - |A1| sum_{i in A0} q_k W_ik,    W = V A,

A1 and A0 being those with and without. The constraints bound each weight on its own, or their sum,
so no solver is needed.

Reference: Luo, Yang, Wu and Sanner, "Latent Linear Critiquing for Conversational Recommender
Systems", WWW 2020.

Differences from the paper and its code: before the first critique the ranking is the base's; praise
is not heard; an aspect that the user never wrote of can be given a weight (see ``least`` of
`agents.critiquing.averaging.weights`), where the published ``q_k`` is 0 and the critique lost.

Shapes: B sessions, I items, K aspects.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agents.critiquing.filtering import ruled_out
from agents.shared.slates import top_slates

Bools = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]


def split(
    scores: Floats, allowed: Bools, critiqued: NDArray[np.number[Any]], having: Bools, top: int
) -> tuple[Bools, Bools]:
    """Return which of the best items have a criticised aspect, A1, and which do not, A0.

    Args:
        scores: Before any critique, ``(B, I)``.
        allowed: Which items may be shown, ``(B, I)``.
        critiqued: Below 0 where criticised, ``(B, K)``.
        having: Aspects of the items, ``(I, K)``.
        top: How many of the best are looked at.

    Returns:
        Two of ``(B, I)``.
    """
    best = np.zeros(scores.shape, dtype=np.bool_)
    order = top_slates(np.where(allowed, scores, -np.inf), min(top, scores.shape[1]))
    np.put_along_axis(best, order, True, axis=1)
    best &= allowed
    offending = ruled_out(critiqued, having)
    return best & offending, best & ~offending


def objective(effects: Floats, offending: Bools, others: Bools) -> Floats:
    """Return ``c``: how far an effect lifts items with criticised aspects above those without.

    Args:
        effects: On the score of each item: ``(I, K)``, the same in all sessions, or ``(B, I, 1)``.
        offending: A1, ``(B, I)``.
        others: A0, ``(B, I)``.

    Returns:
        ``(B, K)``, or ``(B, 1)``.
    """
    with_, without = offending[:, None, :].astype(float), others[:, None, :].astype(float)
    balance = (
        without.sum(axis=2, keepdims=True) * with_ - with_.sum(axis=2, keepdims=True) * without
    )
    found: Floats = (balance @ effects)[:, 0]  # (B, 1, I) @ (I, K) -> (B, 1, K) -> (B, K)
    return found


def criticised_scores(
    method: Literal["bounded", "sum_to_one"],
    scores: Floats,
    critiques: Floats,
    effects: Floats,
    intercept: Floats,
    offending: Bools,
    others: Bools,
    bound: float = 100.0,
) -> Floats:
    """Return what is thought of the items after critiques.

    Args:
        method: ``bounded``: weights between -``bound`` and ``bound``, the user's own is 1.
            ``sum_to_one``: weights from 0 on that sum to 1, the user's own among them; the program
            then leaves either the user or one critique.
        scores: Before any critique, y0, ``(B, I)``.
        critiques: Below 0 where criticised, else 0, q, ``(B, K)``.
        effects: W, ``(I, K)``.
        intercept: What the encoder adds to the score of an item for any critique, ``(I,)``.
        offending: A1, ``(B, I)``.
        others: A0, ``(B, I)``.
        bound: Largest size of a weight where each is bounded on its own.

    Returns:
        ``(B, I)``; y0 where nothing was criticised.
    """
    gain = critiques * objective(effects, offending, others)  # (B, K)
    if method == "bounded":
        own, weight = np.ones((len(scores), 1)), -bound * np.sign(gain)
    else:
        base = objective(scores[:, :, None], offending, others)  # (B, 1)
        every = np.concatenate([base, np.where(critiques < 0, gain, np.inf)], axis=1)
        chosen = np.zeros_like(every)
        np.put_along_axis(chosen, every.argmin(axis=1)[:, None], 1.0, axis=1)
        own, weight = chosen[:, :1], chosen[:, 1:]
    after = own * scores + (weight * critiques) @ effects.T + intercept
    found: Floats = np.where((critiques < 0).any(axis=1, keepdims=True), after, scores)
    return found
