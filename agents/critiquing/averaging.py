"""Critiques as vectors that are averaged with the user's, on any linear recommender.

The baselines UAC and BAC of Luo et al., "Latent Linear Critiquing for Conversational Recommender
Systems", WWW 2020. A critique of aspect k weighs as many reviews as the user wrote of it, and
points where the encoder of aspects does: ``e_k A_k``, without the encoder's intercept.

Where the user's vector is ``U[u] + A c_0 + b``, what UAC averages is that of the preferences after
the critiques, divided by ``1 + n``: it ranks as a recommender that encodes the preferences anew.

Shapes: B sessions, K aspects, d dimensions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def weights(
    critiqued: NDArray[np.number[Any]], user_counts: NDArray[np.number[Any]], least: float = 1.0
) -> NDArray[np.float64]:
    """Return what critiques weigh, ``e``: below 0 for criticism, above for praise, ``(B, K)``.

    Args:
        critiqued: -1 criticised, 1 praised, 0 neither, ``(B, K)``.
        user_counts: Train reviews of the user that mention each aspect, ``(B, K)``.
        least: What a critique of an aspect that the user never wrote of weighs.
    """
    weighed: NDArray[np.float64] = critiqued * np.maximum(user_counts, least).astype(np.float64)
    return weighed


def uniform_average(users: Floats, encoder: Floats, critiques: Floats) -> Floats:
    """Average the user and all critiques alike (UAC): ``(u + sum_k e_k A_k) / (1 + n)``.

    Args:
        users: ``(B, d)``.
        encoder: Vector of each aspect, ``(K, d)``.
        critiques: Their weights, 0 where there was none, ``(B, K)``.

    Returns:
        ``(B, d)``.
    """
    count = np.count_nonzero(critiques, axis=1)[:, None]
    found: Floats = (users + critiques @ encoder) / (1 + count)
    return found


def balanced_average(users: Floats, encoder: Floats, critiques: Floats) -> Floats:
    """Average the user and the mean of all critiques (BAC): ``(u + mean_k e_k A_k) / 2``.

    Without a critique the user is left as they are. Arguments and result are those of
    `uniform_average`.
    """
    count = np.count_nonzero(critiques, axis=1)[:, None]
    mean = critiques @ encoder / np.maximum(count, 1)
    found: Floats = np.where(count > 0, (users + mean) / 2, users)
    return found
