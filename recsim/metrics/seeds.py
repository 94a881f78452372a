"""What results over a number of seeds can show: doubts about t intervals, and power of t tests."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

# Fewer seeds are marked in tables and pictures.
FEW_SEEDS = 10
# Skewness that is marked, as a standard normal number: of normal results fewer than one sample in
# 2,500 is beyond, so that a table of twenty cells rarely has a note by chance.
_SKEWED = 3.6
_LEAST_SEEDS = 8  # fewer cannot show skewness


def doubt(values: ArrayLike) -> str:
    """Return why a t interval of these results may cover less than it says; empty if it should not.

    Args:
        values: One result per seed, ``(S,)``.

    Returns:
        ``constant`` if all results are the same number, ``equal`` if at least half of them are;
        ``skewed`` if their sample skewness is larger than chance explains in normal results; else
        empty. Below three seeds none of this can be seen, and skewness not below eight.
    """
    sample = np.asarray(values, dtype=np.float64)
    n = len(sample)
    if n < 3 or not np.isfinite(sample).all():
        return ""
    _, repeats = np.unique(sample, return_counts=True)
    if repeats.max() >= n / 2:
        return "constant" if len(repeats) == 1 else "equal"
    if n < _LEAST_SEEDS:
        return ""
    return "skewed" if abs(skewness_score(sample)) > _SKEWED else ""


def skewness_score(values: ArrayLike) -> float:
    r"""Return the sample skewness as a standard normal number, if the values are normal.

    With g the skewness of n values, its standard deviation under normality and kurtosis
    :math:`\beta_2`, :math:`y = g \sqrt{(n+1)(n+3) / (6(n-2))}` and
    :math:`W^2 = \sqrt{2(\beta_2 - 1)} - 1`,

    .. math:: Z = \operatorname{arsinh}(y / \alpha) / \sqrt{\log W},\quad
        \alpha = \sqrt{2 / (W^2 - 1)}.

    D'Agostino, "Transformation to Normality of the Null Distribution of g1", Biometrika 1970. Its
    tails are shorter than those of a normal number below 20 values.

    Args:
        values: At least eight numbers, not all equal, ``(n,)``.
    """
    sample = np.asarray(values, dtype=np.float64)
    n = len(sample)
    centred = sample - sample.mean()
    skewness = float((centred**3).mean()) / float((centred**2).mean()) ** 1.5
    y = skewness * math.sqrt((n + 1) * (n + 3) / (6 * (n - 2)))
    scale = (n + 1) * (n + 3) / ((n - 2) * (n + 5) * (n + 7) * (n + 9))
    kurtosis = 3 * (n**2 + 27 * n - 70) * scale
    w2 = math.sqrt(2 * (kurtosis - 1)) - 1
    return math.asinh(y / math.sqrt(2 / (w2 - 1))) / math.sqrt(0.5 * math.log(w2))


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
