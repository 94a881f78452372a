"""Importance weights pi / mu, and what estimators do to them.

================  ==================================  ============================================
limit             weight used in place of w           ends
================  ==================================  ============================================
`clip` L          min(w, L)                           infinity: w itself
`tau`             w if w <= tau, else 0               infinity: w itself; 0: the model alone
`shrinkage` L     L w / (w^2 + L)                     infinity: w itself; 0: the model alone
`subgaussian` L   w / (1 - L + L w)                   0: w itself; 1: 1 wherever w > 0
================  ==================================  ============================================

With the default limits no weight exceeds 10: L w / (w^2 + L) is at most sqrt(L) / 2, and
w / (1 - L + L w) is below 1 / L.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from recsim.arrays import Bools, Floats
from recsim.errors import EstimationError
from recsim.log.validation import LEAST_PROPENSITY

# Probabilities that were added up may exceed 1 by rounding.
_SLACK = 1e-9


def probability_ratio(
    evaluated: Any,
    logged: Any,
    *,
    shown: Bools | None = None,
    name: str = "propensity",
    first_row: int = 0,
) -> Floats:
    """Return pi / mu of what was logged.

    Args:
        evaluated: Probability of what was logged under the evaluated policy, ``(N,)`` or
            ``(N, K)``, in [0, 1].
        logged: Its probability under the logging policy, same shape, in (0, 1].
        shown: False at empty positions, same shape; the ratio is 1 there and the probabilities are
            not checked.
        name: What the probability is, for messages.
        first_row: Number of the first row, for messages.

    Returns:
        The ratios, in the same shape.

    Raises:
        EstimationError: If a logged probability is missing, outside (0, 1] or too small to divide
            by, or an evaluated one is missing or outside [0, 1]. The message names the row.
    """
    pi, mu = np.asarray(evaluated, dtype=np.float64), np.asarray(logged, dtype=np.float64)
    if pi.shape != mu.shape or mu.ndim not in (1, 2):
        raise ValueError(f"{name}: shapes {pi.shape} and {mu.shape}; both must be (N,) or (N, K).")
    if (shown is None or shown.all()) and _valid(pi, mu):
        ratios: Floats = pi / mu
        return ratios
    there = np.ones(mu.shape, dtype=np.bool_) if shown is None else shown
    for policy, values, enough, bounds in (
        ("logged", mu, mu >= LEAST_PROPENSITY, "in (0, 1]"),
        ("evaluated", pi, pi >= 0, "in [0, 1]"),
    ):
        wrong = ~(enough & (values <= 1 + _SLACK)) & there  # NaN is never enough
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            where = f"row {place[0] + first_row}" + "".join(f", position {k}" for k in place[1:])
            reason = f"is not {bounds}"
            if 0 < values[place] < LEAST_PROPENSITY:
                reason = "is too small to divide by"
            raise EstimationError(f"{where}: the {policy} {name} {values[place]} {reason}.")
    return np.divide(pi, mu, out=np.ones(mu.shape), where=there)


def _valid(pi: Floats, mu: Floats) -> bool:
    """Return whether all are probabilities, the logged ones above zero; False if any is NaN."""
    # The minimum is NaN if any is.
    above_zero = pi.min(initial=1) >= 0 and mu.min(initial=1) >= LEAST_PROPENSITY
    return bool(above_zero and max(pi.max(initial=0), mu.max(initial=0)) <= 1 + _SLACK)


def effective_sample_size(weights: Any) -> float:
    """Kish's (sum of w)^2 / sum of w^2: the number of equally weighted impressions as informative.

    Args:
        weights: Importance weights, ``(N,)``.

    Returns:
        Between 1 and N; 0 if all weights are zero.
    """
    weights = np.asarray(weights, dtype=np.float64)
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def running_product(values: Floats) -> Floats:
    """Return the products of the first 1, 2, ... columns of a table, ``(N, K)``."""
    products: Floats = np.cumprod(values, axis=1).astype(np.float64, copy=False)
    return products


def clipped(weights: Floats, limit: float) -> Floats:
    """Return min(w, L); Ionides, "Truncated Importance Sampling", 2008."""
    return weights if limit == np.inf else np.minimum(weights, limit)


def switched(weights: Floats, limit: float) -> Floats:
    """Return w where it is at most tau, else 0; Wang et al. 2017, arXiv:1612.01205."""
    return np.where(weights <= limit, weights, 0.0)


def shrunk(weights: Floats, limit: float) -> Floats:
    """Return L w / (w^2 + L); Su et al. 2020, arXiv:1907.09623."""
    if limit == 0:
        return np.zeros_like(weights)
    return weights / (weights**2 / limit + 1.0)


def subgaussian(weights: Floats, limit: float) -> Floats:
    """Return w / (1 - L + L w); Metelli, Russo and Restelli, NeurIPS 2021."""
    below = 1.0 - limit + limit * weights
    # With L = 1 a weight of zero would be 0 / 0.
    return np.divide(weights, below, out=np.zeros_like(weights), where=weights > 0)
