"""Probability that users come across an item, estimated from its clicks."""

from __future__ import annotations

from typing import Any

import numpy as np

from recsim.arrays import Floats
from recsim.errors import EstimationError


def popularity_propensities(counts: Any, *, power: float = 0.5, floor: float = 0.01) -> Floats:
    r"""Return a propensity for every item that grows with its popularity.

    .. math:: \theta_i = \max\{(n_i / \max_j n_j)^\eta, \text{floor}\}

    with n_i the clicks (positives) of item i and eta the power. An item without a click gets the
    floor, so that one can divide by it. Only ratios are meaningful: the most popular item gets 1,
    whatever its true propensity. This cancels in self-normalised estimates, but not in others.

    References: power 0.5, Saito et al., "Unbiased Recommender Learning from
    Missing-Not-At-Random Implicit Feedback", WSDM 2020, arXiv:1909.03601. Yang et al., "Unbiased
    Offline Recommender Evaluation for Missing-Not-At-Random Implicit Feedback", RecSys 2018, write
    the power as (gamma + 1) / 2; gamma = -1 makes all items equal.

    Args:
        counts: n_i, ``(I,)``; at least one is positive.
        power: eta, at least 0.
        floor: Least propensity, in (0, 1].

    Returns:
        ``(I,)``, in [floor, 1].

    Raises:
        EstimationError: If a count is negative or not finite, all are zero, or a setting is out of
            range.
    """
    numbers = np.asarray(counts, dtype=np.float64)
    if not 0 < floor <= 1:
        raise EstimationError(
            f"floor must be in (0, 1], got {floor}: it replaces a propensity of 0."
        )
    if not 0 <= power < np.inf:
        raise EstimationError(f"power must be a finite number of at least 0, got {power}.")
    wrong = ~(np.isfinite(numbers) & (numbers >= 0))
    if wrong.any():
        item = int(np.argmax(wrong))
        raise EstimationError(f"Item {item}: {numbers[item]} is not a number of clicks.")
    if not numbers.any():
        raise EstimationError("No item has a click, so popularity gives no propensities.")
    propensities: Floats = np.maximum((numbers / numbers.max()) ** power, floor)
    return propensities
