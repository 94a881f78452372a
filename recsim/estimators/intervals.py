r"""Intervals around an estimate, and the sums over independent units from which they are computed.

With n units, a level of 1 - delta and s^2 the variance over units:

=============  ===============================================================  ==================
kind           half width                                                       holds
=============  ===============================================================  ==================
`t`            t_{n-1} quantile of 1 - delta/2, times s / sqrt(n)               as n grows
`bernstein`    sqrt(2 log(4/delta) s^2 / n) + 7 b log(4/delta) / (3 (n - 1))    for every n
`hoeffding`    b sqrt(log(2/delta) / (2 n))                                     for every n
`bootstrap`    none: the central part of the resampled estimates                as n grows
=============  ===============================================================  ==================

b is the width of the range in which the term of a unit (for IPS, w r) must lie. Only the caller can
know it: for weights up to W and rewards in [0, 1] it is W. The largest term in the log is no such
bound. `bernstein` and `hoeffding` are for means with one impression per unit; the others work with
every estimate: a ratio is resampled as a ratio, and `t` gets its error by the delta method.

References: empirical Bernstein, Maurer and Pontil, "Empirical Bernstein Bounds and Sample Variance
Penalization", 2009, arXiv:0907.3740, theorem 4, which bounds one side: here each side has half of
delta. Hoeffding 1963.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from recsim.arrays import Bools, Floats, Ints
from recsim.errors import EstimationError
from recsim.estimators.estimator import Estimator
from recsim.estimators.settings import IntervalChoice, Intervals


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
                "of sums: use 't' or 'bootstrap'."
            )


@dataclass
class Moments:
    """Moments of the sums of independent units: count, mean, and co-moments about the mean.

    Merged by the formula of Chan, Golub and LeVeque 1979, which does not subtract large numbers.

    Attributes:
        count: Units, n.
        mean: Mean over units, ``(m,)``.
        spread: Sum over units of the outer product of (unit - mean), ``(m, m)``.
        least: Least value of each column, ``(m,)``.
        largest: Largest value, ``(m,)``.
    """

    count: int
    mean: Floats
    spread: Floats
    least: Floats
    largest: Floats

    @classmethod
    def of(cls, sums: Floats) -> Moments:
        """Return the moments of a table of units, ``(n, m)``."""
        size, width = sums.shape
        if not size:
            empty, top = np.zeros(width), np.full(width, np.inf)
            return cls(0, empty, np.zeros((width, width)), top, -top)
        mean = sums.mean(axis=0)
        away = sums - mean
        return cls(size, mean, away.T @ away, sums.min(axis=0), sums.max(axis=0))

    def __add__(self, other: Moments) -> Moments:
        """Return the moments of both groups of units together."""
        count = self.count + other.count
        if not count:
            return self
        apart = other.mean - self.mean
        return Moments(
            count,
            self.mean + apart * (other.count / count),
            self.spread
            + other.spread
            + np.outer(apart, apart) * (self.count * other.count / count),
            np.minimum(self.least, other.least),
            np.maximum(self.largest, other.largest),
        )


@dataclass
class UnitSums:
    """Sums of terms per independent unit, of units in one piece of the log or in several.

    Attributes:
        width: Number of columns, m.
        whole: Moments of the units that came in one piece; their sums are not kept.
        open: Sums of the units that further pieces may continue, by their number, ``(U, m)``.
        seen: Which of those numbers occurred, ``(U,)``.
    """

    width: int
    whole: Moments = field(init=False)
    open: Floats = field(init=False)
    seen: Bools = field(init=False)

    def __post_init__(self) -> None:
        self.whole = Moments.of(np.zeros((0, self.width)))
        self.open = np.zeros((0, self.width))
        self.seen = np.zeros(0, dtype=np.bool_)

    def add(self, terms: Floats, units: Ints, *, whole: bool) -> None:
        """Add rows.

        Args:
            terms: What is summed, ``(N, m)``.
            units: The unit of each row, ``(N,)``.
            whole: Whether none of these units occurs in any other call.
        """
        if not len(units):
            return
        numbers, sums = _by_unit(terms, units)
        if whole:
            self.whole += Moments.of(sums)
        else:
            first, last = int(numbers[0]), int(numbers[-1])
            self._grow(last + 1)
            # Numbers without gaps are a slice, which is several times as fast.
            at = slice(first, last + 1) if last - first + 1 == len(numbers) else numbers
            self.open[at] += sums
            self.seen[at] = True

    def merge(self, other: UnitSums) -> None:
        """Add the sums of another one."""
        self.whole += other.whole
        self._grow(len(other.seen))
        self.open[: len(other.seen)] += other.open
        self.seen[: len(other.seen)] |= other.seen

    def moments(self) -> Moments:
        """Return the moments of all units."""
        return self.whole + Moments.of(self.open if self.seen.all() else self.open[self.seen])

    def _grow(self, size: int) -> None:
        if size <= len(self.seen):
            return
        size = max(size, 2 * len(self.seen))  # doubling keeps the number of copies small
        more = size - len(self.seen)
        self.open = np.concatenate([self.open, np.zeros((more, self.width))])
        self.seen = np.concatenate([self.seen, np.zeros(more, dtype=np.bool_)])


def half_width(settings: Intervals, estimator: Estimator, moments: Moments) -> float:
    """Return half the width of an interval around an estimate.

    Args:
        settings: Of any kind but ``bootstrap``.
        estimator: The estimator.
        moments: Moments of its terms over units.

    Raises:
        EstimationError: If a term lies outside the bound, or units have several impressions each
            where the kind needs one.
    """
    n, kind, bound = moments.count, settings.interval, settings.bound
    confidence = (1 + settings.level) / 2
    if n == 0:
        return math.nan
    if kind == "t":
        return student_t(n, variance_of(estimator, moments), confidence)
    assert bound is not None
    if moments.least[0] != 1 or moments.largest[0] != 1:
        raise EstimationError(
            f"interval {kind!r} needs one impression per independent unit; here units have up to "
            f"{moments.largest[0]:.0f}. Use 't' or 'bootstrap'."
        )
    extent = float(moments.largest[1] - moments.least[1])
    if extent > bound * (1 + 1e-9):
        raise EstimationError(
            f"bound {bound:g} is too small: the terms of {estimator.name!r} range from "
            f"{moments.least[1]:g} to {moments.largest[1]:g} in this log."
        )
    if kind == "hoeffding":
        return hoeffding(n, bound, confidence)
    return empirical_bernstein(n, variance_of(estimator, moments), bound, confidence)


def variance_of(estimator: Estimator, moments: Moments) -> float:
    """Return the variance, with denominator n - 1, of the contribution of a unit to the estimate.

    The estimate is f of the mean sums; to first order a unit with sums s moves it by
    f'(mean) (s - mean) / n (delta method). For a mean of one impression per unit this is exact.
    """
    if moments.count < 2:
        return math.nan
    slope = estimator.gradient(moments.mean)
    # Rounding can make it negative where all units are equal.
    return max(float(slope @ moments.spread @ slope), 0.0) / (moments.count - 1)


def _by_unit(terms: Floats, units: Ints) -> tuple[Ints, Floats]:
    """Return the numbers of the units, ascending, and their sums, ``(U, m)``."""
    steps = np.diff(units)
    if (steps > 0).all():
        return units, terms
    if not (steps >= 0).all():
        order = np.argsort(units, kind="stable")
        units, terms = units[order], terms[order]
    starts = np.flatnonzero(np.diff(units, prepend=units[0] - 1))
    return units[starts], np.add.reduceat(terms, starts, axis=0)
