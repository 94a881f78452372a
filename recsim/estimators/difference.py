"""The difference of two estimates from the same rows, which has an interval of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from recsim.arrays import Floats, Ints
from recsim.estimators.estimator import Estimator, Weighing
from recsim.estimators.tally import PolicyValue


@dataclass(frozen=True, eq=False)
class Pair:
    """The same rows under two policies.

    Attributes:
        first: Their sample under the first policy.
        second: That under the second.
    """

    first: Any
    second: Any

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.first)

    @property
    def units(self) -> Ints:
        """Independent unit of each row, ``(N,)``."""
        units: Ints = self.first.units
        return units

    @property
    def whole(self) -> bool:
        """Whether no unit has further rows."""
        return bool(self.first.whole)

    @property
    def adaptive(self) -> bool:
        """Whether the logging policy learned meanwhile."""
        return bool(self.first.adaptive)


@dataclass(frozen=True)
class Difference(Estimator):
    """An estimate under one policy less one under another, for samples that are a `Pair`."""

    first: Any = None
    second: Any = None

    @staticmethod
    def of(first: Estimator, second: Estimator) -> Difference:
        """Return the difference of two estimators, each of known width."""
        assert first.width is not None
        assert second.width is not None
        return Difference(
            name=first.name,
            terms=partial(_terms, first=first, second=second),
            value=partial(_value, first=first, second=second),
            width=first.width + second.width,
            parameter=first.parameter,
            first=first,
            second=second,
        )

    def weigh(self, sample: Pair) -> Weighing:
        """Return the weights of the first policy; the rewards are weighted by the difference."""
        one, other = self.first.weigh(sample.first), self.second.weigh(sample.second)
        weighing: Weighing = one._replace(rewarded=np.abs(one.rewarded - other.rewarded))
        return weighing


def _terms(sample: Pair, first: Estimator, second: Estimator) -> Floats:
    return np.concatenate([first.terms(sample.first), second.terms(sample.second)], axis=1)


def _value(sums: Floats, first: Estimator, second: Estimator) -> Floats:
    difference: Floats = first.value(sums[..., : first.width]) - second.value(
        sums[..., first.width :]
    )
    return difference


@dataclass(frozen=True)
class PolicyDifference:
    """How much more one policy is worth than another one, or than the policy of the log.

    Attributes:
        estimator: Name of the estimator.
        value: Reward per impression of the first policy less that of the second.
        low: Lower end of the interval around the difference; NaN if there is none.
        high: Upper end.
        level: Nominal coverage of the interval.
        first: Value of the first policy.
        second: Value of the second policy, or the mean of the log.
        warnings: Reasons to doubt the difference.
    """

    estimator: str
    value: float
    low: float
    high: float
    level: float
    first: PolicyValue
    second: PolicyValue
    warnings: tuple[str, ...]

    @property
    def tells(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0

    @property
    def rows_to_tell(self) -> float:
        """Impressions after which the interval would exclude 0, if the difference is as estimated.

        The width of an interval falls with the square root of their number. Infinite if the
        difference is 0, NaN without an interval.
        """
        side = self.value - self.low if self.value > 0 else self.high - self.value
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(self.first.n * np.square(np.divide(side, self.value)))

    def __str__(self) -> str:
        """Return one line, and one more for every warning."""
        line = (
            f"{self.estimator}: {self.value:+.6g} [{self.low:+.6g}, {self.high:+.6g}] at "
            f"{self.level:.0%}, from {self.second.value:.6g} to {self.first.value:.6g}"
        )
        if not self.tells and np.isfinite(self.rows_to_tell):
            line += f"; to tell it from 0 takes about {self.rows_to_tell:,.0f} impressions"
        return "\n".join([line, *(f"  warning: {warning}" for warning in self.warnings)])
