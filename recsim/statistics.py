r"""Uncertainty over seeds: t intervals, interquartile means, paired comparisons.

Results have one number per seed. Intervals are Student's: they cover what they claim if results are
near normal, at any number of seeds. For other shapes the measured coverage is printed by
``python benchmarks/coverage_seeds.py`` and stands in docs/intervals.md; `doubt` in
`recsim.metrics.seeds` says when results look like one of them.

References: Student, "The probable error of a mean", Biometrika 1908; Tukey and McLaughlin, "Less
Vulnerable Confidence and Significance Procedures for Location Based on a Single Sample", Sankhya A
1963, for trimmed means; Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical
Precipice", arXiv 2108.13264, for the interquartile mean as a summary of runs; Holm, "A Simple
Sequentially Rejective Multiple Test Procedure", 1979.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from recsim.arrays import Floats

# Relative size of what rounding leaves of a difference, or of a spread, that is zero.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Interval:
    """A value with its interval.

    Attributes:
        value: The estimate.
        low: Lower end; NaN if the spread is unknown.
        high: Upper end.
        level: Nominal coverage, e.g. 0.95.
        p_value: Two-sided p-value of the hypothesis that the value is zero, by the t distribution
            of the interval; NaN if the spread is unknown, or zero beside another value.
        error: Standard error of the value.
        df: Degrees of freedom of the standard error; 0 if it is unknown.
    """

    value: float
    low: float
    high: float
    level: float
    p_value: float
    error: float
    df: float


@dataclass(frozen=True)
class Comparison:
    """A comparison of two agents on the same seeds.

    Attributes:
        difference: Mean of the paired differences, first minus second, with its t interval.
        wins: Number of pairs in which the first is higher.
        ties: Number of pairs in which both are equal.
        pairs: Number of pairs.
    """

    difference: Interval
    wins: int
    ties: int
    pairs: int


def mean_interval(values: ArrayLike, level: float = 0.95, axis: int = 0) -> tuple[Any, Any]:
    r"""Return the ends of Student's interval of the mean.

    .. math:: \bar x \pm t_{n-1}\, s / \sqrt n

    Args:
        values: One result per seed along ``axis``, n of them.
        level: Nominal coverage.
        axis: Axis of the seeds; any others are independent samples.

    Returns:
        Low and high: floats for one sample, else arrays without the axis. NaN for a single seed,
        whose spread is unknown, and for samples with a NaN.

    Raises:
        ValueError: If there are no values, or the level lies outside (0, 1).
    """
    table = _moved(values, axis)  # (n, ...)
    n = len(table)
    spread = table.std(axis=0, ddof=1) if n > 1 else np.full(table.shape[1:], math.nan)
    return _ends(table.mean(axis=0), spread / math.sqrt(n), n - 1, level)


def iqm(values: ArrayLike, axis: int | None = None) -> Any:
    """Return the interquartile mean: the mean without the lowest and the highest quarter.

    Of n values, ``floor(n / 4)`` are cut at each end, so the result for up to three is their mean.
    A NaN among the values gives NaN; it is never cut.

    Args:
        values: Numbers of any shape.
        axis: Axis to average over; None for all axes.

    Returns:
        A float for ``axis=None``, else an array without that axis.

    Raises:
        ValueError: If there are no values.
    """
    table = np.ravel(values) if axis is None else values
    table = _moved(table, axis or 0)
    cut = len(table) // 4
    # NaN sorts last, where the cut would hide it; it is restored below.
    kept = np.sort(table, axis=0)[cut : len(table) - cut]
    return _scalar(np.where(np.isnan(table).any(axis=0), math.nan, kept.mean(axis=0)))


def iqm_interval(values: ArrayLike, level: float = 0.95, axis: int = 0) -> tuple[Any, Any]:
    r"""Return the ends of the Tukey-McLaughlin interval of the interquartile mean.

    With g = floor(n / 4) values cut at each end, h = n - 2 g left, and SSW the sum of squares of
    the winsorised values, in which each cut value is replaced by the nearest one left,

    .. math:: \mathrm{iqm} \pm t_{h-1} \sqrt{\mathrm{SSW} / (h (h-1))}.

    Up to three values nothing is cut and the interval is that of the mean. Of four values two are
    left, so the interval rests on one degree of freedom and is wide.

    Args:
        values: One result per seed along ``axis``, n of them.
        level: Nominal coverage.
        axis: Axis of the seeds; any others are independent samples.

    Returns:
        Low and high, as `mean_interval`.

    Raises:
        ValueError: As `mean_interval`.
    """
    table = _moved(values, axis)  # (n, ...)
    n = len(table)
    cut = n // 4
    left = n - 2 * cut
    ordered = np.sort(table, axis=0)
    winsorised = np.clip(ordered, ordered[cut], ordered[n - cut - 1])
    squares = ((winsorised - winsorised.mean(axis=0)) ** 2).sum(axis=0)
    error = np.sqrt(squares / (left * (left - 1))) if n > 1 else np.full_like(squares, math.nan)
    return _ends(iqm(table, axis=0), error, left - 1, level)


def band(curves: ArrayLike, *, level: float = 0.95) -> tuple[Floats, Floats, Floats]:
    """Return the mean of S curves at each of L points, with its t interval at each point.

    Args:
        curves: One curve per seed, ``(S, L)``.
        level: Nominal coverage at each point, not of the whole curve.

    Returns:
        Mean, lower end and upper end, each ``(L,)``. With one seed the ends are NaN.

    Raises:
        ValueError: If the curves are not a non-empty table.
    """
    table = np.asarray(curves, dtype=np.float64)
    if table.ndim != 2 or not table.size:
        raise ValueError(f"expected curves of shape (seeds, points), got {table.shape}")
    low, high = mean_interval(table, level)
    return table.mean(axis=0), low, high


def t_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Return the mean of one sample with its t interval and the p-value of its t test.

    Args:
        values: One result per seed, ``(S,)``.
        level: Nominal coverage.

    Raises:
        ValueError: If the values are not a non-empty vector.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not sample.size:
        raise ValueError(f"expected one value per seed, got shape {sample.shape}")
    n = len(sample)
    spread = float(sample.std(ddof=1)) if n > 1 else math.nan
    return _interval(float(sample.mean()), spread / math.sqrt(n), n - 1, level)


def paired_comparison(first: ArrayLike, second: ArrayLike, *, level: float = 0.95) -> Comparison:
    """Compare two agents whose results come from the same seeds.

    Randomness that both agents share cancels in the differences, so they are far less noisy than
    two separate intervals.

    Args:
        first: One result per seed, ``(S,)``.
        second: Results of the other agent on the same seeds, ``(S,)``.
        level: Nominal coverage.

    Raises:
        ValueError: If the shapes differ or there are no results.
    """
    differences = paired_differences(first, second)
    return compared(differences, t_interval(differences, level))


def paired_differences(first: ArrayLike, second: ArrayLike) -> Floats:
    """Return first minus second, rounded to 1e-12 of the largest result.

    Differences that only rounding keeps apart are then equal, and have no spread.

    Args:
        first: One result per seed, ``(S,)``.
        second: Results of the other agent on the same seeds, ``(S,)``.

    Raises:
        ValueError: If the shapes differ.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"paired results must have one shape, got {a.shape} and {b.shape}")
    differences: Floats = a - b
    largest = max(np.abs(a).max(initial=0), np.abs(b).max(initial=0))
    if not 0 < largest < math.inf:
        return differences
    # A power of two, so that whole multiples of it are exact.
    unit = 2.0 ** math.floor(math.log2(largest * _ROUNDING))
    return np.round(differences / unit) * unit


def compared(differences: Floats, interval: Interval) -> Comparison:
    """Return an interval of paired differences with the counts of wins and ties.

    Args:
        differences: ``(S,)``.
        interval: Of their mean.
    """
    return Comparison(
        difference=interval,
        wins=int((differences > 0).sum()),
        ties=int((differences == 0).sum()),
        pairs=differences.size,
    )


def ratio(sums: ArrayLike, counts: ArrayLike) -> tuple[float, Floats]:
    """Return the mean of all results, and what each cell contributes to its error.

    Args:
        sums: Sum of the results of a user with a seed, ``(S, U)``.
        counts: Number of the results of the user with the seed, ``(S, U)``.

    Returns:
        ``sum(sums) / sum(counts)``, NaN without results, and
        ``(sums - mean * counts) / sum(counts)``, ``(S, U)``.

    Raises:
        ValueError: If the shapes differ or are not ``(S, U)``.
    """
    table, weights = np.asarray(sums, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    if table.ndim != 2 or table.shape != weights.shape or not table.size:
        raise ValueError(
            f"expected sums and counts of shape (seeds, users), got {table.shape} and "
            f"{weights.shape}"
        )
    total = weights.sum()
    if not total > 0:
        return math.nan, np.full(table.shape, math.nan)
    mean = float(table.sum() / total)
    return mean, (table - mean * weights) / total


def crossed_interval(value: float, contributions: Floats, level: float = 0.95) -> Interval:
    r"""Return the interval of a mean over seeds and users, where every seed has the same users.

    Conversations and critiquing sessions are about the same interactions whatever the seed, so
    results over seeds alone would say nothing about other users, and users alone nothing about
    another training. Both vary here. With z the contribution of a cell (seed, user) to the error
    of the mean, the variance is the two-way one of Cameron, Gelbach and Miller, "Robust Inference
    With Multiway Clustering" (JBES 2011), but never below that of either alone,

    .. math:: V = \max(V_S,\; V_U,\; V_S + V_U - V_{SU}),\quad
        V_S = \tfrac{S}{S-1} \sum_s \Big(\sum_u z_{su}\Big)^2,\quad
        V_U = \tfrac{U}{U-1} \sum_u \Big(\sum_s z_{su}\Big)^2,

    and the degrees of freedom are Satterthwaite's, ``V^2 / (V_S^2 / (S-1) + V_U^2 / (U-1))``. With
    3 to 10 seeds and 40 to 300 users it covers 92 to 98 % whichever of seeds, users and their
    interaction varies; resampling seeds and users covers 74 to 92 % where seeds vary, and a t
    interval over seeds 50 to 85 % where users do (``python benchmarks/coverage_seeds.py``).

    Args:
        value: The mean, or the difference of two means.
        contributions: z, ``(S, U)``, from `ratio`; of a difference, that of the first mean minus
            that of the second, so that what both agents share with a user cancels.
        level: Nominal coverage.

    Returns:
        The interval. With one seed it holds for that training alone, with one user for that user
        alone.
    """
    parts = [_between(contributions.sum(axis=1)), _between(contributions.sum(axis=0))]
    known = [(v, n - 1) for v, n in zip(parts, contributions.shape, strict=True) if n > 1]
    if not known or math.isnan(value):
        return _interval(value, math.nan, 0, level)
    variance = max(v for v, _ in known)
    if len(known) == 2:
        variance = max(variance, sum(parts) - _between(contributions.ravel()))
    spread = sum(v**2 / df for v, df in known)
    df = variance**2 / spread if spread > 0 else 1.0
    return _interval(value, math.sqrt(variance), max(df, 1.0), level)


def holm(p_values: ArrayLike) -> Floats:
    """Return Holm's adjusted p-values of several tests, ``(N,)``.

    Rejecting where the adjusted value is below alpha makes any false rejection among all the tests
    at most alpha likely, whatever their dependence.

    Args:
        p_values: ``(N,)``; a NaN is a test that was not made, and stays NaN.
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(len(p), math.nan)
    order = np.argsort(p, kind="stable")
    order = order[~np.isnan(p[order])]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return adjusted


def _between(contributions: Floats) -> float:
    """Return the variance of a sum of n independent contributions with mean 0, ``(n,)``."""
    n = len(contributions)
    return float((contributions**2).sum() * n / (n - 1)) if n > 1 else 0.0


def _interval(value: float, error: float, df: float, level: float) -> Interval:
    from scipy.special import stdtr

    if error <= _ROUNDING * abs(value):
        error = 0.0
    low, high = _ends(np.asarray(value), np.asarray(error), df, level)
    p_value = math.nan if not error > 0 else 2 * float(stdtr(df, -abs(value / error)))
    if error == 0 and value == 0:
        p_value = 1.0
    return Interval(value, low, high, level, p_value, error, df)


def _ends(centre: Any, error: Any, df: float, level: float) -> tuple[Any, Any]:
    """Return ``centre`` minus and plus the quantile of the t distribution times ``error``."""
    from scipy.special import stdtrit  # slow to import: not before it is needed

    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    half = stdtrit(df, (1 + level) / 2) * error if df > 0 else error * math.nan
    return _scalar(centre - half), _scalar(centre + half)


def _moved(values: ArrayLike, axis: int) -> Floats:
    """Return the values with the axis of the seeds in front, ``(n, ...)``."""
    table = np.asarray(values, dtype=np.float64)
    if table.ndim == 0 or table.shape[axis] == 0:
        raise ValueError("a mean of no values is undefined")
    return np.moveaxis(table, axis, 0)


def _scalar(values: Any) -> Any:
    return float(values) if np.ndim(values) == 0 else values
