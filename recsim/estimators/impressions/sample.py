"""What every off-policy estimator is given, and what an estimator is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsim.errors import UserError

Floats = NDArray[np.float64]

_BLOCK = 2**15  # rows that are worked on at a time, so that they stay in the cache

_SPEAKING = {
    "model": "a reward model: its prediction for the logged item, and its mean under the policy",
    "weighted_model": "a reward model that is fitted for it, with weights pi (1 - mu) / mu^2",
    "policy": "the policy's own probability of each logged item",
    "actions": "pi, mu and the reward model's prediction of every action",
}


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a reward model q says of N impressions.

    Attributes:
        logged: q(x_i, a_i), the reward expected of the logged item, ``(N,)``.
        expected: V_i, the sum of pi(a | x_i) q(x_i, a) over all actions a, ``(N,)``.
    """

    logged: Floats
    expected: Floats


@dataclass(frozen=True, eq=False)
class Actions:
    """What is known of every action at N impressions, A of them each.

    Attributes:
        policy: pi(a | x_i), ``(N, A)``.
        logging: mu(a | x_i), ``(N, A)``.
        model: q(x_i, a), ``(N, A)``.
    """

    policy: Floats
    logging: Floats
    model: Floats


@dataclass(frozen=True, eq=False)
class Sample:
    """N logged impressions, as the evaluated policy sees them.

    Attributes:
        weights: Importance weight pi / mu of each impression, ``(N,)``.
        rewards: Its reward, ``(N,)``.
        units: Number of the independent unit that it belongs to, ``(N,)``, at least 0: its user,
            or itself. What bootstrap intervals resample.
        policy: pi of the logged item, ``(N,)``, where an estimator needs it.
        model: What the reward model says, where an estimator needs one.
        weighted_model: The same for ``mrdr``, whose reward model is fitted with weights.
        actions: What is known of every action, where an estimator needs it.
        whole: Whether no unit has impressions in another sample of the same log.
    """

    weights: Floats
    rewards: Floats
    units: NDArray[np.int64]
    policy: Floats | None = None
    model: Prediction | None = None
    weighted_model: Prediction | None = None
    actions: Actions | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        shapes = {self.weights.shape, self.rewards.shape, self.units.shape}
        if len(shapes) != 1 or self.weights.ndim != 1:
            raise ValueError(f"weights, rewards and units must be (N,), all alike; got {shapes}.")
        _check("weights", self.weights, least=0)
        _check("rewards", self.rewards)
        _check("units", self.units, least=0)
        for name in ("model", "weighted_model"):
            model = getattr(self, name)
            if model is not None:
                self._check_like(f"{name}.logged", model.logged)
                self._check_like(f"{name}.expected", model.expected)
        if self.policy is not None:
            self._check_like("policy", self.policy)
        if self.actions is not None:
            tables = (self.actions.policy, self.actions.logging, self.actions.model)
            shapes = {table.shape for table in tables}
            if len(shapes) != 1 or tables[0].ndim != 2 or len(tables[0]) != len(self):
                raise ValueError(f"actions must be ({len(self)}, A), all alike; got {shapes}.")
            for name, table in zip(("policy", "logging", "model"), tables, strict=True):
                wrong = ~np.isfinite(table).all(axis=1)
                if wrong.any():
                    row = int(np.argmax(wrong))
                    raise ValueError(f"actions.{name}[{row}] holds a number that is not finite.")

    def __len__(self) -> int:
        """Return N."""
        return len(self.weights)

    def _check_like(self, name: str, values: Floats) -> None:
        if values.shape != self.weights.shape:
            raise ValueError(f"{name} must be {self.weights.shape}; got {values.shape}.")
        _check(name, values)


class Weighing(NamedTuple):
    """The weights that an estimator gives to a sample, for the diagnostics.

    Attributes:
        weights: Importance weights before clipping, ``(n,)``.
        used: The weights used instead, ``(n,)``.
        clipped: Where clipping made the difference, ``(n,)``.
        contributing: Unit of every row that has both weight and reward, ``(m,)``.
        cut: Sum of (w - w used)(r - q): what the estimate would have more without clipping; 0 where
            that is not known.
    """

    weights: Floats
    used: Floats
    clipped: NDArray[np.bool_]
    contributing: NDArray[np.int64]
    cut: float = 0.0


@dataclass(frozen=True)
class Estimator:
    """An estimator as a function of sums over impressions.

    Whatever the family, an off-policy estimate is a smooth function of a few sums. Saying it that
    way is what lets a log be read once, in pieces and on several machines, and what gives every
    estimator its intervals for free: the same function of resampled sums, or its derivative by
    them. A ratio is thus always resampled as a ratio.

    Attributes:
        name: Registered name.
        terms: What is summed: from a sample to ``(N, m)``.
        value: From the sums ``(..., m)`` to the estimate ``(...)``; NaN where it is undefined. Must
            take complex sums too (sums, products and quotients do), for its exact derivative.
        used: From importance weights to the weights that the estimator gives them, ``(N,)``.
        clip: Largest weight that is kept, infinite if all are.
        parameter: Its parameter and what it is set to, e.g. ``clip=10``; empty if it has none.
        mean: Whether the estimate is the mean of the second column of terms, the first being 1.
        needs: Which further fields of the sample it reads.
        assumes: ``model`` if it trusts the reward model alone, ``uniform`` if it takes the items
            for logged uniformly at random; empty if it does neither.
        noun: What has a weight, for messages.
        undivided: Whether terms depend on the rest of the sample, which must hold the whole log.
    """

    name: str
    terms: Callable[[Any], Floats]
    value: Callable[[Floats], Floats]
    used: Callable[[Floats], Floats]
    clip: float = float("inf")
    parameter: str = ""
    mean: bool = False
    needs: frozenset[str] = frozenset()
    assumes: Literal["", "model", "uniform"] = ""
    noun: str = "impression"
    undivided: bool = False

    @property
    def width(self) -> int:
        """Number of sums, m."""
        none, no_table = np.zeros(0), np.zeros((0, 0))
        nothing = Prediction(none, none)
        actions = Actions(no_table, no_table, no_table)
        units = np.zeros(0, dtype=np.int64)
        empty = Sample(none, none, units, none, nothing, nothing, actions)
        return int(self.terms(empty).shape[1])

    def weigh(self, sample: Any) -> Weighing:
        """Return what the diagnostics look at."""
        weights: Floats = sample.weights
        contributing = sample.units[(weights != 0) & (sample.rewards != 0)]
        used = self.used(weights)
        cut = 0.0
        if self.mean and used is not weights:
            model = sample.weighted_model if "weighted_model" in self.needs else sample.model
            expected = model.logged if model is not None and self.needs else 0.0
            cut = float((weights - used) @ (sample.rewards - expected))
        return Weighing(weights, used, weights > self.clip, contributing, cut)

    def check(self, sample: Any) -> None:
        """Refuse a sample that lacks what the estimator needs.

        Raises:
            UserError: Says what is lacking.
        """
        for name in sorted(self.needs):
            if getattr(sample, name) is None:
                raise UserError(f"{self.name} needs {_SPEAKING[name]}.")

    def gradient(self, sums: Floats) -> Floats:
        """Return the derivative of the estimate by each of its sums, ``(m,)``, exactly.

        By the complex step (Squire and Trapp 1998): f(x + ih) = f(x) + ih f'(x) up to h^2.
        """
        step = 1e-100
        moved = sums + 1j * step * np.eye(len(sums))  # (m, m), one sum moved at a time
        slopes: Floats = np.imag(self.value(moved)) / step
        return slopes

    def __call__(
        self,
        weights: Any,
        rewards: Any,
        *,
        q: Any = None,
        v: Any = None,
        policy: Any = None,
        actions: Actions | None = None,
    ) -> float:
        """Return the estimate for arrays that are all there; every estimator takes the same.

        Args:
            weights: Importance weights, ``(N,)``.
            rewards: Rewards, ``(N,)``.
            q: What the reward model says of the logged items, ``(N,)``, where it is needed.
            v: The model's mean under the policy, ``(N,)``, where it is needed.
            policy: The policy's probability of the logged items, ``(N,)``, where it is needed.
            actions: What is known of every action, where it is needed.

        Raises:
            UserError: If something is needed and not given.
        """
        weights, rewards = _floats(weights), _floats(rewards)
        q, v, policy = (None if values is None else _floats(values) for values in (q, v, policy))
        if not weights.shape == rewards.shape == (weights.size,):
            shapes = {weights.shape, rewards.shape}
            raise ValueError(f"weights and rewards must be (N,), all alike; got {shapes}.")
        total = np.zeros(self.width)
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
            self.check(sample)
            terms = self.terms(sample)
            total += ones[: len(terms)] @ terms  # several times as fast as sum(axis=0)
        return float(self.value(total))


def columns(*terms: Any) -> Floats:
    """Put terms side by side, ``(N, m)``, each column in one piece.

    Args:
        *terms: ``(N,)`` each, or numbers; a pair of terms stands for their product.
    """
    flat = [part for term in terms for part in (term if isinstance(term, tuple) else (term,))]
    size = next(len(part) for part in flat if np.ndim(part))
    table = np.empty((len(terms), size))
    for row, term in zip(table, terms, strict=True):
        if isinstance(term, tuple):
            np.multiply(term[0], term[1], out=row)
        else:
            row[:] = term
    return table.T


def ratio(sums: Floats) -> Floats:
    """Return the second sum over the first, NaN where that is zero; ``(..., m)`` to ``(...)``."""
    return quotient(sums[..., 1], sums[..., 0])


def quotient(above: Floats, below: Floats) -> Floats:
    """Return ``above / below``, NaN where that is undefined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below == 0, np.nan, above / below)


def _floats(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _rows(actions: Actions, rows: slice) -> Actions:
    return Actions(actions.policy[rows], actions.logging[rows], actions.model[rows])


def _check(name: str, values: NDArray[Any], least: float | None = None) -> None:
    """Refuse what is not finite or below ``least``; a sound array costs little."""
    if not values.size:
        return
    # A sum of squares is finite only if every number is; huge ones get a second look.
    finite = values.dtype.kind != "f" or np.isfinite(values @ values)
    if finite and (least is None or values.min() >= least):
        return
    sound = np.isfinite(values)
    fault = "not finite"
    if sound.all():
        sound, fault = values >= (-np.inf if least is None else least), "below zero"
    if not sound.all():
        row = int(np.argmin(sound))
        raise ValueError(f"{name}[{row}] is {values[row]}: {fault}.")
