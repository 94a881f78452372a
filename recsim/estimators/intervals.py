r"""Intervals around an estimate.

With n units, a level of 1 - delta, and variance s^2 and skewness g of the units' influence on the
estimate (`recsim.estimators.moments`):

=============  ===============================================================  ==================
kind           ends                                                             holds
=============  ===============================================================  ==================
`hall`         value - T s / sqrt(n), T at both t_{n-1} quantiles x:            as n grows; error
               T = (3 / e) [(1 + e (x - e / 6))^(1/3) - 1], e = g / sqrt(n)     1 / n, not
                                                                                1 / sqrt(n)
`t`            value +- t_{n-1} quantile of 1 - delta/2, times s / sqrt(n)      as n grows
`bca`          quantiles of resampled estimates, moved for bias and skewness    as n grows
`bootstrap`    the central part of resampled estimates                          as n grows
`bernstein`    value +- [sqrt(2 log(4/delta) s^2 / n)                           for every n
               + 7 b log(4/delta) / (3 (n - 1))]
`hoeffding`    value +- b sqrt(log(2/delta) / (2 n))                            for every n
=============  ===============================================================  ==================

Rare clicks and rewards with heavy tails give skewed terms. The studentised mean is then skewed the
other way: where the log happens to lack large terms, the estimate and its error are both too small.
`t` ignores that, and ends too low too often. `hall` undoes it by a cubic transformation that is
monotone for every skewness. `python -m benchmarks.coverage_off_policy` prints how often all kinds
contain the value.

b is the width of the range in which the term of a unit (for IPS, w r) must lie. Only the caller can
know it: for weights up to W and rewards in [0, 1] it is W. The largest term in the log is no such
bound. `bernstein` and `hoeffding` are for means with one impression per unit; the others work with
every estimate: a ratio is resampled as a ratio, and `hall`, `t` and `bca` get its influence by the
delta method.

References: `hall`, Hall, "On the Removal of Skewness by Transformation", JRSS B 54, 1992, with t
quantiles in place of normal ones; BCa, Efron, "Better Bootstrap Confidence Intervals", JASA 82,
1987; empirical Bernstein, Maurer and Pontil, "Empirical Bernstein Bounds and Sample Variance
Penalization", 2009, arXiv:0907.3740, theorem 4, which bounds one side: here each side has half of
delta. Hoeffding 1963.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from recsim.arrays import Floats
from recsim.errors import EstimationError
from recsim.estimators.estimator import Estimator
from recsim.estimators.moments import Influence, Moments, UnitSums
from recsim.estimators.settings import IntervalChoice, Intervals

# Kinds that every estimator can have.
_ELSEWHERE = "'hall', 't', 'bca' or 'bootstrap'"


def student_t(n: int, variance: float, confidence: float) -> float:
    """Return a bound of the distance of the mean of ``n`` units from its expectation, on one side.

    Args:
        n: Units.
        variance: Their variance, with denominator n - 1.
        confidence: Probability that the bound holds, e.g. 0.975 for each side of a 95% interval.

    Returns:
        t_{n-1} quantile times sqrt(variance / n); NaN for fewer than two units.
    """
    from scipy.special import stdtrit

    if n < 2:
        return math.nan
    return float(stdtrit(n - 1, confidence)) * math.sqrt(variance / n)


def hall(n: int, variance: Any, skewness: Any, level: float) -> tuple[Floats, Floats]:
    """Return where Hall's interval around the mean of ``n`` units ends, relative to their mean.

    Args:
        n: Units, at least two.
        variance: Their variance, with denominator n - 1, a number or an array.
        skewness: Their skewness, of the same shape.
        level: Nominal coverage.

    Returns:
        What to add to the mean for the lower and the upper end. They are those of `student_t`
        where the skewness is 0.
    """
    from scipy.special import stdtrit

    error = np.sqrt(np.asarray(variance, dtype=np.float64) / n)
    e = np.asarray(skewness, dtype=np.float64) / math.sqrt(n)
    quantile = float(stdtrit(n - 1, (1 + level) / 2))
    low, high = (-error * _untransformed(e, x) for x in (quantile, -quantile))
    return low, high


def _untransformed(e: Floats, x: float) -> Floats:
    """Return the studentised mean T at which Hall's transformation of it is x.

    The transformation is T + e T^2 / 3 + e^2 T^3 / 27 + e / 6.
    """
    small = np.abs(e) < 1e-6  # there the closed form loses digits; the first terms of its series do
    safe = np.where(small, 1.0, e)
    inverse = 3.0 / safe * (np.cbrt(1.0 + safe * (x - safe / 6.0)) - 1.0)
    series = x - e / 6.0 - e * x**2 / 3.0
    result: Floats = np.where(small, series, inverse)
    return result


def empirical_bernstein(n: int, variance: float, bound: float, confidence: float) -> float:
    """Return a bound as `student_t` does, but one that holds for every ``n``.

    Args:
        n: Units.
        variance: Their variance, with denominator n - 1.
        bound: Width b of the range of a unit's term.
        confidence: Probability that the bound holds, on one side.

    Returns:
        sqrt(2 log(2/d) variance / n) + 7 b log(2/d) / (3 (n - 1)), where d is 1 - confidence; NaN
        for fewer than two units.
    """
    if n < 2:
        return math.nan
    log = math.log(2 / (1 - confidence))
    return math.sqrt(2 * log * variance / n) + 7 * bound * log / (3 * (n - 1))


def hoeffding(n: int, bound: float, confidence: float) -> float:
    """Return a bound as `student_t` does, but one that holds for every ``n`` and variance.

    Args:
        n: Units.
        bound: Width b of the range of a unit's term.
        confidence: Probability that the bound holds, on one side.

    Returns:
        b sqrt(log(1/d) / (2 n)), where d is 1 - confidence; NaN if n is 0.
    """
    return bound * math.sqrt(math.log(1 / (1 - confidence)) / (2 * n)) if n else math.nan


def check_intervals(settings: IntervalChoice, estimators: Iterable[Estimator]) -> None:
    """Refuse a kind of interval that these estimators cannot have.

    Raises:
        EstimationError: If the kind is for means, and an estimator is a ratio of sums.
    """
    for estimator in estimators:
        if settings.bound is not None and not estimator.mean:
            raise EstimationError(
                f"interval {settings.interval!r} is for means, and {estimator.name!r} is a ratio "
                f"of sums: use {_ELSEWHERE}."
            )


def interval_ends(
    settings: Intervals, estimator: Estimator, value: float, influence: Influence, units: UnitSums
) -> tuple[float, float]:
    """Return the lower and the upper end of an interval that needs no resampling.

    Args:
        settings: Of any kind but ``bootstrap`` and ``bca``.
        estimator: The estimator.
        value: The estimate.
        influence: Moments of the influence of the units.
        units: The sums of its terms over units.

    Raises:
        EstimationError: If a term lies outside the bound, or units have several impressions each
            where the kind needs one.
    """
    n, kind = influence.count, settings.interval
    if n == 0 or (n < 2 and settings.bound is None):
        return math.nan, math.nan
    if kind == "hall":
        below, above = hall(n, influence.variance, influence.skewness, settings.level)
        return value + float(below), value + float(above)
    confidence = (1 + settings.level) / 2
    if kind == "t":
        width = student_t(n, influence.variance, confidence)
    else:
        bound = _checked_bound(settings, estimator, units.moments())
        width = (
            hoeffding(n, bound, confidence)
            if kind == "hoeffding"
            else empirical_bernstein(n, influence.variance, bound, confidence)
        )
    return value - width, value + width


def _checked_bound(settings: Intervals, estimator: Estimator, moments: Moments) -> float:
    """Return the width of the range of a term, unless the log contradicts it."""
    bound = settings.bound
    assert bound is not None
    if moments.least[0] != 1 or moments.largest[0] != 1:
        raise EstimationError(
            f"interval {settings.interval!r} needs one impression per independent unit; here units "
            f"have up to {moments.largest[0]:.0f}. Use {_ELSEWHERE}."
        )
    extent = float(moments.largest[1] - moments.least[1])
    if extent > bound * (1 + 1e-9):
        raise EstimationError(
            f"bound {bound:g} is too small: the terms of {estimator.name!r} range from "
            f"{moments.least[1]:g} to {moments.largest[1]:g} in this log."
        )
    return bound
