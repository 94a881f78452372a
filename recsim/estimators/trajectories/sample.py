"""What estimators of trajectories are given: rewards, ratios and predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from recsim.arrays import Bools, Floats, Ints
from recsim.errors import EstimationError
from recsim.estimators.estimator import Estimator, LoggedSample, Weighing, check_units, refuse
from recsim.estimators.weights import probability_ratio, running_product

_PADDING = {"rewards": 0.0, "ratios": 1.0, "action_values": 0.0, "expected_values": 0.0}


@dataclass(frozen=True, eq=False)
class TrajectorySample(LoggedSample):
    """n logged trajectories of at most T steps, with their ratios under the evaluated policy.

    Shorter ones are padded at the end with reward 0 and ratio 1, so that the cumulative weight
    remains what it was when the trajectory ended. Sums over trajectories are divided by all n,
    ended or not.

    Attributes:
        rewards: r_t, ``(n, T)``.
        ratios: rho_t, probability of what was shown at step t under the evaluated policy over that
            under the logging policy, ``(n, T)``.
        units: Number of the independent unit that each trajectory belongs to, ``(n,)``.
        lengths: Steps of each trajectory, ``(n,)``; by default T.
        discount: gamma: a reward t steps ahead counts gamma^t.
        action_values: Q_t of what was shown, ``(n, T)``; the value to go from step t on.
        expected_values: V_t, the mean of Q_t under the evaluated policy, ``(n, T)``.
        states: Number of the state before each step, ``(n, T)``, for marginalised importance
            sampling; the values at padding are ignored.
        whole: Whether no unit has trajectories in another sample of the same log.
        adaptive: Whether the logging policy learned while it made the log.
    """

    described: ClassVar = {
        "action_values": "a model of the value to go",
        "expected_values": "a model of the value to go",
        "states": "the state before every step",
    }

    rewards: Floats
    ratios: Floats
    units: Ints
    lengths: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    discount: float = 1.0
    action_values: Floats | None = None
    expected_values: Floats | None = None
    states: Ints | None = None
    whole: bool = False
    adaptive: bool = False

    def __post_init__(self) -> None:
        if self.rewards.ndim != 2:
            raise ValueError(f"rewards must be (n, T); got {self.rewards.shape}.")
        n, steps = self.rewards.shape
        if not self.lengths.size:
            object.__setattr__(self, "lengths", np.full(n, steps))
        if not 0 <= self.discount <= 1:
            raise EstimationError(f"discount must be from 0 to 1, got {self.discount}.")
        if self.units.shape != (n,) or self.lengths.shape != (n,):
            shapes = f"{self.units.shape} and {self.lengths.shape}"
            raise ValueError(f"units and lengths must be ({n},); got {shapes}.")
        check_units(self.units)
        if ((self.lengths < 0) | (self.lengths > steps)).any():
            raise ValueError(f"lengths must be from 0 to {steps}.")
        after = ~self.within
        for name, filler in _PADDING.items():
            values = getattr(self, name)
            if values is None:
                continue
            if values.shape != (n, steps):
                raise ValueError(f"{name} has shape {values.shape}; it must be {(n, steps)}.")
            refuse(~np.isfinite(values), name, values, "not finite")
            refuse((values != filler) & after, name, values, f"not {filler:g} after the end")
        refuse(self.ratios < 0, "ratios", self.ratios, "below zero")
        if self.states is not None:
            if self.states.shape != (n, steps):
                raise ValueError(f"states has shape {self.states.shape}; it must be {(n, steps)}.")
            refuse((self.states < 0) & self.within, "states", self.states, "below zero")

    def __len__(self) -> int:
        """Return n."""
        return len(self.units)

    @property
    def steps(self) -> int:
        """T, the number of columns."""
        return int(self.rewards.shape[1])

    @cached_property
    def within(self) -> Bools:
        """True before the end of each trajectory, ``(n, T)``."""
        return np.arange(self.steps) < self.lengths[:, None]

    @cached_property
    def discounts(self) -> Floats:
        """gamma^t, ``(T,)``."""
        return np.asarray(self.discount ** np.arange(self.steps), dtype=np.float64)

    @cached_property
    def cumulative(self) -> Floats:
        """c_t, the product of the ratios up to step t, ``(n, T)``.

        Raises:
            EstimationError: If a product is too large for a floating-point number.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            weights = running_product(self.ratios)
        if not np.isfinite(weights).all():
            row, step = np.argwhere(~np.isfinite(weights))[0]
            raise EstimationError(
                f"The weight of trajectory {row} overflows after {step + 1} steps: the policies "
                "differ too much for whole trajectories. Use fewer steps, or 'mis'."
            )
        return weights

    @property
    def returns(self) -> Floats:
        """G, the discounted sum of rewards of each trajectory, ``(n,)``."""
        total: Floats = self.rewards @ self.discounts
        return total

    @classmethod
    def of_steps(
        cls,
        episodes: Any,
        rewards: Any,
        evaluated: Any,
        logged: Any,
        **options: Any,
    ) -> Self:
        """Build a sample from the steps of all trajectories, one after the other.

        Args:
            episodes: Number of the trajectory that each step belongs to, ``(M,)``, ascending; the
                steps of a trajectory are in the order of time. Every number is a trajectory.
            rewards: ``(M,)``.
            evaluated: Probability of what was shown under the evaluated policy, ``(M,)``.
            logged: Its probability under the logging policy, ``(M,)``.
            **options: Further arguments of `of_ratios`.

        Raises:
            EstimationError: If a logged probability is missing or outside (0, 1], an evaluated one
                outside [0, 1] (names the row), or the horizon is not above zero.
        """
        return cls.of_ratios(episodes, rewards, probability_ratio(evaluated, logged), **options)

    @classmethod
    def of_ratios(
        cls,
        episodes: Any,
        rewards: Any,
        ratios: Any,
        *,
        horizon: int | None = None,
        units: Any = None,
        discount: float = 1.0,
        action_values: Any = None,
        expected_values: Any = None,
        states: Any = None,
        whole: bool = False,
        adaptive: bool = False,
    ) -> Self:
        """Build a sample as `of_steps` does, from the ratios of the probabilities.

        Args:
            episodes: See `of_steps`.
            rewards: ``(M,)``.
            ratios: rho, ``(M,)``.
            horizon: T: longer trajectories are cut off there. By default the longest.
            units: Independent unit of each trajectory, ``(n,)``; by default each is one.
            discount: gamma.
            action_values: Q, ``(M,)``.
            expected_values: V, ``(M,)``.
            states: ``(M,)``.
            whole: See `TrajectorySample`.
            adaptive: See `TrajectorySample`.

        Raises:
            EstimationError: If the horizon is not above zero.
        """
        numbers = np.asarray(episodes, dtype=np.int64)
        if (np.diff(numbers) < 0).any():
            raise ValueError("episodes must be ascending: the steps of a trajectory in one piece.")
        _, starts, lengths = np.unique(numbers, return_index=True, return_counts=True)
        longest = int(lengths.max(initial=0))
        if horizon is not None and horizon < 1:
            raise EstimationError(f"horizon must be at least 1 step, got {horizon}.")
        steps = longest if horizon is None else horizon
        at = np.arange(len(numbers)) - np.repeat(starts, lengths)  # (M,), step of each row
        kept = at < steps
        place = np.repeat(np.arange(len(starts)), lengths)[kept], at[kept]

        def padded(values: Any, filler: float) -> Any:
            if values is None:
                return None
            values = np.asarray(values)
            kind = np.int64 if values.dtype.kind in "iu" and filler < 0 else np.float64
            table = np.full((len(starts), steps), filler, dtype=kind)
            table[place] = values[kept]
            return table

        return cls(
            padded(rewards, 0.0),
            padded(ratios, 1.0),
            np.arange(len(starts)) if units is None else np.asarray(units),
            np.minimum(lengths, steps),
            discount,
            padded(action_values, 0.0),
            padded(expected_values, 0.0),
            padded(states, -1),
            whole,
            adaptive,
        )


# Weights before clipping, those used, and where the two differ; each (n,) or, by step, (n, T).
ClippedWeights = tuple[Floats, Floats, Bools]


@dataclass(frozen=True)
class TrajectoryEstimator(Estimator):
    """An estimator of the value of a trajectory, as a function of sums over trajectories.

    Attributes:
        weights: From a sample to its `ClippedWeights`.
    """

    noun: str = "step"
    weights: Callable[[TrajectorySample], ClippedWeights] = field(kw_only=True)

    def weigh(self, sample: TrajectorySample) -> Weighing:
        """Return the weights that the diagnostics examine."""
        weights, used, clipped = self.weights(sample)
        if weights.ndim == 1:
            return Weighing(weights, used, clipped, np.abs(used * sample.returns))
        rewarded = np.abs(used * sample.rewards) @ sample.discounts
        at = sample.within  # (n, T) -> (steps,)
        return Weighing(weights[at], used[at], clipped[at], rewarded)
