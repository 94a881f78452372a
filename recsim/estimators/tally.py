"""Estimates from a log that is read once, in pieces, in any order, on any number of machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from recsim.errors import UserError
from recsim.estimators.bootstrap import percentile_interval, resampled_sums
from recsim.estimators.diagnostics import WeightSums
from recsim.estimators.impressions.sample import Estimator, Floats
from recsim.estimators.intervals import IntervalKind, Moments, UnitSums, check_kind, half_width


@dataclass(frozen=True)
class PolicyValue:
    """The estimated value of a policy, with all that is needed to judge the estimate.

    Attributes:
        estimator: Name of the estimator.
        value: Reward per impression.
        low: Lower end of the interval.
        high: Upper end.
        level: Nominal coverage of the interval.
        n: Impressions.
        ess: Effective sample size of the weights that the estimator uses.
        max_weight: Largest importance weight, before clipping.
        largest_share: Share of the total weight used that the largest one carries.
        mean_weight: Mean weight before clipping; 1 is expected.
        zero_weight_share: Share of impressions that the policy never shows.
        clip: Largest weight kept; infinite if all are.
        clipped_share: Share of impressions whose weight was clipped.
        cut_share: Share of the total weight that clipping cut away.
        warnings: What speaks against the estimate, in plain words; see
            `recsim.estimators.diagnostics` for the rules.
        parameter: The estimator's parameter and its value, e.g. ``clip=10``; empty without one.
        rule: How that value was chosen, ``slope`` or ``mse``; empty if it was given.
        interval_kind: Kind of the interval; see `recsim.estimators.intervals`.
        unsupported: Number of actions that the policy would take and the logging policy never
            does; None where that is not known. See `recsim.estimators.impressions.overlap`.
        unsupported_share: Share of what the policy would show that they make up; None where that
            is not known.
        policy_draws: Draws from the policy from which its propensities were estimated; 0 where it
            knows them.
    """

    estimator: str
    value: float
    low: float
    high: float
    level: float
    n: int
    ess: float
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
    interval_kind: str = "bootstrap"
    unsupported: int | None = None
    unsupported_share: float | None = None
    policy_draws: int = 0

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end of the interval."""
        return self.low, self.high

    @property
    def trustworthy(self) -> bool:
        """Whether nothing speaks against the estimate."""
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
            f"{self.level:.0%}, effective sample size {self.ess:.1f} of {self.n}, largest weight "
            f"{self.max_weight:.6g}{clipped}"
        ]
        return "\n".join(lines + [f"  warning: {warning}" for warning in self.warnings])


class Tally:
    """Running sums of several estimators over one log.

    Every estimator sees the same bootstrap samples, so that the difference of two of them has an
    interval too. Sums, and with them intervals, do not depend on how the log was cut.

    Args:
        estimators: What to estimate with.
        samples: Bootstrap samples, S.
        seed: Seed of the bootstrap.
        interval: Kind of the intervals; only ``bootstrap`` resamples, and uses the two above.
        bound: Width of the range in which a term must lie, for ``bernstein`` and ``hoeffding``;
            see `recsim.estimators.intervals`.
    """

    def __init__(
        self,
        estimators: Sequence[Estimator],
        *,
        samples: int = 1000,
        seed: int = 0,
        interval: IntervalKind = "bootstrap",
        bound: float | None = None,
    ):
        if not estimators:
            raise UserError("Name at least one estimator.")
        if samples < 1 or seed < 0:
            raise UserError(f"samples must be at least 1 and seed at least 0: {samples}, {seed}.")
        check_kind(interval, bound, tuple(estimators))
        self.estimators = tuple(estimators)
        self.samples = samples if interval == "bootstrap" else 0
        self.seed = seed
        self.interval: IntervalKind = interval
        self.bound = bound
        self._ends = np.cumsum([estimator.width for estimator in self.estimators])
        self._sums = np.zeros(self._ends[-1])  # (m,)
        self._resampled = np.zeros((self.samples, self._ends[-1]))  # (S, m)
        self._units = UnitSums(int(self._ends[-1]))
        self._weights = [WeightSums()] * len(self.estimators)
        self._empty = True

    def add(self, sample: Any) -> None:
        """Count a piece of the log, a sample of the estimators' family; nothing twice.

        Raises:
            UserError: If an estimator needs what the sample lacks, or the whole log in one piece.
        """
        for estimator in self.estimators:
            estimator.check(sample)
        self._check_pieces(more=len(sample) > 0)
        found = [estimator.terms(sample) for estimator in self.estimators]
        terms = found[0] if len(found) == 1 else np.concatenate(found, axis=1)  # (N, m)
        self._sums += terms.sum(axis=0)
        if self.interval == "bootstrap":
            self._resampled += resampled_sums(
                terms, sample.units, seed=self.seed, samples=self.samples
            )
        else:
            self._units.add(terms, sample.units, whole=getattr(sample, "whole", False))
        self._weights = [
            sums + WeightSums.of(estimator, sample)
            for sums, estimator in zip(self._weights, self.estimators, strict=True)
        ]

    def merge(self, other: Tally) -> None:
        """Count all that another tally has counted, e.g. on another machine.

        Raises:
            ValueError: If the other has other estimators, parameters, intervals, samples or seed.
            UserError: If an estimator needs the whole log in one piece.
        """
        if self._settings() != other._settings():
            raise ValueError("Only tallies of the same estimators, samples and seed can merge.")
        self._check_pieces(more=not other._empty)
        self._sums += other._sums
        self._resampled += other._resampled
        self._units.merge(other._units)
        self._weights = [a + b for a, b in zip(self._weights, other._weights, strict=True)]

    def _check_pieces(self, *, more: bool) -> None:
        """Refuse a second piece where there must be one; remember that there was one."""
        undivided = [estimator.name for estimator in self.estimators if estimator.undivided]
        if more and undivided and not self._empty:
            raise UserError(
                f"{undivided[0]} cannot be added up from pieces of a log: give a tally all of it "
                "in one sample."
            )
        self._empty = self._empty and not more

    def values(self, level: float = 0.95) -> list[PolicyValue]:
        """Return the estimates so far, in the order of the estimators.

        Args:
            level: Nominal coverage of the intervals, in (0, 1).
        """
        if not 0 < level < 1:
            raise UserError(f"level must be between 0 and 1, got {level}.")
        starts = [0, *self._ends[:-1]]
        return [
            self._value(estimator, slice(start, end), sums, level)
            for estimator, start, end, sums in zip(
                self.estimators, starts, self._ends, self._weights, strict=True
            )
        ]

    def moments(self, estimator: Estimator) -> Moments:
        """Return how the sums of the independent units spread, for one of the estimators.

        Raises:
            UserError: If the tally resamples, and so does not know.
        """
        if self.interval == "bootstrap":
            raise UserError("A tally that resamples does not know the moments of its units.")
        at = self.estimators.index(estimator)
        part = slice(self._ends[at] - estimator.width, self._ends[at])
        of = self._units.moments()
        return Moments(
            of.count, of.mean[part], of.spread[part, part], of.least[part], of.largest[part]
        )

    def replicates(self) -> Floats:
        """Return every estimate in every bootstrap sample, ``(S, number of estimators)``.

        Raises:
            UserError: If the tally has another kind of interval.
        """
        if self.interval != "bootstrap":
            raise UserError(f"A tally with the interval {self.interval!r} does not resample.")
        starts = [0, *self._ends[:-1]]
        columns = [
            estimator.value(self._resampled[:, start:end])
            for estimator, start, end in zip(self.estimators, starts, self._ends, strict=True)
        ]
        return np.stack(columns, axis=1)

    def _value(
        self, estimator: Estimator, part: slice, sums: WeightSums, level: float
    ) -> PolicyValue:
        value = float(estimator.value(self._sums[part]))
        low, high = self._ends_of(estimator, part, value, level)
        size = max(sums.n, 1)
        return PolicyValue(
            estimator=estimator.name,
            value=value,
            low=low,
            high=high,
            level=level,
            n=sums.n,
            ess=sums.ess,
            max_weight=sums.largest,
            largest_share=sums.largest_share,
            mean_weight=sums.mean_weight,
            zero_weight_share=sums.zeros / size,
            clip=estimator.clip,
            clipped_share=sums.clipped / size,
            cut_share=sums.cut_share,
            warnings=sums.warnings(estimator, (high - low) / 2),
            parameter=estimator.parameter,
            interval_kind=self.interval,
        )

    def _ends_of(
        self, estimator: Estimator, part: slice, value: float, level: float
    ) -> tuple[float, float]:
        if self.interval == "bootstrap":
            return percentile_interval(estimator.value(self._resampled[:, part]), level)
        width = half_width(
            self.interval,
            estimator,
            self.moments(estimator),
            confidence=(1 + level) / 2,
            bound=self.bound,
        )
        return value - width, value + width

    def _settings(self) -> tuple[Any, ...]:
        names = tuple((e.name, e.clip, e.parameter) for e in self.estimators)
        return names, self.samples, self.seed, self.interval, self.bound
