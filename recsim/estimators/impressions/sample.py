"""What estimators of impressions are given: weights, rewards and predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Floats, Ints
from recsim.estimators.estimator import (
    PREDICTED,
    Estimator,
    LoggedSample,
    Weighing,
    check_units,
    refuse,
)

_BLOCK = 2**15  # rows that are processed at a time, so that they stay in the cache


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predictions of a reward model q for N impressions.

    Attributes:
        logged: q(x_i, a_i), the expected reward of the logged item, ``(N,)``.
        expected: V_i, the sum of pi(a | x_i) q(x_i, a) over all actions a, ``(N,)``.
    """

    logged: Floats
    expected: Floats


@dataclass(frozen=True, eq=False)
class Actions:
    """Probabilities and predictions of all A actions at N impressions.

    Attributes:
        policy: pi(a | x_i), ``(N, A)``.
        logging: mu(a | x_i), ``(N, A)``.
        model: q(x_i, a), ``(N, A)``.
    """

    policy: Floats
    logging: Floats
    model: Floats


@dataclass(frozen=True, eq=False)
class Sample(LoggedSample):
    """N logged impressions with their weights under the evaluated policy.

    Attributes:
        weights: Importance weight pi / mu of each impression, ``(N,)``.
        rewards: Its reward, ``(N,)``.
        units: Number of the independent unit that it belongs to, ``(N,)``, at least 0: its user,
            or itself. Bootstrap intervals resample units.
        policy: pi of the logged item, ``(N,)``, where an estimator needs it.
        model: Predictions of the reward model, where an estimator needs one.
        weighted_model: The same for ``mrdr``, whose reward model is fitted with weights.
        actions: Probabilities and predictions of every action, where an estimator needs them.
        whole: Whether no unit has impressions in another sample of the same log.
        adaptive: Whether the logging policy learned while it made the log.
    """

    described: ClassVar = {
        "model": "the predictions of a reward model for the logged items, and their mean under the "
        "policy",
        "weighted_model": "the predictions of a reward model that is fitted with weights "
        "pi (1 - mu) / mu^2",
        "policy": "the policy's own probability of each logged item",
        "actions": "pi, mu and the reward model's prediction of every action",
    }

    weights: Floats
    rewards: Floats
    units: Ints
    policy: Floats | None = None
    model: Prediction | None = None
    weighted_model: Prediction | None = None
    actions: Actions | None = None
    whole: bool = False
    adaptive: bool = False

    def __post_init__(self) -> None:
        shapes = {self.weights.shape, self.rewards.shape, self.units.shape}
        if len(shapes) != 1 or self.weights.ndim != 1:
            raise ValueError(f"weights, rewards and units must all be (N,); got {shapes}.")
        _check("weights", self.weights, least=0)
        _check("rewards", self.rewards)
        check_units(self.units)
        for name in ("model", "weighted_model"):
            model = getattr(self, name)
            if model is not None:
                self._check_like(f"{name}.logged", model.logged)
                self._check_like(f"{name}.expected", model.expected)
        if self.policy is not None:
            self._check_like("policy", self.policy)
        if self.actions is not None:
            tables = {name: getattr(self.actions, name) for name in ("policy", "logging", "model")}
            shapes = {table.shape for table in tables.values()}
            shape = next(iter(shapes))
            if len(shapes) != 1 or len(shape) != 2 or shape[0] != len(self):
                raise ValueError(f"actions must all be ({len(self)}, A); got {shapes}.")
            for name, table in tables.items():
                refuse(~np.isfinite(table), f"actions.{name}", table, "not finite")

    def __len__(self) -> int:
        """Return N."""
        return len(self.weights)

    def _check_like(self, name: str, values: Floats) -> None:
        if values.shape != self.weights.shape:
            raise ValueError(f"{name} must be {self.weights.shape}; got {values.shape}.")
        _check(name, values)


def _check(name: str, values: NDArray[Any], least: float = -np.inf) -> None:
    """Refuse values that are not finite or below ``least``; cheap where all are valid."""
    if not values.size:
        return
    # A sum of squares is finite only if every number is; huge ones are checked one by one.
    finite = values.dtype.kind != "f" or np.isfinite(values @ values)
    if not (finite and (least == -np.inf or values.min() >= least)):
        refuse(~np.isfinite(values), name, values, "not finite")
        refuse(values < least, name, values, "below zero")


def unrestrained(weights: Floats) -> Floats:
    """Return the weights as they are."""
    return weights


@dataclass(frozen=True)
class ImpressionEstimator(Estimator):
    """An estimator as a function of sums over impressions; also a function of arrays.

    Attributes:
        used: From importance weights to the weights that the estimator gives them, ``(N,)``.
    """

    used: Callable[[Floats], Floats] = unrestrained

    def weigh(self, sample: Sample) -> Weighing:
        """Return the weights that the diagnostics examine."""
        weights = sample.weights
        used = self.used(weights)
        cut = 0.0
        if self.mean and used is not weights:
            model = sample.weighted_model if "weighted_model" in self.needs else sample.model
            expected = model.logged if model is not None and self.needs & PREDICTED else 0.0
            cut = float((weights - used) @ (sample.rewards - expected))
        rewarded = np.abs(used * sample.rewards)
        return Weighing(weights, used, weights > self.clip, rewarded, cut)

    def __call__(
        self,
        weights: Any,
        rewards: Any = None,
        *,
        q: Any = None,
        v: Any = None,
        policy: Any = None,
        actions: Actions | None = None,
    ) -> float:
        """Return the estimate for a sample, or for arrays; all estimators take the same ones.

        Args:
            weights: Importance weights, ``(N,)``; or a `Sample`, and nothing else.
            rewards: Rewards, ``(N,)``.
            q: The reward model's prediction for the logged items, ``(N,)``, where it is needed.
            v: The mean of the predictions under the policy, ``(N,)``, where it is needed.
            policy: The policy's probability of the logged items, ``(N,)``, where it is needed.
            actions: Probabilities and predictions of every action, where they are needed.

        Returns:
            Reward per impression; NaN where it is undefined: without an impression, or where a
            ratio divides by a sum of weights that is zero.

        Raises:
            EstimationError: If the estimator needs an array that is not given.
        """
        if isinstance(weights, Sample):
            return super().__call__(weights)
        weights, rewards = _floats(weights), _floats(rewards)
        q, v, policy = (None if values is None else _floats(values) for values in (q, v, policy))
        if not weights.shape == rewards.shape == (weights.size,):
            shapes = {weights.shape, rewards.shape}
            raise ValueError(f"weights and rewards must both be (N,); got {shapes}.")
        total = np.zeros(self.width or 0)
        block = min(len(weights), _BLOCK)
        units, ones = np.arange(block), np.ones(block)
        for start in range(0, max(len(weights), 1), _BLOCK):
            rows = slice(start, start + _BLOCK)
            model = None if q is None or v is None else Prediction(q[rows], v[rows])
            try:
                sample = Sample(
                    weights[rows],
                    rewards[rows],
                    units[: len(weights[rows])],
                    None if policy is None else policy[rows],
                    model,
                    model,
                    None if actions is None else _rows(actions, rows),
                )
            except ValueError:
                model = None if q is None or v is None else Prediction(q, v)
                every = np.arange(len(weights))
                Sample(weights, rewards, every, policy, model, None, actions)  # names the row
                raise
            terms = self.terms(sample)
            total += ones[: len(terms)] @ terms  # several times as fast as sum(axis=0)
        return float(self.value(total))


def _floats(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _rows(actions: Actions, rows: slice) -> Actions:
    return Actions(actions.policy[rows], actions.logging[rows], actions.model[rows])
