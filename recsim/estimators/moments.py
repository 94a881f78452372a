"""Moments of the sums of independent units, from which intervals are computed.

An estimate is f of the mean sums of n units. To first order a unit with sums s moves it by
psi / n, where psi = f'(mean) (s - mean) is the unit's influence (delta method). For the mean of one
impression per unit this is exact. The variance and the skewness of an estimate follow from the
second and third moments of psi.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from recsim.arrays import Bools, Floats, Ints
from recsim.estimators.estimator import Estimator

# Third moments of more sums than this would cost more than to keep the sums of all units.
MOST_THIRDS = 32


@dataclass(frozen=True)
class Influence:
    """Moments of the influence of n units on an estimate; the mean is 0.

    Attributes:
        count: n.
        variance: With denominator n - 1; NaN for fewer than two units.
        skewness: Third moment over the 1.5th power of the second, both with denominator n; 0 if
            all units are equal; NaN for fewer than two units.
    """

    count: int
    variance: float
    skewness: float

    @property
    def symmetric_units(self) -> float:
        """How near to normal the estimate is: n / skewness^2, infinite where the skewness is 0."""
        return self.count / self.skewness**2 if self.skewness else math.inf


@dataclass
class Moments:
    """Moments of the sums of independent units: count, mean, and co-moments about the mean.

    Merged by the formulas of Chan, Golub and LeVeque 1979 and of Pebay 2008, which do not subtract
    large numbers.

    Attributes:
        count: Units, n.
        mean: Mean over units, ``(m,)``.
        spread: Sum over units of the outer product of (unit - mean), ``(m, m)``.
        third: Sum of the threefold outer product, ``(m, m, m)``; empty, ``(0, 0, 0)``, where it is
            not needed.
        least: Least value of each column, ``(m,)``.
        largest: Largest value, ``(m,)``.
    """

    count: int
    mean: Floats
    spread: Floats
    third: Floats
    least: Floats
    largest: Floats

    @classmethod
    def of(cls, sums: Floats, *, third: bool = False) -> Moments:
        """Return the moments of a table of units, ``(n, m)``, with the third ones or without."""
        size, width = sums.shape
        if not size:
            empty, top = np.zeros(width), np.full(width, np.inf)
            cube = np.zeros((width,) * 3 if third else (0, 0, 0))
            return cls(0, empty, np.zeros((width, width)), cube, top, -top)
        mean = sums.mean(axis=0)
        away = sums - mean
        cube = np.zeros((0, 0, 0))
        if third:
            pairs = (away[:, :, None] * away[:, None, :]).reshape(size, width * width)
            cube = (pairs.T @ away).reshape(width, width, width)
        return cls(size, mean, away.T @ away, cube, sums.min(axis=0), sums.max(axis=0))

    def __add__(self, other: Moments) -> Moments:
        """Return the moments of both groups of units together."""
        count = self.count + other.count
        if not count:
            return self
        apart = other.mean - self.mean
        ours, theirs = self.count / count, other.count / count
        third = self.third + other.third
        if third.size:
            between = ours * other.spread - theirs * self.spread
            third = (
                third
                + np.einsum("i,jk->ijk", apart, between)
                + np.einsum("j,ik->ijk", apart, between)
                + np.einsum("k,ij->ijk", apart, between)
                + np.einsum("i,j,k->ijk", apart, apart, apart)
                * (self.count * theirs * (ours - theirs))
            )
        return Moments(
            count,
            self.mean + apart * theirs,
            self.spread + other.spread + np.outer(apart, apart) * (self.count * theirs),
            third,
            np.minimum(self.least, other.least),
            np.maximum(self.largest, other.largest),
        )

    def effective_number(self) -> Floats:
        """Return (sum of z)^2 / sum of z^2 of every column, ``(m,)``; 0 where all z are zero."""
        squares = np.diag(self.spread) + self.count * self.mean**2
        total = (self.count * self.mean) ** 2
        return np.divide(total, squares, out=np.zeros_like(total), where=squares > 0)

    def along(self, slope: Floats, mean: Floats) -> tuple[float, float]:
        """Return the sums of the second and third powers of slope (unit - mean).

        Args:
            slope: ``(m,)``.
            mean: Of all units, these and others, ``(m,)``.
        """
        shift = float(slope @ (self.mean - mean))
        # Rounding can make a sum of squares negative where all units are equal.
        square = max(float(slope @ self.spread @ slope), 0.0)
        cube = float(self.third @ slope @ slope @ slope) if self.third.size else 0.0
        return (
            square + self.count * shift**2,
            cube + 3 * shift * square + self.count * shift**3,
        )


@dataclass
class UnitSums:
    """Sums of terms per independent unit, of units in one piece of the log or in several.

    Attributes:
        width: Number of columns, m.
        third: Whether third moments are needed.
        whole: Moments of the units that came in one piece; their sums are not kept.
        open: Sums of the units that further pieces may continue, by their number, ``(U, m)``.
        seen: Which of those numbers occurred, ``(U,)``.
    """

    width: int
    third: bool = False
    whole: Moments = field(init=False)
    open: Floats = field(init=False)
    seen: Bools = field(init=False)

    def __post_init__(self) -> None:
        self._keep = self.third and self.width > MOST_THIRDS
        self.whole = Moments.of(np.zeros((0, self.width)), third=self.third and not self._keep)
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
        numbers, sums = by_unit(terms, units)
        if whole and not self._keep:
            self.whole += Moments.of(sums, third=self.third)
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
        """Return the moments of all units, without the third ones."""
        own = self.whole
        first_two = Moments(
            own.count, own.mean, own.spread, np.zeros((0, 0, 0)), own.least, own.largest
        )
        return first_two + Moments.of(self._open)

    def influence(self, estimator: Estimator) -> Influence:
        """Return the moments of the influence of the units on an estimate.

        Args:
            estimator: A function of these sums.
        """
        moments = self.moments()
        n, mean = moments.count, moments.mean
        if n < 2:
            return Influence(n, math.nan, math.nan)
        slope = estimator.gradient(mean)
        square, cube = self.whole.along(slope, mean)
        away = (self._open - mean) @ slope
        square, cube = square + float(away @ away), cube + float((away**3).sum())
        deviation = math.sqrt(square / n)
        most = math.sqrt(n)  # of any n numbers; rounding exceeds it where they are nearly equal
        skewness = float(np.clip(cube / n / deviation**3, -most, most)) if deviation else 0.0
        return Influence(n, square / (n - 1), skewness)

    @property
    def _open(self) -> Floats:
        return self.open if self.seen.all() else self.open[self.seen]

    def _grow(self, size: int) -> None:
        if size <= len(self.seen):
            return
        size = max(size, 2 * len(self.seen))  # doubling keeps the number of copies small
        more = size - len(self.seen)
        self.open = np.concatenate([self.open, np.zeros((more, self.width))])
        self.seen = np.concatenate([self.seen, np.zeros(more, dtype=np.bool_)])


def by_unit(terms: Floats, units: Ints) -> tuple[Ints, Floats]:
    """Return the numbers of the units, ascending, ``(U,)``, and their sums, ``(U, m)``.

    Args:
        terms: What is summed, ``(N, m)``.
        units: The unit of each row, ``(N,)``, at least one.
    """
    steps = np.diff(units)
    if (steps > 0).all():
        return units, terms
    if not (steps >= 0).all():
        order = np.argsort(units, kind="stable")
        units, terms = units[order], terms[order]
    starts = np.flatnonzero(np.diff(units, prepend=units[0] - 1))
    return units[starts], np.add.reduceat(terms, starts, axis=0)
