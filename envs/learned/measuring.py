"""Measuring the errors of a user model, and the split of users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.learned.config import UserModelConfig
from envs.learned.error import ModelError, click_errors, feedback_errors, return_errors
from envs.learned.model import UserModel
from envs.learned.rows import Rows, batches
from envs.learned.sessions import RETURN, Sessions
from recsim.arrays import Floats, Ints
from recsim.errors import LogError
from recsim.log import SlateLog


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of three disjoint groups of users.

    Attributes:
        fit: Rows for fitting the networks.
        calibration: Rows for early stopping and calibration.
        test: Rows for measuring the errors.
    """

    fit: Ints
    calibration: Ints
    test: Ints

    @classmethod
    def of(cls, log: SlateLog, config: UserModelConfig) -> Split:
        """Draw the groups of users.

        Raises:
            LogError: If a group would be empty.
        """
        users = np.unique(log.user)
        order = np.random.default_rng([config.seed, 0]).permutation(len(users))
        sizes = [
            round(config.calibration_share * len(users)),
            round(config.test_share * len(users)),
        ]
        if min(*sizes, len(users) - sum(sizes)) < 1:
            raise LogError(
                f"the log has {len(users)} users: too few to fit to some, calibrate on others and "
                "measure the errors on the rest."
            )
        group = np.zeros(len(users), dtype=np.int64)
        group[order[: sizes[0]]] = 1
        group[order[sizes[0] : sum(sizes)]] = 2
        of_row = group[np.searchsorted(users, log.user)]
        return cls(*(np.flatnonzero(of_row == number) for number in range(3)))


def measure(model: UserModel, log: SlateLog, split: Split) -> ModelError:
    """Measure the errors of a model on the users of the test rows."""
    rows = Rows(log, model.config.history, model.config.device)
    sessions = Sessions.of(log, model.config.window)
    test, fit = split.test, split.fit
    chance = np.concatenate(
        [
            model.click_probabilities(rows.features(at), *rows.before(at), log.slate[at])
            for at in batches(test)
        ]
    )
    shown = log.slate[test] >= 0
    base, popularity = click_rates(log.select(fit), model.config.smoothing)
    errors: dict[str, Any] = click_errors(
        chance[shown].astype(np.float64),
        log.clicks[test][shown].astype(np.float64),
        base,
        popularity[log.slate[test][shown]],
    )
    names = model.feedback.names
    errors["feedback"] = feedback_errors(
        names,
        model.feedback.expected(log.slate[test], log.clicks[test]),
        np.array([log.feedback[name][test] for name in names]).reshape(len(names), len(test)).T,
    )
    ended = test[sessions.end[test]]
    if model.returns is not None and len(ended):
        returns = log.feedback[RETURN]
        probability = np.concatenate(
            [
                model.return_probabilities(
                    rows.features(at), *rows.after(at), sessions.before[at], sessions.step[at]
                )
                for at in batches(ended)
            ]
        )
        fitted = model.returns.classify(returns[fit[sessions.end[fit]]])
        errors |= return_errors(
            probability,
            model.returns.classify(returns[ended]),
            returns[ended],
            model.returns.values,
            np.bincount(fitted, minlength=len(model.returns.values)) / len(fitted),
        )
    fitted_to, calibrated, tested = (
        len(np.unique(log.user[part])) for part in (fit, split.calibration, test)
    )
    return ModelError(
        users_fitted=fitted_to, users_calibrated=calibrated, users_tested=tested, **errors
    )


def click_rates(log: SlateLog, smoothing: float) -> tuple[float, Floats]:
    """Return the click rate of shown items, and the smoothed click rate of each item, ``(I,)``."""
    shown = log.slate >= 0
    count = np.bincount(log.slate[shown], minlength=log.problem.num_items)
    clicks = np.bincount(
        log.slate[shown], log.clicks[shown].astype(np.float64), log.problem.num_items
    )
    base = float(clicks.sum() / max(count.sum(), 1))
    return base, (clicks + smoothing * base) / (count + smoothing)
