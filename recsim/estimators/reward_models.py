"""Regressions of a reward on features, by name: what `dm` and the doubly robust ones ask.

A regressor is anything with ``fit(features, targets, sample_weight=...)`` and
``predict(features)``, as scikit-learn has them; a classifier's probability of a reward is taken
where it is one. Names:

===========================  ========================================================
`mean`                       mean reward of each item, drawn to the overall mean
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
from scipy.special import expit

from recsim.errors import UserError, did_you_mean
from recsim.estimators.impressions.sample import Floats
from recsim.settings import validated


class Regressor(Protocol):
    """What a reward model must be able to do."""

    def fit(self, features: Floats, targets: Floats, sample_weight: Floats | None = None) -> Any:
        """Learn from features ``(N, P)`` and rewards ``(N,)``, weighted by ``(N,)``."""
        ...

    def predict(self, features: Floats) -> Floats:
        """Return the reward expected of each row of features, ``(N,)``."""
        ...


class RewardModel(BaseModel):
    """Which reward model, and how it is fitted.

    Attributes:
        name: One of `REGRESSORS`.
        options: Settings of the regressor, e.g. ``{"alpha": 10}`` for ``ridge``.
        folds: Number of folds. Each independent unit belongs to one, and is asked about with a
            model that was fitted on the others.
        interactions: Whether products of user and item features are features too; by default with
            linear models that stay small. Without them a linear model ranks the items alike for
            all users.
        smoothing: Impressions at the overall mean that the mean reward of every item is given.
        rows: Most impressions that one model is fitted on; of more, so many are drawn. Bounds the
            memory that fitting takes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "ridge"
    options: dict[str, Any] = {}
    folds: Annotated[int, Field(ge=2)] = 3
    interactions: bool | None = None
    smoothing: Annotated[float, Field(gt=0)] = 10.0
    rows: PositiveInt = 100_000

    @classmethod
    def of(cls, settings: str | Mapping[str, Any] | RewardModel) -> Self:
        """Return settings from a name, a mapping or themselves, after a check.

        Raises:
            UserError: If the name or an option is unknown, or a setting is out of range.
        """
        if isinstance(settings, str):
            settings = {"name": settings}
        if isinstance(settings, BaseModel):
            settings = settings.model_dump()
        found = validated(cls, settings, "reward_model")
        found.build(seed=0)
        return found

    def build(self, seed: int) -> Regressor:
        """Build the regressor, not fitted yet.

        Raises:
            UserError: If its name or an option is unknown.
        """
        if self.name not in REGRESSORS:
            near = did_you_mean(self.name, REGRESSORS)
            raise UserError(f"reward_model.name: unknown reward model {self.name!r}.{near}")
        module, _, attribute = REGRESSORS[self.name].partition(":")
        built = getattr(importlib.import_module(module), attribute)
        known = set(inspect.signature(built.__init__).parameters) - {"self"}
        for key in self.options:
            if key not in known:
                near = did_you_mean(key, known)
                raise UserError(f"reward_model.options.{key}: {self.name!r} has no such one.{near}")
        options = {**_DEFAULTS.get(self.name, {}), **self.options}
        if "random_state" in known:
            options.setdefault("random_state", seed)
        regressor: Regressor = built(**options)
        return regressor

    @property
    def linear(self) -> bool:
        """Whether the model cannot find interactions itself."""
        return self.name in ("ridge", "logistic")


class ItemMean:
    """Predicts the first feature, which is the mean reward of the item."""

    def fit(self, features: Floats, targets: Floats, sample_weight: Floats | None = None) -> Self:
        """Learn nothing: the mean was learned already."""
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

# Trees of single rows would only repeat the training rewards.
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
        standardise: Whether every feature is brought to mean 0 and deviation 1 first.

    Raises:
        UserError: If a classifier is given rewards other than 0 and 1.
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
            told = weights > 0
            features, targets, weights = features[told], targets[told], weights[told]
        self._mean = features.mean(axis=0) if standardise and len(features) else 0.0
        self._scale: Any = 1.0
        if standardise and len(features):
            deviation = features.std(axis=0)
            self._scale = np.where(deviation > 0, deviation, 1.0)
        self._constant = float(np.average(targets, weights=weights)) if len(targets) else 0.0
        self._regressor: Any = None
        classifier = hasattr(regressor, "predict_proba")
        if classifier and not np.isin(targets, (0.0, 1.0)).all():
            raise UserError(
                f"{type(regressor).__name__} needs rewards 0 and 1; there are others, such as "
                f"{targets[~np.isin(targets, (0.0, 1.0))][0]:g}. Use 'ridge' or trees."
            )
        # A single reward needs no model, and no classifier would take it.
        if len(targets) and targets.min() < targets.max():
            self._regressor = copy.deepcopy(regressor)
            self._regressor.fit(
                (features - self._mean) / self._scale,
                targets.astype(np.int64) if classifier else targets,
                sample_weight=weights,
            )

    @property
    def linear(self) -> tuple[Floats, float, Callable[[Floats], Floats]] | None:
        """Slopes ``(P,)``, constant and what is done to their sum; None for other models."""
        if self._regressor is None or not hasattr(self._regressor, "coef_"):
            return None
        slopes = np.ravel(self._regressor.coef_) / self._scale
        constant = float(np.ravel(self._regressor.intercept_)[0]) - float(
            (slopes * self._mean).sum()
        )
        link = expit if hasattr(self._regressor, "predict_proba") else _itself
        return slopes, constant, link

    def predict(self, features: Floats) -> Floats:
        """Return the reward expected of each row, ``(N,)``."""
        if self._regressor is None:
            return np.full(len(features), self._constant)
        features = (features - self._mean) / self._scale
        if hasattr(self._regressor, "predict_proba"):
            return np.asarray(self._regressor.predict_proba(features)[:, 1], dtype=np.float64)
        return np.asarray(self._regressor.predict(features), dtype=np.float64)


def _itself(scores: Floats) -> Floats:
    return scores


def fold_of(units: Any, folds: int, seed: int) -> Any:
    """Return the fold of every unit, ``(N,)``: the same wherever in the log it occurs.

    A unit's fold is a hash of its number (the finaliser of SplitMix64, Steele et al. 2014), so that
    no table of units is needed.

    Args:
        units: Numbers of the units, ``(N,)``, at least 0.
        folds: Number of folds.
        seed: Another one deals the units out anew.
    """
    increment = (2 * seed + 1) * 0x9E3779B97F4A7C15 % 2**64
    mixed = np.asarray(units).astype(np.uint64) + np.uint64(increment)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return (mixed % np.uint64(folds)).astype(np.int64)
