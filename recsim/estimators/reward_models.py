"""Reward models, by name: regressions of the reward that `dm` and doubly robust estimators use.

A regressor is anything with ``fit(features, targets, sample_weight=...)`` and
``predict(features)``, as in scikit-learn; of a classifier the probability of a reward is used.

===========================  ========================================================
`mean`                       mean reward of each item, shrunk to the overall mean
`ridge`                      linear, squared error with a penalty
`logistic`                   linear in the log-odds, for rewards 0 and 1
`random_forest`              averages of trees
`extra_trees`                averages of random trees
`hist_gradient_boosting`     boosted trees, for large logs
`torch`                      a neural network; see `recsim.estimators.torch_regressor`
===========================  ========================================================
"""

from __future__ import annotations

import copy
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Protocol, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from recsim.arrays import Floats, Ints
from recsim.errors import EstimationError, did_you_mean
from recsim.settings import validated


class Regressor(Protocol):
    """The methods that a reward model must have."""

    def fit(self, features: Floats, targets: Floats, sample_weight: Floats | None = None) -> Any:
        """Learn from features ``(N, P)`` and rewards ``(N,)``, weighted by ``(N,)``."""
        ...

    def predict(self, features: Floats) -> Floats:
        """Return the expected reward of each row of features, ``(N,)``."""
        ...


class RewardModel(BaseModel):
    """A reward model and how it is fitted.

    Attributes:
        name: One of `REGRESSORS`.
        options: Settings of the regressor, e.g. ``{"alpha": 10}`` for ``ridge``.
        folds: Number of folds. Each independent unit belongs to one, and its predictions come from
            a model that was fitted on the others.
        interactions: Whether products of user and item features are features too; by default for
            linear models that stay small. Without them a linear model ranks the items in the same
            order for all users.
        smoothing: Impressions with the overall mean reward that are added to those of each item.
        rows: Most impressions that one model is fitted on, a random sample of them if there are
            more. Limits the memory that fitting needs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = "ridge"
    options: dict[str, Any] = {}
    folds: Annotated[int, Field(ge=2)] = 3
    interactions: bool | None = None
    smoothing: Annotated[float, Field(gt=0)] = 10.0
    rows: PositiveInt = 100_000

    @classmethod
    def of(cls, settings: str | Mapping[str, Any] | RewardModel) -> Self:
        """Return checked settings, from a name, a mapping or settings.

        Raises:
            UserError: If the name or an option is unknown, or a setting is out of range.
        """
        if isinstance(settings, str):
            settings = {"name": settings}
        if isinstance(settings, BaseModel):
            settings = settings.model_dump()
        model = validated(cls, settings, "reward_model")
        model.build(seed=0)
        return model

    def build(self, seed: int) -> Regressor:
        """Build the regressor without fitting it.

        Raises:
            EstimationError: If its name or an option is unknown.
        """
        if self.name not in REGRESSORS:
            near = did_you_mean(self.name, REGRESSORS)
            raise EstimationError(f"reward_model.name: unknown reward model {self.name!r}.{near}")
        module, _, attribute = REGRESSORS[self.name].partition(":")
        built = getattr(importlib.import_module(module), attribute)
        known = set(inspect.signature(built.__init__).parameters) - {"self"}
        for key in self.options:
            if key not in known:
                near = did_you_mean(key, known)
                raise EstimationError(
                    f"reward_model.options.{key}: {self.name!r} has no such option.{near}"
                )
        options = {**_DEFAULTS.get(self.name, {}), **self.options}
        if "random_state" in known:
            options.setdefault("random_state", seed)
        regressor: Regressor = built(**options)
        return regressor

    @property
    def linear(self) -> bool:
        """Whether the model finds no interactions by itself."""
        return self.name in ("ridge", "logistic")


class ItemMean:
    """Predicts the first feature, which is the mean reward of the item."""

    def fit(self, features: Floats, targets: Floats, sample_weight: Floats | None = None) -> Self:
        """Do nothing: the mean is a feature already."""
        return self

    def predict(self, features: Floats) -> Floats:
        """Return the first column."""
        return features[:, 0]


REGRESSORS = {
    "mean": "recsim.estimators.reward_models:ItemMean",
    "ridge": "sklearn.linear_model:Ridge",
    "logistic": "sklearn.linear_model:LogisticRegression",
    "random_forest": "sklearn.ensemble:RandomForestRegressor",
    "extra_trees": "sklearn.ensemble:ExtraTreesRegressor",
    "hist_gradient_boosting": "sklearn.ensemble:HistGradientBoostingRegressor",
    "torch": "recsim.estimators.torch_regressor:TorchRegressor",
}

# Leaves of single rows would only repeat the training rewards.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "logistic": {"max_iter": 1000},
    "random_forest": {"min_samples_leaf": 10},
    "extra_trees": {"min_samples_leaf": 10},
}


class Fitted:
    """A regressor fitted on standardised features, or the mean where nothing can be fitted.

    Args:
        regressor: The regressor; a copy of it is fitted.
        features: ``(N, P)``.
        targets: Rewards, ``(N,)``.
        weights: Weight of each row, ``(N,)``, at least 0; None for equal ones.
        standardise: Whether every feature is first scaled to mean 0 and standard deviation 1.

    Raises:
        EstimationError: If a classifier is given rewards other than 0 and 1.
    """

    def __init__(
        self,
        regressor: Regressor,
        features: Floats,
        targets: Floats,
        weights: Floats | None = None,
        *,
        standardise: bool = True,
    ) -> None:
        if weights is not None:
            kept = weights > 0
            features, targets, weights = features[kept], targets[kept], weights[kept]
        self._mean = features.mean(axis=0) if standardise and len(features) else 0.0
        self._scale: Any = 1.0
        if standardise and len(features):
            deviation = features.std(axis=0)
            self._scale = np.where(deviation > 0, deviation, 1.0)
        self._constant = float(np.average(targets, weights=weights)) if len(targets) else 0.0
        self._regressor: Any = None
        classifier = hasattr(regressor, "predict_proba")
        if classifier and not np.isin(targets, (0.0, 1.0)).all():
            raise EstimationError(
                f"{type(regressor).__name__} needs rewards 0 and 1; there are others, such as "
                f"{targets[~np.isin(targets, (0.0, 1.0))][0]:g}. Use 'ridge' or trees."
            )
        # Equal rewards need no model, and a classifier would refuse them.
        if len(targets) and targets.min() < targets.max():
            self._regressor = copy.deepcopy(regressor)
            self._regressor.fit(
                (features - self._mean) / self._scale,
                targets.astype(np.int64) if classifier else targets,
                sample_weight=weights,
            )

    @property
    def linear(self) -> tuple[Floats, float, Callable[[Floats], Floats]] | None:
        """Slopes ``(P,)``, constant, and the function of their sum; None for other models."""
        if self._regressor is None or not hasattr(self._regressor, "coef_"):
            return None
        from scipy.special import expit

        slopes = np.ravel(self._regressor.coef_) / self._scale
        constant = float(np.ravel(self._regressor.intercept_)[0]) - float(
            (slopes * self._mean).sum()
        )
        link = expit if hasattr(self._regressor, "predict_proba") else _identity
        return slopes, constant, link

    def predict(self, features: Floats) -> Floats:
        """Return the expected reward of each row, ``(N,)``."""
        if self._regressor is None:
            return np.full(len(features), self._constant)
        features = (features - self._mean) / self._scale
        if hasattr(self._regressor, "predict_proba"):
            return np.asarray(self._regressor.predict_proba(features)[:, 1], dtype=np.float64)
        return np.asarray(self._regressor.predict(features), dtype=np.float64)


def _identity(scores: Floats) -> Floats:
    return scores


def check_fold(rows: int, folds: int) -> None:
    """Refuse to fit a model on no rows at all.

    Raises:
        EstimationError: If there are none outside a fold.
    """
    if not rows:
        raise EstimationError(
            f"There are too few independent users or rows for {folds} folds: no row is left to fit "
            "the model of one of them on."
        )


def fold_of(units: Ints, folds: int, seed: int) -> Ints:
    """Return the fold of every unit, ``(N,)``: the same wherever in the log it occurs.

    A unit's fold is a hash of its number (the finaliser of SplitMix64, Steele et al. 2014), so that
    no table of units is needed.

    Args:
        units: Numbers of the units, ``(N,)``, at least 0.
        folds: Number of folds.
        seed: Seed of the division into folds.
    """
    increment = (2 * seed + 1) * 0x9E3779B97F4A7C15 % 2**64
    mixed = np.asarray(units).astype(np.uint64) + np.uint64(increment)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return (mixed % np.uint64(folds)).astype(np.int64)
