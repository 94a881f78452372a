"""Critiques as vectors that are averaged with the user's vector, for any linear recommender.

The baselines UAC and BAC of Luo et al., "Latent Linear Critiquing for Conversational Recommender
Systems", WWW 2020. A critique of aspect k is weighted by the number of the user's reviews that
mention it; its vector is that of the encoder of aspects, ``e_k A_k``, without the encoder's
intercept.

If the user's vector is ``U[u] + A c_0 + b``, UAC gives the vector for the preferences after the
critiques, divided by ``1 + n``: the same ranking as encoding the new preferences.

Shapes: B sessions, K aspects, d dimensions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import AnyFloats, Floats


def weights(
    critiqued: NDArray[np.number[Any]], user_counts: NDArray[np.number[Any]], least: float = 1.0
) -> Floats:
    """Return the weights of critiques, ``e``: negative or positive like the critique, ``(B, K)``.

    Args:
        critiqued: -1 for negative critiques, 1 for positive ones, else 0, ``(B, K)``.
        user_counts: Train reviews of the user that mention each aspect, ``(B, K)``.
        least: Weight of an aspect that the user never mentioned.
    """
    weighted: Floats = critiqued * np.maximum(user_counts, least).astype(np.float64)
    return weighted


def uniform_average(users: AnyFloats, encoder: AnyFloats, critiques: AnyFloats) -> AnyFloats:
    """Average the user and each critique (UAC): ``(u + sum_k e_k A_k) / (1 + n)``.

    Args:
        users: ``(B, d)``.
        encoder: Vector of each aspect, ``(K, d)``.
        critiques: Weights of the critiques, 0 for none, ``(B, K)``.

    Returns:
        ``(B, d)``.
    """
    count = np.count_nonzero(critiques, axis=1)[:, None]
    average: AnyFloats = (users + critiques @ encoder) / (1 + count)
    return average


def balanced_average(users: AnyFloats, encoder: AnyFloats, critiques: AnyFloats) -> AnyFloats:
    """Average the user and the mean of all critiques (BAC): ``(u + mean_k e_k A_k) / 2``.

    Without critiques, the user's vector is unchanged. Arguments and result are those of
    `uniform_average`.
    """
    count = np.count_nonzero(critiques, axis=1)[:, None]
    mean = critiques @ encoder / np.maximum(count, 1)
    average: AnyFloats = np.where(count > 0, (users + mean) / 2, users)
    return average
