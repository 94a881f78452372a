"""How likely a user came across an item, guessed from how often it was clicked."""

from __future__ import annotations

from typing import Any

import numpy as np

from recsim.errors import UserError
from recsim.estimators.impressions.sample import Floats


def popularity_propensities(counts: Any, *, power: float = 0.5, floor: float = 0.01) -> Floats:
    r"""Return a propensity for every item that grows with its popularity.

    .. math:: \theta_i = \max\{(n_i / \max_j n_j)^\eta, \text{floor}\}

    with n_i the clicks (positives) of item i and eta the power. An item without a click gets the
    floor, so that it can be divided by. Only ratios mean anything: the most popular item gets 1,
    whatever its true propensity. That cancels in self-normalised estimates, not in others.

    References: power 0.5, Saito et al., "Unbiased Recommender Learning from
    Missing-Not-At-Random Implicit Feedback", WSDM 2020, arXiv:1909.03601. Yang et al., "Unbiased
    Offline Recommender Evaluation for Missing-Not-At-Random Implicit Feedback", RecSys 2018, write
    the power as (gamma + 1) / 2; gamma = -1 makes all items alike.

    Args:
        counts: n_i, ``(I,)``; at least one is positive.
        power: eta, at least 0.
        floor: Least propensity, in (0, 1].

    Returns:
        ``(I,)``, in [floor, 1].

    Raises:
        UserError: A count is negative or not finite, all are zero, or a setting is out of range.
    """
    numbers = np.asarray(counts, dtype=np.float64)
    if not 0 < floor <= 1:
        raise UserError(
            f"floor must be in (0, 1], got {floor}: it stands in for a propensity of 0."
        )
    if not 0 <= power < np.inf:
        raise UserError(f"power must be a finite number of at least 0, got {power}.")
    wrong = ~(np.isfinite(numbers) & (numbers >= 0))
    if wrong.any():
        item = int(np.argmax(wrong))
        raise UserError(f"Item {item}: {numbers[item]} is not a number of clicks.")
    if not numbers.any():
        raise UserError("No item has a click, so popularity says nothing of propensities.")
    propensities: Floats = np.maximum((numbers / numbers.max()) ** power, floor)
    return propensities
