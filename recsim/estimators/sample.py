"""What every off-policy estimator is given, and what an estimator is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sample:
    """N logged impressions, as the evaluated policy sees them.

    Attributes:
        weights: Importance weight pi / mu of each impression, ``(N,)``.
        rewards: Its reward, ``(N,)``.
        units: Number of the independent unit that it belongs to, ``(N,)``, at least 0: its user,
            or itself. What bootstrap intervals resample.
    """

    weights: Floats
    rewards: Floats
    units: NDArray[np.int64]

    def __post_init__(self) -> None:
        shapes = {self.weights.shape, self.rewards.shape, self.units.shape}
        if len(shapes) != 1 or self.weights.ndim != 1:
            raise ValueError(f"weights, rewards and units must be (N,), all alike; got {shapes}.")
        for name in ("weights", "rewards"):
            bad = ~np.isfinite(getattr(self, name))
            if bad.any():
                row = int(np.argmax(bad))
                raise ValueError(f"{name}[{row}] is {getattr(self, name)[row]}: not finite.")
        for name in ("weights", "units"):
            bad = getattr(self, name) < 0
            if bad.any():
                row = int(np.argmax(bad))
                raise ValueError(f"{name}[{row}] is {getattr(self, name)[row]}: below zero.")

    def __len__(self) -> int:
        """Return N."""
        return len(self.weights)


class Weighing(NamedTuple):
    """The weights that an estimator gives to a sample.

    Attributes:
        weights: Importance weights before clipping, ``(n,)``.
        used: The weights used instead, ``(n,)``.
        clipped: Where clipping made the difference, ``(n,)``.
        contributing: Unit of every row that has both weight and reward, ``(m,)``.
    """

    weights: Floats
    used: Floats
    clipped: NDArray[np.bool_]
    contributing: NDArray[np.int64]


@dataclass(frozen=True)
class Estimator:
    """An estimator as a function of sums over impressions.

    Whatever the family, an off-policy estimate is a smooth function of a few sums. Saying it that
    way is what lets a log be read once, in pieces and on several machines, and what gives every
    estimator its bootstrap interval for free: the same function of resampled sums. A ratio is thus
    always resampled as a ratio.

    Attributes:
        name: Registered name.
        terms: What is summed: from a sample to ``(N, m)``.
        value: From the sums ``(..., m)`` to the estimate ``(...)``; NaN where it is undefined.
        used: From importance weights to the weights that the estimator gives them, ``(N,)``.
        clip: Largest weight that is kept, infinite if all are.
        noun: What has a weight, for messages.
    """

    noun: ClassVar[str] = "impression"

    name: str
    terms: Callable[[Any], Floats]
    value: Callable[[Floats], Floats]
    used: Callable[[Floats], Floats]
    clip: float = float("inf")

    @property
    def width(self) -> int:
        """Number of sums, m."""
        empty = Sample(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))
        return int(self.terms(empty).shape[1])

    def weigh(self, sample: Any) -> Weighing:
        """Return what the diagnostics look at."""
        weights: Floats = sample.weights
        contributing = sample.units[(weights != 0) & (sample.rewards != 0)]
        return Weighing(weights, self.used(weights), weights > self.clip, contributing)

    def __call__(self, weights: Any, rewards: Any) -> float:
        """Return the estimate for arrays that are all there, both ``(N,)``."""
        weights = np.asarray(weights, dtype=np.float64)
        rewards = np.asarray(rewards, dtype=np.float64)
        sample = Sample(weights, rewards, np.arange(len(weights)))
        return float(self.value(self.terms(sample).sum(axis=0)))
