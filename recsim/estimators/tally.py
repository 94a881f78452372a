"""Estimates from a log that is read once, in pieces, in any order, on any number of machines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Unpack

import numpy as np

from recsim.arrays import Floats
from recsim.errors import EstimationError
from recsim.estimators.bootstrap import bca_interval, percentile_interval, resampled_sums
from recsim.estimators.diagnostics import ADAPTIVE, SINGLE_UNIT, WeightSums
from recsim.estimators.estimator import Estimator
from recsim.estimators.intervals import check_intervals, interval_ends
from recsim.estimators.moments import Influence, UnitSums, by_unit
from recsim.estimators.settings import IntervalKeywords, Intervals
from recsim.settings import one_or_more


@dataclass(frozen=True)
class PolicyValue:
    """The estimated value of a policy, with diagnostics of the estimate.

    Attributes:
        estimator: Name of the estimator.
        value: Reward per impression.
        low: Lower end of the interval; NaN if there is none.
        high: Upper end.
        level: Nominal coverage of the interval.
        n: Impressions.
        ess: Effective sample size of the weights that the estimator uses.
        effective_terms: Effective number of independent terms |w r|, (sum of z)^2 / sum of z^2: how
            many equal rewards the estimate rests on.
        max_weight: Largest importance weight, before clipping.
        largest_share: Share of the total weight used that the largest one carries.
        mean_weight: Mean weight before clipping; 1 is expected.
        zero_weight_share: Share of impressions that the policy never shows.
        clip: Largest weight kept; infinite if all are.
        clipped_share: Share of impressions whose weight was clipped.
        cut_share: Share of the total weight that clipping cut away.
        warnings: Reasons to doubt the estimate; see `recsim.estimators.diagnostics` for the rules.
        parameter: The estimator's parameter and its value, e.g. ``clip=10``; empty without one.
        rule: Rule that chose this value, ``slope`` or ``mse``; empty if it was given.
        interval_kind: Kind of the interval; see `recsim.estimators.intervals`.
        unsupported: Number of actions that the policy would take and the logging policy never
            does; None where that is not known. See `recsim.estimators.overlap`.
        unsupported_share: Their share of what the policy would show; None where that is not known.
        policy_draws: Draws from the policy from which its propensities were estimated; 0 if the
            policy knows them.
    """

    estimator: str
    value: float
    low: float
    high: float
    level: float
    n: int
    ess: float
    effective_terms: float
    max_weight: float
    largest_share: float
    mean_weight: float
    zero_weight_share: float
    clip: float
    clipped_share: float
    cut_share: float
    warnings: tuple[str, ...]
    parameter: str = ""
    rule: str = ""
    interval_kind: str = "hall"
    unsupported: int | None = None
    unsupported_share: float | None = None
    policy_draws: int = 0

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end of the interval."""
        return self.low, self.high

    @property
    def trustworthy(self) -> bool:
        """Whether there is no warning."""
        return not self.warnings

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)

    def __str__(self) -> str:
        """Return one line, and one more for every warning."""
        clipped = f", clipped {self.clipped_share:.2%}" if np.isfinite(self.clip) else ""
        if self.unsupported:
            clipped += f", unsupported actions {self.unsupported}"
        name = f"{self.estimator} ({self.parameter})" if self.parameter else self.estimator
        lines = [
            f"{name}: {self.value:.6g} [{self.low:.6g}, {self.high:.6g}] at "
            f"{self.level:.0%}, effective sample size {self.ess:.1f} of {self.n}, effective "
            f"terms {self.effective_terms:.1f}, largest weight {self.max_weight:.6g}{clipped}"
        ]
        return "\n".join(lines + [f"  warning: {warning}" for warning in self.warnings])


class Tally:
    """Running sums of several estimators over one log.

    All estimators share the bootstrap samples, so that the difference of two of them has an
    interval too. Neither sums nor intervals depend on how the log was cut.

    Args:
        estimators: The estimators, or one.
        intervals: Settings of the intervals.
        **changes: Fields of `Intervals` by name, in place of those of ``intervals``, e.g.
            ``interval="t"``.
    """

    def __init__(
        self,
        estimators: Estimator | Sequence[Estimator],
        intervals: Intervals | None = None,
        **changes: Unpack[IntervalKeywords],
    ) -> None:
        self.estimators: tuple[Estimator, ...] = one_or_more(estimators)
        if not self.estimators:
            raise EstimationError("Name at least one estimator.")
        self.intervals = Intervals.of(intervals, changes)
        check_intervals(self.intervals, self.estimators)
        widths = [_width(estimator) for estimator in self.estimators]
        ends = np.cumsum(widths)
        self._parts = [slice(end - width, end) for end, width in zip(ends, widths, strict=True)]
        self._sums = np.zeros(sum(widths))  # (m,)
        self._resamples = self.intervals.interval in ("bootstrap", "bca")
        samples = self.intervals.samples if self._resamples else 0
        self._resampled = np.zeros((samples, sum(widths)))  # (S, m)
        self._units = [UnitSums(width, third=True) for width in widths]
        self._rewarded = UnitSums(len(widths))  # |w r|, one column per estimator
        self._weights = [WeightSums()] * len(self.estimators)
        self._empty = True
        self._adaptive = False

    def add(self, sample: Any) -> None:
        """Add a piece of the log: a sample of the estimators' family. Add no row twice.

        Raises:
            EstimationError: If the sample lacks a column that an estimator needs, or an estimator
                needs the whole log in one piece.
        """
        parts = [estimator.terms(sample) for estimator in self.estimators]
        self._check_pieces(more=len(sample) > 0)
        terms = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)  # (N, m)
        self._sums += terms.sum(axis=0)
        if self._resamples:
            self._resampled += resampled_sums(
                terms, sample.units, seed=self.intervals.seed, samples=self.intervals.samples
            )
        self._adaptive = self._adaptive or sample.adaptive
        weighings = [estimator.weigh(sample) for estimator in self.estimators]
        self._weights = [
            sums + WeightSums.of(weighing)
            for sums, weighing in zip(self._weights, weighings, strict=True)
        ]
        if not len(sample):
            return
        rewarded = np.stack([weighing.rewarded for weighing in weighings], axis=1)
        numbers, of_units = by_unit(np.concatenate([terms, rewarded], axis=1), sample.units)
        for units, part in zip(self._units, self._parts, strict=True):
            units.add(of_units[:, part], numbers, whole=sample.whole)
        self._rewarded.add(of_units[:, terms.shape[1] :], numbers, whole=sample.whole)

    def merge(self, other: Tally) -> None:
        """Add the sums of another tally, e.g. from another machine.

        Raises:
            ValueError: If the other has other estimators, parameters or settings of intervals.
            EstimationError: If an estimator needs the whole log in one piece.
        """
        if self._settings() != other._settings():
            raise ValueError("Only tallies of the same estimators and intervals can merge.")
        self._check_pieces(more=not other._empty)
        self._sums += other._sums
        self._resampled += other._resampled
        for units, others in zip(self._units, other._units, strict=True):
            units.merge(others)
        self._rewarded.merge(other._rewarded)
        self._adaptive = self._adaptive or other._adaptive
        self._weights = [a + b for a, b in zip(self._weights, other._weights, strict=True)]

    def _check_pieces(self, *, more: bool) -> None:
        """Refuse a second piece where only one is allowed, and remember the first."""
        undivided = [estimator.name for estimator in self.estimators if estimator.undivided]
        if more and undivided and not self._empty:
            raise EstimationError(
                f"{undivided[0]} cannot be added up from pieces of a log: give the tally the whole "
                "log in one sample."
            )
        self._empty = self._empty and not more

    def values(self) -> list[PolicyValue]:
        """Return the estimates so far, in the order of the estimators."""
        terms = self._rewarded.moments().effective_number().tolist()
        return [self._value(at, number) for at, number in enumerate(terms)]

    def influence(self, estimator: Estimator) -> Influence:
        """Return the moments of the influence of independent units on one of the estimates."""
        return self._units[self.estimators.index(estimator)].influence(estimator)

    def replicates(self) -> Floats:
        """Return every estimate in every bootstrap sample, ``(S, number of estimators)``.

        Raises:
            EstimationError: If the tally has another kind of interval.
        """
        if not self._resamples:
            raise EstimationError(
                f"A tally with the interval {self.intervals.interval!r} does not resample."
            )
        columns = [
            estimator.value(self._resampled[:, part])
            for estimator, part in zip(self.estimators, self._parts, strict=True)
        ]
        return np.stack(columns, axis=1)

    def _value(self, at: int, terms: float) -> PolicyValue:
        estimator, sums = self.estimators[at], self._weights[at]
        value = float(estimator.value(self._sums[self._parts[at]]))
        influence = self._units[at].influence(estimator)
        low, high = self._interval(at, value, influence)
        warnings = sums.warnings(estimator, terms, influence, (high - low) / 2)
        if self._is_single(influence):
            warnings += (SINGLE_UNIT,)
        if self._adaptive:
            warnings += (ADAPTIVE,)
        size = max(sums.n, 1)
        return PolicyValue(
            estimator=estimator.name,
            value=value,
            low=low,
            high=high,
            level=self.intervals.level,
            n=sums.n,
            ess=sums.ess,
            effective_terms=terms,
            max_weight=sums.largest,
            largest_share=sums.largest_share,
            mean_weight=sums.mean_weight,
            zero_weight_share=sums.zeros / size,
            clip=estimator.clip,
            clipped_share=sums.clipped / size,
            cut_share=sums.cut_share,
            warnings=warnings,
            parameter=estimator.parameter,
            interval_kind=self.intervals.interval,
        )

    def _is_single(self, influence: Influence) -> bool:
        """Return whether there is no interval because there is a single independent unit."""
        return influence.count == 1 and self.intervals.bound is None

    def _interval(self, at: int, value: float, influence: Influence) -> tuple[float, float]:
        estimator, level = self.estimators[at], self.intervals.level
        if self._is_single(influence):
            return math.nan, math.nan
        if not self._resamples:
            return interval_ends(self.intervals, estimator, value, influence, self._units[at])
        replicates = estimator.value(self._resampled[:, self._parts[at]])
        if self.intervals.interval == "bootstrap":
            return percentile_interval(replicates, level)
        return bca_interval(replicates, value, influence.skewness, influence.count, level)

    def _settings(self) -> tuple[Any, ...]:
        return tuple((e.name, e.clip, e.parameter) for e in self.estimators), self.intervals


def with_warnings(values: Iterable[PolicyValue], warnings: tuple[str, ...]) -> list[PolicyValue]:
    """Return values with further reasons to doubt them."""
    return [replace(value, warnings=value.warnings + warnings) for value in values]


def _width(estimator: Estimator) -> int:
    if estimator.width is None:
        raise ValueError(
            f"{estimator.name} has sums for every position or step: build it with their number."
        )
    return estimator.width
