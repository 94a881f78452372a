"""What results over a number of seeds can show: doubts about t intervals, and power of t tests."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

# Fewer seeds are marked in tables and pictures.
FEW_SEEDS = 10
# Sample skewness that is marked, in its standard errors under normality: about one sample in 70
# of normal results is beyond, and most samples of 20 exponential ones.
_SKEWED = 2.5


def doubt(values: ArrayLike) -> str:
    """Return why a t interval of these results may cover less than it says; empty if it should not.

    Args:
        values: One result per seed, ``(S,)``.

    Returns:
        ``constant`` if all results are the same number, ``equal`` if at least half of them are;
        ``skewed`` if their sample skewness is more than 2.5 standard errors from 0; else empty.
        Below three seeds none of this can be seen.
    """
    sample = np.asarray(values, dtype=np.float64)
    n = len(sample)
    if n < 3 or not np.isfinite(sample).all():
        return ""
    _, repeats = np.unique(sample, return_counts=True)
    if repeats.max() >= n / 2:
        return "constant" if len(repeats) == 1 else "equal"
    centred = sample - sample.mean()
    second = float((centred**2).mean())
    skewness = float((centred**3).mean()) / second**1.5 * math.sqrt(n * (n - 1)) / (n - 2)
    error = math.sqrt(6 * n * (n - 1) / ((n - 2) * (n + 1) * (n + 3)))
    return "skewed" if abs(skewness) > _SKEWED * error else ""


def detectable(error: float, df: float, level: float = 0.95, power: float = 0.8) -> float:
    r"""Return the difference that a t test finds with the given power.

    .. math:: (t_{df}(1 - \alpha / 2) + t_{df}(\mathrm{power}))\, \mathrm{error}

    Args:
        error: Standard error of the difference.
        df: Its degrees of freedom.
        level: 1 minus the size of the test, alpha.
        power: Probability that the test finds the difference.

    Returns:
        The difference; NaN if the error is unknown.
    """
    from scipy.special import stdtrit

    if not df > 0:
        return math.nan
    return float((stdtrit(df, (1 + level) / 2) + stdtrit(df, power)) * error)


def seeds_needed(spread: float, difference: float, level: float = 0.95, power: float = 0.8) -> int:
    """Return how many seeds tell a difference apart from zero with the given power.

    Args:
        spread: Standard deviation of the paired differences over seeds.
        difference: The difference, above 0.
        level: 1 minus the size of the test.
        power: Probability that the test finds the difference.
    """
    seeds = 2
    while detectable(spread / math.sqrt(seeds), seeds - 1, level, power) > difference:
        seeds += max(seeds // 50, 1)
    return seeds
