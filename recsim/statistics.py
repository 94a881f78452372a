"""Uncertainty over seeds: interquartile means, bootstrap intervals, paired comparisons.

Scores have the shape ``(S,)``, one number per seed, or ``(S, T)`` for T tasks. Seeds are resampled;
with several tasks each task is a stratum of its own, so a resample never changes the number of
scores of a task.

Reference: Agarwal et al. 2021, *Deep Reinforcement Learning at the Edge of the Statistical
Precipice*, arXiv 2108.13264.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from recsim.arrays import Floats

Statistic = Callable[..., Any]
"""A function of ``(scores, axis=...)`` that removes the axis, e.g. `iqm` or ``numpy.mean``."""

# Numbers held at a time while resampling: limits memory to about 64 MB for any input.
_CHUNK = 8_000_000
# Up to this many pairs the sign-flip test lists every sign pattern instead of drawing a sample.
_EXACT_PAIRS = 14


@dataclass(frozen=True)
class Interval:
    """A value and its percentile bootstrap interval.

    Attributes:
        value: The statistic of the scores themselves.
        low: Lower end.
        high: Upper end.
        level: Nominal coverage, e.g. 0.95.
    """

    value: float
    low: float
    high: float
    level: float


@dataclass(frozen=True)
class Comparison:
    """A comparison of two agents on the same seeds.

    Attributes:
        difference: Statistic of the paired differences, first minus second, with interval.
        wins: Share of pairs in which the first is higher; a tie counts half.
        ties: Number of pairs in which both are equal.
        p_value: Two-sided sign-flip test of the hypothesis that the differences are symmetric
            around zero. With S pairs it is at least ``2 / 2**S``, so three seeds are never enough.
        pairs: Number of pairs.
    """

    difference: Interval
    wins: float
    ties: int
    p_value: float
    pairs: int


def iqm(scores: ArrayLike, axis: int | None = None) -> Any:
    """Return the interquartile mean: the mean without the lowest and the highest quarter.

    Of n scores, ``floor(n / 4)`` are cut at each end, so the result for up to three scores is their
    mean. A NaN among the scores gives NaN; it is never cut.

    Args:
        scores: Numbers of any shape.
        axis: Axis to average over; None for all axes.

    Returns:
        A float for ``axis=None``, else an array without that axis.

    Raises:
        ValueError: If there are no scores.
    """
    values = np.asarray(scores, dtype=np.float64)
    if axis is None:
        values, axis = values.ravel(), 0
    n = values.shape[axis]
    if n == 0:
        raise ValueError("the interquartile mean of no scores is undefined")
    cut = n // 4
    # NaN sorts last, where the cut would hide it; it is restored below.
    kept = np.take(np.sort(values, axis=axis), np.arange(cut, n - cut), axis=axis)
    result = np.where(np.isnan(values).any(axis=axis), np.nan, kept.mean(axis=axis))
    return float(result) if result.ndim == 0 else result


def bootstrap(
    scores: ArrayLike,
    *,
    statistic: Statistic = iqm,
    samples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return a statistic of the scores with its stratified percentile bootstrap interval.

    Args:
        scores: ``(S,)``, or ``(S, T)`` for T strata.
        statistic: Statistic of all scores of a resample together.
        samples: Number of resamples.
        level: Nominal coverage.
        seed: Seed of the resampling; the same seed gives the same interval.

    Returns:
        The interval. With one seed, or with a NaN among the scores, its ends are NaN, because the
        spread is unknown.

    Raises:
        ValueError: If the scores are empty or have more than two axes.
    """
    table = _as_table(scores)  # (S, T)
    s, t = table.shape
    value = float(statistic(table.ravel(), axis=0))
    if s < 2 or not np.isfinite(table).all():
        return Interval(value, math.nan, math.nan, level)
    rng = np.random.default_rng(seed)
    strata = np.arange(t)
    draws = np.empty(samples)
    rows = max(1, _CHUNK // (s * t))
    for start in range(0, samples, rows):
        n = min(rows, samples - start)
        picks = rng.integers(s, size=(n, s, t))  # (n, S, T)
        draws[start : start + n] = statistic(table[picks, strata].reshape(n, s * t), axis=1)
    low, high = np.quantile(draws, _tails(level))
    return Interval(value, float(low), float(high), level)


def band(
    curves: ArrayLike,
    *,
    statistic: Statistic = iqm,
    samples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[Floats, Floats, Floats]:
    """Return a statistic of S curves at each of L points, with a pointwise bootstrap band.

    Whole curves are resampled, the same ones at every point.

    Args:
        curves: One curve per seed, ``(S, L)``.
        statistic: Statistic over the seeds at each point.
        samples: Number of resamples.
        level: Nominal coverage at each point.
        seed: Seed of the resampling.

    Returns:
        Value, lower end and upper end, each ``(L,)``. With one seed the ends are NaN.

    Raises:
        ValueError: If the curves are not a non-empty table.
    """
    table = np.asarray(curves, dtype=np.float64)
    if table.ndim != 2 or not table.size:
        raise ValueError(f"expected curves of shape (seeds, points), got {table.shape}")
    s, length = table.shape
    value = np.asarray(statistic(table, axis=0))
    if s < 2:
        return value, np.full(length, math.nan), np.full(length, math.nan)
    picks = np.random.default_rng(seed).integers(s, size=(samples, s))
    low, high = np.empty(length), np.empty(length)
    columns = max(1, _CHUNK // picks.size)
    for start in range(0, length, columns):
        part = slice(start, start + columns)
        draws = statistic(table[:, part][picks], axis=1)  # (samples, S, L') -> (samples, L')
        low[part], high[part] = np.quantile(draws, _tails(level), axis=0)
    return value, low, high


def paired_comparison(
    first: ArrayLike,
    second: ArrayLike,
    *,
    statistic: Statistic = iqm,
    samples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare two agents whose scores come from the same seeds (and the same tasks).

    Randomness that both agents share cancels in the differences, so they are far less noisy than
    two separate intervals.

    Args:
        first: ``(S,)`` or ``(S, T)``.
        second: Scores of the other agent, of the same shape; each entry has the same seed.
        statistic: Statistic of the differences.
        samples: Number of resamples, and of random sign patterns if there are more than 14 pairs.
        level: Nominal coverage.
        seed: Seed of the resampling.

    Raises:
        ValueError: If the shapes differ or there are no scores.
    """
    a, b = _as_table(first), _as_table(second)
    if a.shape != b.shape:
        raise ValueError(f"paired scores must have one shape, got {a.shape} and {b.shape}")
    differences = a - b
    interval = bootstrap(differences, statistic=statistic, samples=samples, level=level, seed=seed)
    wins = float(np.mean((differences > 0) + 0.5 * (differences == 0)))
    if np.isnan(differences).any():
        wins = math.nan
    return Comparison(
        difference=interval,
        wins=wins,
        ties=int((differences == 0).sum()),
        p_value=_sign_flip_p_value(differences.ravel(), samples=samples, seed=seed),
        pairs=differences.size,
    )


def _sign_flip_p_value(differences: Floats, *, samples: int, seed: int) -> float:
    """Return the two-sided p-value of the mean difference under random signs.

    Args:
        differences: ``(P,)``.
        samples: Number of random sign patterns, if there are too many to list.
        seed: Seed of the random patterns.
    """
    if np.isnan(differences).any():
        return math.nan
    pairs = len(differences)
    observed = abs(differences.sum())
    if pairs <= _EXACT_PAIRS:
        signs = 1 - 2 * (np.arange(2**pairs)[:, None] >> np.arange(pairs) & 1)  # (2**P, P)
        extra = 0
    else:
        signs = 1 - 2 * np.random.default_rng(seed).integers(2, size=(samples, pairs))
        extra = 1  # the observed pattern counts too, so that p is never 0
    # The slack keeps patterns that differ from the observed one only by rounding.
    slack = 1e-12 * np.abs(differences).sum()
    as_large = int((np.abs(signs @ differences) >= observed - slack).sum())
    return (as_large + extra) / (len(signs) + extra)


def _as_table(scores: ArrayLike) -> Floats:
    """Return the scores as ``(S, T)``."""
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim == 1:
        table = table[:, None]  # (S,) -> (S, 1)
    if table.ndim != 2 or not table.size:
        raise ValueError(f"expected scores of shape (seeds,) or (seeds, tasks), got {table.shape}")
    return table


def _tails(level: float) -> tuple[float, float]:
    """Return the two quantiles that enclose ``level``."""
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    return (1 - level) / 2, (1 + level) / 2
