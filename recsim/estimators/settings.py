"""Settings that all families of estimators share: intervals, and limits of the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypedDict

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from recsim.errors import EstimationError
from recsim.settings import validated

IntervalKind = Literal["hall", "t", "bca", "bootstrap", "bernstein", "hoeffding"]
LimitRule = Literal["slope", "mse"]
Limit = float | LimitRule

DEFAULT_CLIP = 10.0

RESAMPLING: tuple[IntervalKind, ...] = ("bca", "bootstrap")
"""Kinds of intervals that resample the log."""

# Each end of a resampled interval has this many estimates beyond it, or more: with fewer, where it
# lies is chance.
_BEYOND = 5


def _number_or_rule(wanted: str) -> WrapValidator:
    """Return a check that reports one mistake, where pydantic reports one per possible type."""

    def check(value: Any, inner: ValidatorFunctionWrapHandler) -> Limit:
        try:
            limit: Limit = inner(value)
        except ValidationError:
            raise ValueError(
                f"must be a number {wanted}, 'slope' or 'mse', not {value!r}"
            ) from None
        return limit

    return WrapValidator(check)


_Positive = Annotated[float, Field(strict=True, gt=0)]
_NonNegative = Annotated[float, Field(strict=True, ge=0)]
_Share = Annotated[float, Field(strict=True, ge=0, le=1)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def of(cls, given: BaseModel | None, changes: Mapping[str, Any]) -> Self:
        """Return settings, the given ones or the defaults, with changes.

        Args:
            given: Settings of this class or of one from which it inherits.
            changes: What is different, by name.

        Raises:
            UserError: If a name is unknown or a value out of range.
        """
        if isinstance(given, cls) and not changes:
            return given
        return validated(cls, {**dict(given or ()), **changes}, "estimation")


class IntervalChoice(_Settings):
    """Kind of the interval around an estimate.

    Attributes:
        interval: The kind; see `recsim.estimators.intervals`.
        bound: Width of the range in which a term must lie, for ``bernstein`` and ``hoeffding``.
    """

    interval: IntervalKind = "hall"
    bound: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _check_bound(self) -> Self:
        bounded = self.interval in ("bernstein", "hoeffding")
        if bounded and self.bound is None:
            raise ValueError(
                f"interval {self.interval!r} needs a bound: the width of the range of a term, such "
                "as the largest possible weight times the largest reward. It cannot be computed "
                "from the log"
            )
        if not bounded and self.bound is not None:
            raise ValueError(f"interval {self.interval!r} takes no bound: remove it")
        return self


class Intervals(IntervalChoice):
    """How intervals around estimates are computed.

    Attributes:
        level: Nominal coverage.
        samples: Bootstrap samples, for ``bca`` and ``bootstrap``: at least 200 at level 0.95.
        seed: Seed of the bootstrap, and of models that are fitted on the log.
    """

    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    samples: PositiveInt = 1000
    seed: NonNegativeInt = 0

    @model_validator(mode="after")
    def _enough_samples(self) -> Self:
        if self.interval in RESAMPLING:
            check_samples(self.samples, self.level)
        return self


def check_samples(samples: int, level: float) -> None:
    """Refuse fewer bootstrap samples than an interval needs.

    Raises:
        ValueError: If on average fewer than five of them lie beyond each end.
    """
    least = math.ceil(2 * _BEYOND / (1 - level) - 1e-6)
    if samples < least:
        raise ValueError(
            f"'samples' is {samples}: a resampled interval at level {level:g} needs at least "
            f"{least}, so that {_BEYOND} lie beyond each end"
        )


class Limits(_Settings):
    """How far estimators of impressions limit the weights; each reads its own limit only.

    A limit is a number, or the rule by which `evaluate` chooses it on the log; see
    `recsim.estimators.impressions.clipping`.

    Attributes:
        clip: Largest weight that ``clipped_ips``, ``clipped_snips`` and ``clipped_dr`` keep, L.
        tau: Largest weight with which ``switch_dr`` and ``switch`` use a reward; above it they use
            the reward model.
        shrinkage: L of ``dros``.
        subgaussian: L of ``sub_gaussian``.
    """

    clip: Annotated[_Positive | LimitRule, _number_or_rule("above 0")] = DEFAULT_CLIP
    tau: Annotated[_NonNegative | LimitRule, _number_or_rule("of at least 0")] = 10.0
    shrinkage: Annotated[_NonNegative | LimitRule, _number_or_rule("of at least 0")] = 400.0
    subgaussian: Annotated[_Share | LimitRule, _number_or_rule("from 0 to 1")] = 0.1

    def number(self, name: str) -> float:
        """Return a limit that must be a number.

        Raises:
            EstimationError: If it is to be chosen by a rule.
        """
        limit: Limit = getattr(self, name)
        if isinstance(limit, str):
            raise EstimationError(
                f"{name} must be a number here: only `evaluate` can choose it by {limit!r}."
            )
        return limit

    @property
    def numbers(self) -> dict[str, float]:
        """The limits that are numbers, by name."""
        limits = {name: getattr(self, name) for name in Limits.model_fields}
        return {name: limit for name, limit in limits.items() if not isinstance(limit, str)}


class Clip(_Settings):
    """How far estimators of slates and trajectories limit the weights.

    Attributes:
        clip: Largest weight that those named ``clipped_...`` keep.
    """

    clip: Annotated[float, Field(gt=0)] = DEFAULT_CLIP


class ImpressionSettings(Intervals, Limits):
    """Settings of `recsim.estimators.evaluate`."""


class SlateSettings(Intervals, Clip):
    """Settings of `evaluate_slates` and `evaluate_trajectories`."""


class IntervalKeywords(TypedDict, total=False):
    """Fields of `Intervals` as keyword arguments."""

    interval: IntervalKind
    bound: float | None
    level: float
    samples: int
    seed: int


class ImpressionKeywords(IntervalKeywords, total=False):
    """Fields of `ImpressionSettings` as keyword arguments."""

    clip: Limit
    tau: Limit
    shrinkage: Limit
    subgaussian: Limit


class SlateKeywords(IntervalKeywords, total=False):
    """Fields of `SlateSettings` as keyword arguments."""

    clip: float
