"""Cross-fitted reward models: predictions for a unit come from a model fitted on other units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Floats, Ints
from recsim.errors import EstimationError
from recsim.estimators.impressions.estimators import mrdr_weights
from recsim.estimators.impressions.training_rows import TrainingRows
from recsim.estimators.policies import Policy, logged_propensities, propensities
from recsim.estimators.reward_models import (
    Fitted,
    Regressor,
    RewardModel,
    check_fold,
    fold_of,
)
from recsim.estimators.rows import Fingerprint, Log, Rows, item_rewards, read_rows
from recsim.estimators.units import Unit
from recsim.estimators.weights import probability_ratio
from recsim.problem import Problem

# With more items than this an item has no column of its own, only its mean reward.
MOST_COLUMNS = 64
# Most products of user and item features that a linear model gets by default.
MOST_PRODUCTS = 1024
# Numbers in a table of features at a time (16 MiB of float64; a regressor makes copies).
_TABLE = 2**21


@dataclass(frozen=True, eq=False)
class Features:
    """Features of a reward model, of a user, an item and a position.

    The mean reward of the item on the training rows, the position, the user's features, the item's
    features, a column for each item if there are few, and products of the user's and the item's.

    Attributes:
        items: Features of each item, ``(I, D)``.
        interactions: Whether there are products.
    """

    items: Floats
    interactions: bool

    @classmethod
    def of(cls, problem: Problem, settings: RewardModel) -> Features:
        """Return the features for a catalogue."""
        count = problem.num_items
        table = problem.item_features.astype(np.float64).reshape(count, -1)
        if count <= MOST_COLUMNS:
            table = np.concatenate([table, np.eye(count)], axis=1)
        products = problem.user_feature_dim * (table.shape[1] + 1)
        wanted = settings.linear and products <= MOST_PRODUCTS
        if settings.interactions is not None:
            wanted = settings.interactions
        # Without features of users there is nothing to multiply.
        return cls(table, wanted and problem.user_feature_dim > 0)

    def table(
        self,
        users: NDArray[Any],
        items: Ints,
        positions: Ints,
        means: Floats,
    ) -> Floats:
        """Return the features of N impressions, ``(N, P)``.

        Args:
            users: User features, ``(N, F)``.
            items: Item ids, ``(N,)``.
            positions: Positions, ``(N,)``.
            means: Mean reward of each item, ``(I,)``.
        """
        own = np.concatenate([means[items][:, None], self.items[items]], axis=1)  # (N, 1 + D)
        columns = [own[:, :1], positions[:, None].astype(np.float64), users, own[:, 1:]]
        if self.interactions:
            products = users[:, :, None] * own[:, None, :]  # (N, F, 1 + D)
            columns.append(products.reshape(len(users), -1))
        return np.concatenate(columns, axis=1)


@dataclass(frozen=True, eq=False)
class CrossFit:
    """One fitted model for every fold of the independent units of one log.

    Attributes:
        features: What the models see.
        models: For each fold, the model that was fitted on the units of the others.
        means: Mean reward of each item on its training rows, for each fold, ``(folds, I)``.
        seed: Seed of the folds.
        unit: What the units are; rows in an anonymous log.
        log: Fingerprint of the log: in another one the units have other numbers, and the models
            may have been fitted on them.
    """

    features: Features
    models: tuple[Fitted, ...]
    means: Floats
    seed: int
    unit: Unit
    log: tuple[int, int]

    def check_rows(self, rows: Rows, unit: Unit) -> None:
        """Refuse rows for which it is not known which model was fitted without them.

        Raises:
            EstimationError: If the units are of another kind, or the log was shorter.
        """
        unit = "row" if rows.whole else unit
        if unit != self.unit:
            raise EstimationError(
                f"The reward model was fitted with unit={self.unit!r}; with unit={unit!r} it would "
                f"predict for rows on which it was fitted: fit it with unit={unit!r}."
            )
        if rows.first + len(rows) > self.log[0]:
            self.check_log((rows.first + len(rows), 0))

    def check_log(self, fingerprint: tuple[int, int]) -> None:
        """Refuse a log on which the models were not fitted.

        Args:
            fingerprint: Of the log; see `recsim.estimators.rows.Fingerprint`.

        Raises:
            EstimationError: If it is another log.
        """
        if fingerprint != self.log:
            raise EstimationError(
                f"The reward model was fitted on another log, of {self.log[0]} rows, so it is not "
                "known which rows of this one it was fitted on: fit it on this log, or give its "
                "settings as model."
            )

    def predict(
        self,
        users: NDArray[Any],
        items: Ints,
        positions: Ints,
        units: Ints,
        of: Ints | None = None,
    ) -> Floats:
        """Return the expected reward of N impressions, ``(N,)``.

        Args:
            users: User features, ``(B, F)``.
            items: Item ids, ``(N,)``.
            positions: Positions, ``(N,)``.
            units: Independent unit of each impression, ``(N,)``.
            of: Row of ``users`` of each impression, ``(N,)``; by default they are in the same
                order.
        """
        of = np.arange(len(items)) if of is None else of
        predicted = np.empty(len(items))
        folds = fold_of(units, len(self.models), self.seed)
        step = max(1, _TABLE // self._width(users.shape[1]))
        for fold, model in enumerate(self.models):
            mine = np.flatnonzero(folds == fold)
            for start in range(0, len(mine), step):
                rows = mine[start : start + step]
                table = self.features.table(
                    users[of[rows]], items[rows], positions[rows], self.means[fold]
                )
                predicted[rows] = model.predict(table)
        return predicted

    def every(
        self,
        users: NDArray[Any],
        candidates: Ints,
        positions: Ints,
        units: Ints,
    ) -> Floats | None:
        """Return the expected reward of every candidate, ``(B, K, C)``, where that is cheap.

        A linear model is a product of a vector of the user and one of the item, so that the
        features of their pairs need not be computed.

        Args:
            users: User features, ``(B, F)``.
            candidates: Item ids, ``(B, C)``.
            positions: Positions, ``(B, K)``.
            units: Independent unit of each row, ``(B,)``.

        Returns:
            None if the models are not linear.
        """
        if any(model.linear is None for model in self.models):
            return None
        predicted = np.empty((*positions.shape, candidates.shape[1]))
        folds = fold_of(units, len(self.models), self.seed)
        size = users.shape[1]
        for fold, model in enumerate(self.models):
            rows = np.flatnonzero(folds == fold)
            assert model.linear is not None
            slope, constant, link = model.linear
            own = np.concatenate([self.means[fold][:, None], self.features.items], axis=1)
            end = 1 + size + own.shape[1]  # where the products begin
            of_items = np.concatenate([slope[:1], slope[2 + size : end]])  # (1 + D,)
            own_users = users[rows].astype(np.float64)
            slopes = np.broadcast_to(of_items, (len(rows), len(of_items)))
            if self.features.interactions:
                slopes = slopes + own_users @ slope[end:].reshape(size, -1)  # (b, 1 + D)
            score = slopes @ own.T + (own_users @ slope[2 : 2 + size])[:, None]  # (b, I)
            if _shared(candidates):
                score = score[:, candidates[0]]
            else:
                score = np.take_along_axis(score, candidates[rows], axis=1)
            places = slope[1] * positions[rows] + constant  # (b, K)
            predicted[rows] = link(score[:, None, :] + places[:, :, None])
        return predicted

    def _width(self, user_features: int) -> int:
        own = int(self.features.items.shape[1]) + 1
        products = user_features * own if self.features.interactions else 0
        return 1 + user_features + own + products


def cross_fit(
    log: Log,
    settings: str | Mapping[str, Any] | RewardModel = "ridge",
    *,
    policy: Policy | None = None,
    logging: Policy | None = None,
    regressor: Regressor | None = None,
    reward: str | None = None,
    unit: Unit = "user",
    seed: int = 0,
    history_slates: int = 5,
) -> CrossFit:
    """Fit a reward model on the impressions of a log, in folds of independent units.

    Keeps a sample of the impressions in memory, for each fold as many as a model is fitted on, and
    never the features of every candidate: a log on disk need not fit into memory.

    Args:
        log: The log, its pieces in order, or the folder of a saved one.
        settings: The reward model: a name, or its settings.
        policy: The evaluated policy, for the reward model of ``mrdr``, whose rows have weights
            pi (1 - mu) / mu^2. None for equal weights.
        logging: The logging policy, which computes propensities where the log has none.
        regressor: In place of the one that the settings name: anything with ``fit`` and
            ``predict``.
        reward: Name of the reward; by default the weighted sum of the log's problem.
        unit: What is independent of the rest, and therefore kept in one fold: ``user``,
            ``session`` or ``row``.
        seed: Seed of the folds and of the regressor.
        history_slates: Slates of history in the policy's observations.

    Raises:
        UserError: If a setting is wrong, or a fold holds all units.
    """
    model = RewardModel.of(settings)
    built = model.build(seed) if regressor is None else regressor
    problem: Problem | None = None
    training: TrainingRows | None = None
    fingerprint = Fingerprint()
    for block in read_rows(fingerprint.watch(log), unit=unit, history_slates=history_slates):
        if problem is None or training is None:
            problem = block.problem
            unit = "row" if block.whole else unit
            training = TrainingRows(model.folds, problem.num_items, model.rows, seed)
        units, items, rewards, *others = _impressions(block, reward, policy, logging)
        training.add(fold_of(units, model.folds, seed), items, rewards, *others)
    if problem is None or training is None:
        raise EstimationError("There is no impression to fit a reward model on.")
    features = Features.of(problem, model)
    fitted, means = [], []
    for fold in range(model.folds):
        items, rewards, users, positions, weights = training.outside(fold)
        check_fold(len(items), model.folds)
        mean = training.item_means(fold, model.smoothing)
        table = features.table(users, items, positions, mean)
        weighted = None if policy is None else weights
        scaled = model.name != "mean" or regressor is not None
        fitted.append(Fitted(built, table, rewards, weighted, standardise=scaled))
        means.append(mean)
    return CrossFit(features, tuple(fitted), np.stack(means), seed, unit, fingerprint.value)


def _shared(candidates: Ints) -> bool:
    """Return whether all rows have the same candidates, because they are one row repeated."""
    return len(candidates) > 0 and candidates.strides[0] == 0


def _impressions(
    rows: Rows, reward: str | None, policy: Policy | None, logging: Policy | None
) -> tuple[NDArray[Any], ...]:
    """Return units, items, rewards, user features, positions and weights of the items shown."""
    shown = rows.shown
    features = rows.obs["user_features"]
    users = np.broadcast_to(features[:, None, :], (*shown.shape, features.shape[1]))[shown]
    weights = np.ones(int(shown.sum()))
    if policy is not None:
        pi = propensities(policy, rows.obs, rows.items, first_row=rows.first)
        mu = logged_propensities(rows, logging)
        probability_ratio(pi, mu, shown=shown, first_row=rows.first)  # only checks them
        weights = mrdr_weights(pi[shown], mu[shown])
    first = (part[shown] for part in (rows.item_units, rows.items, item_rewards(rows.log, reward)))
    return (*first, users, rows.positions[shown], weights)
