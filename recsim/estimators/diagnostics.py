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
- **Effective terms.** A large effective sample size says nothing about the rewards. Where clicks
  are rare, few terms |w r| carry the estimate. They are worth (sum of z)^2 / sum of z^2 equal ones,
  z being the sum of |w r| over a user (in an anonymous log: an impression). Below 50 the estimate
  hangs on a few clicks; `t` and both bootstraps are then too narrow, and `hall` is wide. With a
  reward model too the terms are |w r|, not |w (r - q)|: where clicks are rare every row has some
  error of the model, so that this number would be large whatever the number of clicks.
- **Skewness.** Effective terms do not tell heavy tails: the log lacks the largest ones. Neither do
  they tell a ratio whose rewards are nearly all equal. The skewness g of the n independent terms
  does. Cochran (Sampling Techniques, 1977) asks for n > 25 g^2 before a mean is taken as normal;
  below 10 g^2, `t` covers less than 92%, and `hall` does for heavy tails.
- **Adaptive logs.** Where the logging policy learned while it made the log, its rows are not
  independent: what was shown, and with which propensity, depends on earlier rewards. The variance
  of an estimate is then itself random, and the studentised estimate not normal, however long the
  log (Hadad et al. 2021, arXiv:1911.02768).

`python -m benchmarks.coverage_off_policy` measures the last three.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from recsim.arrays import Floats
from recsim.estimators.estimator import PREDICTED, Estimator, Weighing
from recsim.estimators.moments import Influence

LARGEST_SHARE = 0.05
ESS_SHARE = 0.01
CUT_SHARE = 0.5
SHIFT_SHARE = 0.25
MEAN_WEIGHT_ERROR = 0.05
MEAN_WEIGHT_SIGMAS = 4.0
EFFECTIVE_TERMS = 50
SYMMETRIC_UNITS = 10

SINGLE_UNIT = (
    "the log has a single independent unit (user, session or row) and so no interval: "
    "unit='session' or 'row' divides a user, if their sessions or rows are independent"
)
ADAPTIVE = (
    "the logging policy learned while it made the log, so that rows are not independent: the "
    "interval may be too narrow"
)

_NOT_ADDED = ("smallest", "largest", "used_largest")


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

    @classmethod
    def of(cls, weighing: Weighing) -> Self:
        """Return the sums of the weights of one sample."""
        weights, used, clipped, _, cut = weighing
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

    def warnings(
        self, estimator: Estimator, terms: float, influence: Influence, half_width: float
    ) -> tuple[str, ...]:
        """Return the reasons to doubt the estimate; empty if there are none.

        Args:
            estimator: The estimator.
            terms: Effective number of its terms.
            influence: Moments of the influence of independent units on it.
            half_width: Half the width of its interval; NaN if it has none.
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
        if terms < EFFECTIVE_TERMS:
            warnings.append(
                f"only {terms:.1f} effective terms: the estimate rests on the rewards of few users "
                "or rows, and the interval may be too narrow"
            )
        elif influence.symmetric_units < SYMMETRIC_UNITS:
            warnings.append(
                f"the terms of {influence.count} independent users or rows have a skewness of "
                f"{influence.skewness:.1f}: a few large ones carry the estimate, and the interval "
                "may be too narrow"
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
