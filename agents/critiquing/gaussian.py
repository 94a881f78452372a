"""Critiques as observations of a Gaussian belief about the user, on any linear recommender.

A user is ``z ~ N(mu, s^2 I)``. Hearing of an aspect with direction x is observing ``x.z = y`` with
precision p, so the belief after any number of critiques is Gaussian too:

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

Bools = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]


def updated_mean(
    mean: Floats, variance: float, directions: Floats, answers: Floats, precisions: Floats
) -> NDArray[np.float64]:
    """Return the mean ``mu'`` after n observations of each session at once.

    The matrix that is solved is of the n observations, not of the d dimensions: with X the
    directions, P the precisions and ``mu' = mu + s^2 X^T g``, Woodbury's identity gives
    ``(I + s^2 P X X^T) g = P (y - X mu)``. A precision of 0 is no observation.

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
    found: NDArray[np.float64] = (
        mean + variance * (directions.transpose(0, 2, 1) @ gain)[:, :, 0]  # (B, d)
    )
    return found


def criticised_mean(
    mean: Floats,
    variance: float,
    directions: Floats,
    critiqued: NDArray[np.number[Any]],
    *,
    precision_no: float,
    precision_yes: float,
) -> NDArray[np.float64]:
    """Return the mean of the belief after criticism and praise.

    Who criticises an aspect says that they care for it as little as for the one that they were
    thought to care for least, ``y = min_k x_k.mu``; who praises it, as much as for the one that
    they were thought to care for most.

    Args:
        mean: Before any critique, ``(B, d)``.
        variance: s^2.
        directions: Of all aspects, ``(K, d)``.
        critiqued: Below 0 criticised, above praised, 0 neither, ``(B, K)``.
        precision_no: Of criticism.
        precision_yes: Of praise.

    Returns:
        ``(B, d)``.
    """
    said = np.sign(critiqued)
    most = int(np.count_nonzero(said, axis=1).max(initial=0))
    if not most:
        return mean.astype(np.float64)
    aspects = np.argsort(said == 0, axis=1, kind="stable")[:, :most]  # those heard of first, (B, n)
    heard = np.take_along_axis(said, aspects, axis=1)
    cares = mean @ directions.T  # (B, K)
    answers = np.where(heard < 0, cares.min(axis=1)[:, None], cares.max(axis=1)[:, None])
    precisions = np.select([heard < 0, heard > 0], [precision_no, precision_yes], 0.0)
    return updated_mean(mean, variance, directions[aspects], answers, precisions)


def aspect_directions(
    vectors: Floats,
    having: Bools,
    *,
    examples: int,
    draws: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return where in the space of the items each aspect lies.

    The mean of unit normals of logistic regressions, each of which tells some items that have the
    aspect from as many that lack it. An aspect of all items, or of none, has the direction 0: to
    criticise it changes nothing.

    Args:
        vectors: Of the items, ``(I, d)``.
        having: Aspects of the items, ``(I, K)``.
        examples: Items of each sort, as far as there are as many.
        draws: Regressions of each aspect.
        rng: Which items.

    Returns:
        ``(K, d)``.
    """
    directions = np.zeros((having.shape[1], vectors.shape[1]))
    model = LogisticRegression()
    for aspect, has in enumerate(having.T):
        sorts = np.flatnonzero(has), np.flatnonzero(~has)
        size = min(examples, *map(len, sorts))
        if not size:
            continue
        for _ in range(draws):
            drawn = np.concatenate([rng.choice(sort, size, replace=False) for sort in sorts])
            normal = model.fit(vectors[drawn], np.arange(2 * size) < size).coef_[0]
            directions[aspect] += normal / max(float(np.linalg.norm(normal)), 1e-12)
    return directions / draws
