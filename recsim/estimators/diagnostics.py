"""Whether an off-policy estimate can be trusted, judged by the importance weights.

The rules, each a constant below, and the reasons for them:

- **Largest weight.** The normal and the bootstrap interval both rest on no single impression
  mattering (Lindeberg's condition). Where one carries more than 5% of the total weight, it does.
- **Effective sample size.** Below 1% of the impressions, more than 99 of 100 say nothing about the
  policy: it differs too much from the logging policy, and the estimate rests on its rarest draws.
- **Clipping.** Clipping moves the value towards that of a policy nearer to the logging one. Where
  it removes more than half of the total weight, the estimate is mostly that policy's value. The
  mean of (w - w used)(r - q) says roughly how far clipping moved the estimate, and the interval
  does not include that. Above a quarter of the half width (half a standard error), 95% intervals
  contain the value less than 92% of the time.
- **Mean weight.** E[w] = 1 if the logging policy can show all that the policy would. A mean more
  than 5% and more than four standard errors away means that it cannot, or that the logged
  propensities are wrong.
- **Contributions.** The bootstrap cannot draw what is not in the log. With fewer than ten users (in
  an anonymous log: impressions) that have both weight and reward, its interval is too narrow; ten
  is the usual requirement for treating a count as normal.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from recsim.arrays import Floats, Ints
from recsim.estimators.estimator import PREDICTED, Estimator

LARGEST_SHARE = 0.05
ESS_SHARE = 0.01
CUT_SHARE = 0.5
SHIFT_SHARE = 0.25
MEAN_WEIGHT_ERROR = 0.05
MEAN_WEIGHT_SIGMAS = 4.0
CONTRIBUTIONS = 10

_NOT_ADDED = ("smallest", "largest", "used_largest", "contributing")


@dataclass(frozen=True)
class WeightSums:
    """Sums over the importance weights of one estimator; they add up over pieces of a log.

    Attributes:
        n: Impressions.
        weight: Sum of the weights w.
        square: Sum of w^2.
        smallest: Smallest w above zero.
        largest: Largest w (in the families that have weights below zero, of either sign).
        zeros: Impressions with w = 0: the policy never shows the item there.
        clipped: Impressions with w above the clip.
        used: Sum of the weights after clipping.
        used_square: Sum of their squares.
        used_largest: The largest of them.
        cut: Sum of (w - w used)(r - q), which clipping took away from the estimate.
        contributing: Numbers of independent units with both weight and reward, at most ten.
    """

    n: int = 0
    weight: float = 0.0
    square: float = 0.0
    smallest: float = math.inf
    largest: float = 0.0
    zeros: int = 0
    clipped: int = 0
    used: float = 0.0
    used_square: float = 0.0
    used_largest: float = 0.0
    cut: float = 0.0
    contributing: frozenset[int] = frozenset()

    @classmethod
    def of(cls, estimator: Estimator, sample: Any) -> Self:
        """Return the sums of one sample of the estimator's family."""
        weights, used, clipped, contributing, cut = estimator.weigh(sample)
        total, square, largest = _sizes(weights)
        of_used = (total, square, largest) if used is weights else _sizes(used)
        least = float(weights.min(initial=math.inf))
        if least <= 0:
            least = float(weights.min(initial=math.inf, where=weights > 0))
        return cls(
            n=len(weights),
            weight=total,
            square=square,
            smallest=least,
            largest=largest,
            zeros=len(weights) - int(np.count_nonzero(weights)),
            clipped=int(np.count_nonzero(clipped)),
            used=of_used[0],
            used_square=of_used[1],
            used_largest=of_used[2],
            cut=cut,
            contributing=_least(contributing),
        )

    def __add__(self, other: WeightSums) -> WeightSums:
        """Return the sums of both pieces together."""
        both = {
            field.name: getattr(self, field.name) + getattr(other, field.name)
            for field in fields(self)
            if field.name not in _NOT_ADDED
        }
        return WeightSums(
            **both,
            smallest=min(self.smallest, other.smallest),
            largest=max(self.largest, other.largest),
            used_largest=max(self.used_largest, other.used_largest),
            contributing=_few(self.contributing | other.contributing),
        )

    @property
    def ess(self) -> float:
        """Effective sample size of the weights used, (sum of w)^2 / sum of w^2."""
        return self.used**2 / self.used_square if self.used_square else 0.0

    @property
    def mean_weight(self) -> float:
        """Mean weight before clipping; 1 is expected."""
        return self.weight / self.n if self.n else math.nan

    @property
    def largest_share(self) -> float:
        """Share of the largest weight in the total weight used."""
        return self.used_largest / self.used if self.used else math.nan

    @property
    def cut_share(self) -> float:
        """Share of the total weight that clipping removed."""
        return 1.0 - self.used / self.weight if self.weight else 0.0

    def warnings(self, estimator: Estimator, half_width: float = math.nan) -> tuple[str, ...]:
        """Return the reasons to doubt the estimate; empty if there are none.

        Args:
            estimator: The estimator.
            half_width: Half the width of its interval, if it has one.
        """
        noun = estimator.noun
        if not self.n:
            return (f"there is no {noun} to estimate from",)
        if estimator.assumes == "model":
            return ("this is the reward model's prediction: the interval ignores its error",)
        if not self.weight:
            return ("the policy never shows a logged item: the log says nothing about it",)
        warnings = []
        if estimator.assumes == "uniform" and self.largest > self.smallest * (1 + 1e-6):
            warnings.append(
                "replay is unbiased if items were logged uniformly at random; the propensities of "
                "the matching ones differ"
            )
        if self.largest_share > LARGEST_SHARE:
            warnings.append(
                f"one {noun} of {self.n} carries {self.largest_share:.0%} of the total weight: "
                "the value hangs on it"
            )
        if self.ess < ESS_SHARE * self.n:
            warnings.append(
                f"the {self.n} {_plural(noun)} are worth only {self.ess:.1f} equally weighted ones"
            )
        limit = estimator.parameter or f"clip={estimator.clip:g}"
        if self.cut_share > CUT_SHARE and estimator.assumes != "uniform":
            result = (
                "the estimate there is that of the reward model"
                if estimator.needs & PREDICTED
                else "this is rather the value of a policy nearer to the logging one"
            )
            warnings.append(f"{limit} cut away {self.cut_share:.0%} of the total weight: {result}")
        elif abs(self.cut / self.n) > SHIFT_SHARE * half_width:
            warnings.append(
                f"{limit} moved the estimate by about {-self.cut / self.n:+.2g}, which the "
                "interval ignores"
            )
        if self._mean_weight_is_off():
            warnings.append(
                f"the mean weight is {self.mean_weight:.3g} where 1 is expected: the log rarely "
                "shows some of what the policy would show, or its propensities are wrong"
            )
        if len(self.contributing) < CONTRIBUTIONS:
            few = len(self.contributing)
            units = "user or row has" if few == 1 else "users or rows have"
            warnings.append(
                f"only {few} independent {units} both weight and reward: the interval is too narrow"
            )
        return tuple(warnings)

    def _mean_weight_is_off(self) -> bool:
        error = abs(self.mean_weight - 1.0)
        variance = max(self.square / self.n - self.mean_weight**2, 0.0)
        sigma = math.sqrt(variance / self.n)
        return error > max(MEAN_WEIGHT_ERROR, MEAN_WEIGHT_SIGMAS * sigma)


def _sizes(weights: Floats) -> tuple[float, float, float]:
    """Return the sum of weights, that of their squares, and the largest of either sign."""
    largest = max(float(weights.max(initial=0.0)), -float(weights.min(initial=0.0)))
    return float(weights.sum()), float(weights @ weights), largest


def _plural(noun: str) -> str:
    return noun[:-1] + "ies" if noun.endswith("y") else noun + "s"


def _least(units: Ints) -> frozenset[int]:
    """Return the distinct units, at most the first ten; far cheaper than to sort them all."""
    least: list[int] = []
    while len(units) and len(least) < CONTRIBUTIONS:
        least.append(int(units.min()))
        units = units[units > least[-1]]
    return frozenset(least)


def _few(units: Iterable[int]) -> frozenset[int]:
    """Return the distinct units, at most the first ten."""
    return frozenset(sorted(set(units))[:CONTRIBUTIONS])
