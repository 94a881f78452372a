"""Critiques as observations that update a Gaussian belief about the user's vector.

The prior is ``z ~ N(mu, s^2 I)``. A critique of an aspect with direction x is an observation of
``x.z = y`` with precision p, so the belief after any number of critiques is Gaussian too:

    S'^-1 = S^-1 + sum_k p_k x_k x_k^T,    S'^-1 mu' = S^-1 mu + sum_k p_k y_k x_k.

Reference: Yang, Shen and Sanner, "Bayesian Critiquing with Keyphrase Activation Vectors for
VAE-based Recommender Systems", SIGIR 2021 (BK-VAE).

Shapes: B sessions, K aspects, d dimensions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from recsim.arrays import AnyFloats, Bools, Floats


def updated_mean(
    mean: AnyFloats,
    variance: float,
    directions: AnyFloats,
    answers: AnyFloats,
    precisions: AnyFloats,
) -> Floats:
    """Return the mean ``mu'`` after n observations in each session.

    The linear system has the size n of the observations, not d: with the directions X, the
    precisions P and ``mu' = mu + s^2 X^T g``, Woodbury's identity gives
    ``(I + s^2 P X X^T) g = P (y - X mu)``. An observation with precision 0 has no effect.

    Args:
        mean: mu, ``(B, d)``.
        variance: s^2.
        directions: X, ``(B, n, d)``.
        answers: y, ``(B, n)``.
        precisions: Diagonal of P, ``(B, n)``.

    Returns:
        ``(B, d)``.
    """
    gram = directions @ directions.transpose(0, 2, 1)  # (B, n, n)
    left = np.eye(gram.shape[1]) + variance * precisions[:, :, None] * gram
    residual = precisions * (answers - (directions @ mean[:, :, None])[:, :, 0])  # (B, n)
    gain = np.linalg.solve(left, residual[:, :, None])  # (B, n, 1)
    updated: Floats = (
        mean + variance * (directions.transpose(0, 2, 1) @ gain)[:, :, 0]  # (B, d)
    )
    return updated


def critiqued_mean(
    mean: AnyFloats,
    variance: float,
    directions: AnyFloats,
    critiqued: NDArray[np.number[Any]],
    *,
    precision_no: float,
    precision_yes: float,
) -> Floats:
    """Return the mean of the belief after negative and positive critiques.

    A negative critique of an aspect is the observation that the user's interest in it is as low as
    the lowest one over all aspects before any critique, ``y = min_k x_k.mu``; a positive critique,
    that it is as high as the highest one.

    Args:
        mean: Mean before any critique, ``(B, d)``.
        variance: s^2.
        directions: Directions of all aspects, ``(K, d)``.
        critiqued: Negative or positive like the critique, 0 for none, ``(B, K)``.
        precision_no: Precision of negative critiques.
        precision_yes: Precision of positive critiques.

    Returns:
        ``(B, d)``.
    """
    signs = np.sign(critiqued)
    most = int(np.count_nonzero(signs, axis=1).max(initial=0))
    if not most:
        return mean.astype(np.float64)
    aspects = np.argsort(signs == 0, axis=1, kind="stable")[
        :, :most
    ]  # critiqued ones first, (B, n)
    signs = np.take_along_axis(signs, aspects, axis=1)
    interest = mean @ directions.T  # (B, K)
    answers = np.where(signs < 0, interest.min(axis=1)[:, None], interest.max(axis=1)[:, None])
    precisions = np.select([signs < 0, signs > 0], [precision_no, precision_yes], 0.0)
    return updated_mean(mean, variance, directions[aspects], answers, precisions)


def aspect_directions(
    vectors: AnyFloats,
    having: Bools,
    *,
    examples: int,
    draws: int,
    rng: np.random.Generator,
) -> Floats:
    """Return the direction of each aspect in the space of the items.

    The direction is the mean unit normal of several logistic regressions, each of which separates
    some items with the aspect from as many without it. An aspect of all items, or of none, has the
    direction 0, so a critique of it has no effect.

    Args:
        vectors: Vectors of the items, ``(I, d)``.
        having: Aspects of the items, ``(I, K)``.
        examples: Number of items with, and without, the aspect, as far as there are as many.
        draws: Number of regressions per aspect.
        rng: Random generator of the items.

    Returns:
        ``(K, d)``.
    """
    directions = np.zeros((having.shape[1], vectors.shape[1]))
    model = LogisticRegression()
    for aspect, has in enumerate(having.T):
        groups = np.flatnonzero(has), np.flatnonzero(~has)
        size = min(examples, *map(len, groups))
        if not size:
            continue
        for _ in range(draws):
            drawn = np.concatenate([rng.choice(group, size, replace=False) for group in groups])
            normal = model.fit(vectors[drawn], np.arange(2 * size) < size).coef_[0]
            directions[aspect] += normal / max(float(np.linalg.norm(normal)), 1e-12)
    return directions / draws
