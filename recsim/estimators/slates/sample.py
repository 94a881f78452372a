"""What estimators of slates are given: rewards, weights and predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np

from recsim.arrays import Bools, Floats, Ints
from recsim.errors import EstimationError
from recsim.estimators.estimator import Estimator, LoggedSample, Weighing, check_units, refuse
from recsim.estimators.weights import probability_ratio


@dataclass(frozen=True, eq=False)
class SlateSample(LoggedSample):
    """N logged slates of K positions with their weights under the evaluated policy.

    Every estimator needs some of the optional columns. An empty position has reward 0 and weight 1
    (a prefix that ends there has the weight of the prefix before it).

    Attributes:
        rewards: Reward of each slate, ``(N,)``.
        units: Number of the independent unit that each slate belongs to, ``(N,)``, at least 0.
        slot_rewards: Reward r_k of the item at each position, ``(N, K)``; sums to ``rewards``.
        slot_weights: w_k, ratio of the probabilities of the item at its position, ``(N, K)``.
        prefix_weights: w_1:k, ratio of the probabilities of the first k items, ``(N, K)``.
        slate_weights: w_1:K, ratio of the probabilities of the whole slate, ``(N,)``; by default
            the last of the prefix weights.
        additive_weights: Weight of each slate in the pseudo-inverse estimator, ``(N,)``; may be
            below zero. See `recsim.estimators.slates.pseudo_inverse`.
        action_values: Q_k of the item shown after those before it, ``(N, K)``.
        expected_values: Mean of Q_k over what the evaluated policy would show at k after the same
            items, ``(N, K)``.
        shown: False at empty positions, ``(N, K)``; by default no position is empty.
        whole: Whether no unit has slates in another sample of the same log.
        adaptive: Whether the logging policy learned while it made the log.
    """

    described: ClassVar = {
        "slot_rewards": "the reward of every item shown",
        "slot_weights": "the probability of each item at its position, under both policies",
        "prefix_weights": "the probability of the first k items of the slate, under both policies",
        "slate_weights": "the probability of the whole slate, under both policies",
        "additive_weights": "the pseudo-inverse weight of every slate",
        "action_values": "a model of the value to go from every position",
        "expected_values": "a model of the value to go from every position",
    }

    rewards: Floats
    units: Ints
    slot_rewards: Floats | None = None
    slot_weights: Floats | None = None
    prefix_weights: Floats | None = None
    slate_weights: Floats | None = None
    additive_weights: Floats | None = None
    action_values: Floats | None = None
    expected_values: Floats | None = None
    shown: Bools | None = None
    whole: bool = False
    adaptive: bool = False

    def __post_init__(self) -> None:
        if self.slate_weights is None and self.prefix_weights is not None:
            object.__setattr__(self, "slate_weights", self.prefix_weights[:, -1])
        check_units(self.units)
        rows, slots = len(self.units), self.slots
        for column in fields(self):
            values = getattr(self, column.name)
            if values is None or column.name in ("whole", "adaptive"):
                continue
            shape = (rows,) if column.name in _PER_SLATE else (rows, slots)
            if values.shape != shape:
                raise ValueError(f"{column.name} has shape {values.shape}; it must be {shape}.")
            least = values.min(initial=0)  # NaN if any is
            if not (least > -np.inf and values.max(initial=0) < np.inf):
                refuse(~np.isfinite(values), column.name, values, "not finite")
            if least < 0 and column.name in _NOT_NEGATIVE:
                refuse(values < 0, column.name, values, "below zero")
            if column.name in _ZERO_IF_EMPTY and self.shown is not None:
                refuse((values != 0) & ~self.shown, column.name, values, "at an empty position")

    def __len__(self) -> int:
        """Return N."""
        return len(self.units)

    @property
    def slots(self) -> int | None:
        """Number of positions K; None if no column has it."""
        for name in ("slot_rewards", "slot_weights", "prefix_weights", "action_values", "shown"):
            values = getattr(self, name)
            if values is not None and values.ndim == 2:
                return int(values.shape[1])
        return None

    @classmethod
    def of_slots(
        cls,
        slot_rewards: Any,
        *,
        units: Any = None,
        marginals: tuple[Any, Any] | None = None,
        prefixes: tuple[Any, Any] | None = None,
        slates: tuple[Any, Any] | None = None,
        shown: Any = None,
        **columns: Any,
    ) -> Self:
        """Build a sample from probabilities, each given as a pair (evaluated, logged).

        Args:
            slot_rewards: Reward of the item at each position, ``(N, K)``.
            units: Independent units, ``(N,)``; by default every slate is one.
            marginals: Probability of the item at its position, each ``(N, K)``.
            prefixes: Probability of the first k items, each ``(N, K)``.
            slates: Probability of the whole slate, each ``(N,)``.
            shown: False at empty positions, ``(N, K)``.
            **columns: Further columns of the sample.

        Raises:
            EstimationError: If a logged probability is outside (0, 1], or an evaluated one outside
                [0, 1]. The message names the row.
        """
        rewards = np.asarray(slot_rewards, dtype=np.float64)
        mask = None if shown is None else np.asarray(shown, dtype=np.bool_)
        rows = np.arange(len(rewards)) if units is None else np.asarray(units)
        if marginals is not None:
            columns["slot_weights"] = probability_ratio(*marginals, shown=mask)
        if prefixes is not None:
            columns["prefix_weights"] = probability_ratio(*prefixes, name="prefix propensity")
        if slates is not None:
            columns["slate_weights"] = probability_ratio(*slates, name="slate propensity")
        return cls(rewards.sum(axis=1), rows, slot_rewards=rewards, shown=mask, **columns)


def check_position_weights(position_weights: Any, slots: int) -> Floats:
    """Return alpha_k, ``(K,)``.

    Raises:
        EstimationError: If they are not K finite numbers.
    """
    alpha = np.asarray(position_weights, dtype=np.float64)
    if alpha.shape != (slots,) or not np.isfinite(alpha).all():
        raise EstimationError(
            f"position_weights must be {slots} finite numbers, one per position; got "
            f"{alpha.tolist()}."
        )
    return alpha


_PER_SLATE = ("rewards", "units", "slate_weights", "additive_weights")
_NOT_NEGATIVE = ("slot_weights", "prefix_weights", "slate_weights")
_ZERO_IF_EMPTY = ("slot_rewards", "action_values", "expected_values")


@dataclass(frozen=True)
class SlateEstimator(Estimator):
    """An estimator of the value of a slate, as a function of sums over slates.

    Attributes:
        weights: Column of the sample that holds its weights. Where it has a weight for every
            position, the diagnostics count items shown, not slates.
        used: From these weights to those that the estimator uses.
    """

    weights: str = "slate_weights"
    used: Callable[[Floats], Floats] = np.asarray

    def weigh(self, sample: SlateSample) -> Weighing:
        """Return the weights that the diagnostics examine."""
        weights = sample.need(self.weights, self.name)
        rewards = sample.rewards if weights.ndim == 1 else sample.need("slot_rewards", self.name)
        rewarded = np.abs(self.used(weights) * rewards)
        if weights.ndim == 2:
            rewarded = rewarded.sum(axis=1)
            everywhere = sample.shown is None or sample.shown.all()
            weights = weights.ravel() if everywhere else weights[sample.shown]
        clipped = np.abs(weights) > self.clip
        return Weighing(weights, self.used(weights), clipped, rewarded)
