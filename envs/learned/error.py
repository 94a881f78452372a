"""Errors of a user model on users that took no part in its fit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

import numpy as np

from recsim.arrays import Floats, Ints
from recsim.metrics.calibration import auc, calibration_error, calibration_table, log_loss

Table = tuple[tuple[float, float, int], ...]


@dataclass(frozen=True)
class ModelError:
    """Errors of a user model, measured on users that took no part in fitting or calibrating it.

    Errors of returns are NaN if the log has no return.

    Attributes:
        users_fitted: Number of users that the model was fitted to.
        users_calibrated: Number of users for early stopping and calibration.
        users_tested: Number of users for the errors below.
        click_rate: Click rate of the shown items.
        click_log_loss: Mean log loss of the click on a shown item, in nats.
        click_log_loss_base: The same for the click rate of the fitted users as prediction.
        click_log_loss_popularity: The same for the smoothed click rate of each item among them.
        click_ece: Expected calibration error of click probabilities, ten bins.
        click_auc: Area under the ROC curve of click probabilities.
        return_mean: Mean return of a session.
        return_mae: Mean absolute error of the expected return.
        return_mae_base: The same for the mean return of the fitted users as prediction.
        return_ece: Expected calibration error of the expected return, ten bins.
        return_log_loss: Mean log loss of the return class, in nats.
        return_log_loss_base: The same for the class frequencies of the fitted users.
        never_share: Fraction of sessions after which the user did not return.
        never_predicted: Mean predicted probability of that.
        feedback: Root mean square error of every other named feedback given the clicks, divided by
            that of the mean (1 is no better than the mean).
        click_table: Rows of ``predicted``, ``observed``, ``count`` behind ``click_ece``.
        return_table: The same behind ``return_ece``.
    """

    users_fitted: int = 0
    users_calibrated: int = 0
    users_tested: int = 0
    click_rate: float = math.nan
    click_log_loss: float = math.nan
    click_log_loss_base: float = math.nan
    click_log_loss_popularity: float = math.nan
    click_ece: float = math.nan
    click_auc: float = math.nan
    return_mean: float = math.nan
    return_mae: float = math.nan
    return_mae_base: float = math.nan
    return_ece: float = math.nan
    return_log_loss: float = math.nan
    return_log_loss_base: float = math.nan
    never_share: float = math.nan
    never_predicted: float = math.nan
    feedback: dict[str, float] = field(default_factory=dict)
    click_table: Table = ()
    return_table: Table = ()

    def numbers(self) -> dict[str, float]:
        """Return every known error by name; those of other feedback are ``feedback_<name>``."""
        plain = {
            item.name: float(getattr(self, item.name))
            for item in fields(self)
            if item.name not in ("feedback", "click_table", "return_table")
        }
        named = {f"feedback_{name}": value for name, value in self.feedback.items()}
        return {name: value for name, value in (plain | named).items() if not math.isnan(value)}

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the errors that `to_dict` converted."""
        tables = {
            name: tuple((float(p), float(o), int(n)) for p, o, n in values[name])
            for name in ("click_table", "return_table")
        }
        return cls(**{**values, **tables})


def click_errors(
    predicted: Floats, clicked: Floats, base: float, popularity: Floats
) -> dict[str, Any]:
    """Measure the errors of click probabilities.

    Args:
        predicted: Predicted probability of every shown item, ``(N,)``.
        clicked: 1 where it was clicked, ``(N,)``.
        base: Click rate of the fitted users.
        popularity: Click rate of the same item among the fitted users, ``(N,)``.
    """
    return {
        "click_rate": float(clicked.mean()),
        "click_log_loss": log_loss(predicted, clicked),
        "click_log_loss_base": log_loss(np.full(len(clicked), base), clicked),
        "click_log_loss_popularity": log_loss(popularity, clicked),
        "click_ece": calibration_error(predicted, clicked),
        "click_auc": auc(predicted, clicked),
        "click_table": _table(predicted, clicked),
    }


def return_errors(
    probability: Floats, classes: Ints, returns: Floats, values: Floats, base: Floats
) -> dict[str, Any]:
    """Measure the errors of predicted returns.

    Args:
        probability: Predicted probability of each class, ``(N, C)``.
        classes: Observed class, ``(N,)``.
        returns: Observed return, ``(N,)``.
        values: Mean return of each class, ``(C,)``.
        base: Frequency of each class among the fitted users, ``(C,)``.
    """
    expected = probability @ values
    rows = np.arange(len(classes))
    tiny = 1e-12
    return {
        "return_mean": float(returns.mean()),
        "return_mae": float(np.abs(expected - returns).mean()),
        "return_mae_base": float(np.abs(base @ values - returns).mean()),
        "return_ece": calibration_error(expected, returns),
        "return_log_loss": float(-np.log(probability[rows, classes] + tiny).mean()),
        "return_log_loss_base": float(-np.log(base[classes] + tiny).mean()),
        "never_share": float((classes == 0).mean()),
        "never_predicted": float(probability[:, 0].mean()),
        "return_table": _table(expected, returns),
    }


def feedback_errors(
    names: tuple[str, ...], predicted: Floats, observed: Floats
) -> dict[str, float]:
    """Return the root mean square error of other feedback, divided by that of the mean.

    Args:
        names: Names of the columns.
        predicted: ``(N, R)``.
        observed: ``(N, R)``.
    """
    spread = observed.std(axis=0)
    error = np.sqrt(((predicted - observed) ** 2).mean(axis=0))
    return {name: float(error[r] / spread[r]) for r, name in enumerate(names) if spread[r] > 0}


def _table(predicted: Floats, observed: Floats) -> Table:
    table = calibration_table(predicted, observed)
    return tuple((float(p), float(o), int(n)) for p, o, n in table.itertuples(index=False))
