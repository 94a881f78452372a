"""What every estimator of the value of a slate is given, and what such an estimator is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recsim.errors import UserError
from recsim.estimators.impressions.sample import Estimator, Floats, Weighing
from recsim.estimators.ratios import probability_ratio

_NEEDED = {
    "slot_rewards": "the reward of every item shown",
    "slot_weights": "the probability of each item at its position, under both policies",
    "prefix_weights": "the probability of the first k items of the slate, under both policies",
    "slate_weights": "the probability of the whole slate, under both policies",
    "additive_weights": "the pseudo-inverse weight of every slate",
    "action_values": "a model of the value to go from every position",
    "expected_values": "a model of the value to go from every position",
}


@dataclass(frozen=True, eq=False)
class SlateSample:
    """N logged slates of K positions, as the evaluated policy sees them.

    An estimator needs some of the optional columns and says which. Nothing is earned at an empty
    position, and its weight is 1 (a prefix keeps the weight that it had).

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
        shown: False at empty positions, ``(N, K)``; by default nothing is empty.
        whole: Whether no unit has slates in another sample of the same log.
    """

    rewards: Floats
    units: NDArray[np.int64]
    slot_rewards: Floats | None = None
    slot_weights: Floats | None = None
    prefix_weights: Floats | None = None
    slate_weights: Floats | None = None
    additive_weights: Floats | None = None
    action_values: Floats | None = None
    expected_values: Floats | None = None
    shown: NDArray[np.bool_] | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        if self.slate_weights is None and self.prefix_weights is not None:
            object.__setattr__(self, "slate_weights", self.prefix_weights[:, -1])
        rows, slots = len(self.units), self.slots
        for column in fields(self):
            values = getattr(self, column.name)
            if values is None or column.name == "whole":
                continue
            shape = (rows,) if column.name in _PER_SLATE else (rows, slots)
            if values.shape != shape:
                raise ValueError(f"{column.name} has shape {values.shape}; it must be {shape}.")
            least = values.min(initial=0)  # NaN if any is
            if not (least > -np.inf and values.max(initial=0) < np.inf):
                _refuse(~np.isfinite(values), column.name, values, "not finite")
            if least < 0 and column.name in _NOT_NEGATIVE:
                _refuse(values < 0, column.name, values, "below zero")
            if column.name in _NOTHING_AT_PADDING and self.shown is not None:
                _refuse((values != 0) & ~self.shown, column.name, values, "on an empty position")

    def __len__(self) -> int:
        """Return N."""
        return len(self.units)

    @property
    def slots(self) -> int | None:
        """Number of positions K; None if no column tells."""
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
            UserError: If a logged probability is not in (0, 1], or an evaluated one not in [0, 1].
                The message names the row.
        """
        rewards = np.asarray(slot_rewards, dtype=np.float64)
        mask = None if shown is None else np.asarray(shown, dtype=np.bool_)
        rows = np.arange(len(rewards)) if units is None else np.asarray(units, dtype=np.int64)
        if marginals is not None:
            columns["slot_weights"] = probability_ratio(*marginals, shown=mask)
        if prefixes is not None:
            columns["prefix_weights"] = probability_ratio(*prefixes, name="prefix propensity")
        if slates is not None:
            columns["slate_weights"] = probability_ratio(*slates, name="slate propensity")
        return cls(rewards.sum(axis=1), rows, slot_rewards=rewards, shown=mask, **columns)

    def at_positions(self, position_weights: Any) -> Self:
        """Return the sample with the rewards of each position multiplied by its weight.

        Args:
            position_weights: alpha_k, how much a reward at each position counts, ``(K,)``.

        Raises:
            UserError: If there are no rewards per position, or not K weights.
        """
        rewards = self.need("slot_rewards", "A weight per position")
        weighted = rewards * check_position_weights(position_weights, rewards.shape[1])
        return replace(self, slot_rewards=weighted, rewards=weighted.sum(axis=1))

    def need(self, column: str, who: str) -> Floats:
        """Return a column.

        Args:
            column: Its name.
            who: Who needs it, for the message.

        Raises:
            UserError: If the sample has no such column.
        """
        values: Floats | None = getattr(self, column)
        if values is None:
            raise UserError(f"{who} needs {column}: {_NEEDED[column]}.")
        return values


def check_position_weights(position_weights: Any, slots: int) -> Floats:
    """Return alpha_k, ``(K,)``.

    Raises:
        UserError: If they are not K finite numbers.
    """
    alpha = np.asarray(position_weights, dtype=np.float64)
    if alpha.shape != (slots,) or not np.isfinite(alpha).all():
        raise UserError(
            f"position_weights must be {slots} finite numbers, one per position; got "
            f"{alpha.tolist()}."
        )
    return alpha


_PER_SLATE = ("rewards", "units", "slate_weights", "additive_weights")
_NOT_NEGATIVE = ("units", "slot_weights", "prefix_weights", "slate_weights")
_NOTHING_AT_PADDING = ("slot_rewards", "action_values", "expected_values")


def _refuse(wrong: NDArray[np.bool_], name: str, values: NDArray[Any], why: str) -> None:
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(f"{name}[{', '.join(map(str, place))}] is {values[place]}: {why}.")


@dataclass(frozen=True)
class SlateEstimator(Estimator):
    """An estimator of the value of a slate, as a function of sums over slates.

    Attributes:
        weights: Column of the sample that holds its weights. Weights per position are judged by
            position: the diagnostics then speak of items shown, not of slates.
        slots: K, needed only to add up a log in pieces where there are sums for every position.
        sums: Number of sums as a function of K.
    """

    weights: str = "slate_weights"
    slots: int | None = None
    sums: Callable[[int], int] = field(default=lambda slots: 2)

    @property
    def width(self) -> int:
        """Number of sums, m."""
        if self.slots is None:
            raise ValueError(f"{self.name} can be added up only if it knows the number of slots.")
        return self.sums(self.slots)

    def of(self, sample: SlateSample) -> float:
        """Return the estimate for a sample that is all there."""
        return float(self.value(self.terms(sample).sum(axis=0)))

    def weigh(self, sample: SlateSample) -> Weighing:
        """Return what the diagnostics look at."""
        weights = sample.need(self.weights, self.name)
        rewards = sample.rewards if weights.ndim == 1 else sample.need("slot_rewards", self.name)
        earning = (weights != 0) & (rewards != 0)
        if weights.ndim == 2:
            earning = earning.any(axis=1)
            everywhere = sample.shown is None or sample.shown.all()
            weights = weights.ravel() if everywhere else weights[sample.shown]
        clipped = np.abs(weights) > self.clip
        return Weighing(weights, self.used(weights), clipped, sample.units[earning])
