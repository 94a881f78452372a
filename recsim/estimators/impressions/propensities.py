"""Propensities that were not logged, estimated from the log itself.

=============  ===================================================================================
kind           probability of an item
=============  ===================================================================================
`frequencies`  how often it was shown at the position, among the times it was a candidate
`multinomial`  a multinomial logistic regression of the item shown on the user and the position
`popularity`   (n_i / max n)^power, n_i its clicks: how likely users came across it, no distribution
               over items; see `recsim.estimators.popularity`
=============  ===================================================================================

A value from weights that were estimated is as good as what they assume: `frequencies`, that the
logging policy did not look at the user; `multinomial`, that it did so linearly. What was logged is
better than any of them.

References: estimated propensities, Hirano, Imbens and Ridder 2003; popularity, Saito et al. 2020,
arXiv:1909.03601.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from recsim.errors import UserError
from recsim.estimators.impressions.rows import Log, chunks, positions_of
from recsim.estimators.impressions.sample import Floats
from recsim.estimators.popularity import popularity_propensities
from recsim.log import SlateLog
from recsim.settings import validated


class LoggingModel(Protocol):
    """A guess of the logging policy; a policy like any other."""

    def propensities(self, obs: Mapping[str, Any], items: NDArray[np.int64]) -> Floats:
        """Return the probability of ``items`` at their positions, ``(B, K)``."""
        ...


class LoggingSettings(BaseModel):
    """How propensities are estimated.

    Attributes:
        estimate: Which kind.
        smoothing: Times that every item is taken for shown at every position in advance, for
            ``frequencies``.
        power: Of ``popularity``.
        floor: Least propensity of an item shown, for ``multinomial`` and ``popularity``.
        penalty: Strength of the L2 penalty of ``multinomial``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    estimate: Literal["frequencies", "multinomial", "popularity"]
    smoothing: Annotated[float, Field(ge=0)] = 0.0
    power: Annotated[float, Field(ge=0)] = 0.5
    floor: Annotated[float, Field(gt=0, le=1)] = 0.001
    penalty: Annotated[float, Field(gt=0)] = 1.0

    @classmethod
    def of(cls, settings: str | Mapping[str, Any] | LoggingSettings) -> LoggingSettings:
        """Return settings from a kind, a mapping or themselves, after a check.

        Raises:
            UserError: If a setting is unknown or out of range.
        """
        if isinstance(settings, LoggingSettings):
            return settings
        content = {"estimate": settings} if isinstance(settings, str) else settings
        return validated(cls, content, "logging")


def estimate_logging(
    log: Log, settings: str | Mapping[str, Any] | LoggingSettings = "frequencies"
) -> LoggingModel:
    """Estimate with what probability a log's items were shown.

    Args:
        log: The log, its pieces in order, or the folder of a saved one.
        settings: The kind, or settings.

    Returns:
        A policy: give it as ``logging`` to `recsim.estimators.impressions.evaluate`, which then
        also knows the probability of every action, and see `with_propensities`.

    Raises:
        UserError: If a setting is wrong, or the log says nothing.
    """
    found = LoggingSettings.of(settings)
    if found.estimate == "frequencies":
        return Frequencies(log, found)
    return Multinomial(log, found) if found.estimate == "multinomial" else Popularity(log, found)


def with_propensities(log: SlateLog, logging: LoggingModel) -> SlateLog:
    """Return a log with other propensities, those of a logging policy that is known or estimated.

    Args:
        log: The log; stays as it is.
        logging: The logging policy.

    Raises:
        UserError: If an item was shown that the policy would never show; names the row.
    """
    mu = logging.propensities(log.observations(), log.slate)
    mu = np.where(log.slate < 0, 1.0, mu)
    return replace(log, propensity=mu).validate()


class Frequencies:
    """Shows an item at a position as often as the log does.

    ``mu(i | position) = (n_i + s) / (candidate_i + s I)`` with n_i the times that item i was shown
    at the position, candidate_i the times that it could have been, s the smoothing and I the number
    of items.

    Args:
        log: The log.
        settings: How to estimate.
    """

    estimated = True

    def __init__(self, log: Log, settings: LoggingSettings) -> None:
        shown: Floats = np.zeros((0, 0))
        offered: Floats = np.zeros((0, 0))
        for chunk in chunks(log):
            positions = positions_of(chunk)
            added = (
                (0, max(int(positions.max(initial=-1)) + 1 - len(shown), 0)),
                (0, chunk.problem.num_items - shown.shape[1]),
            )
            shown, offered = np.pad(shown, added), np.pad(offered, added)
            there = chunk.slate >= 0
            np.add.at(shown, (positions[there], chunk.slate[there]), 1.0)
            if chunk.candidates is None:
                offered += np.bincount(positions[there], minlength=len(shown))[:, None]
            else:
                row, slot = np.nonzero(there)
                place = positions[row, slot][:, None]
                np.add.at(offered, (place, chunk.candidates[row]), 1.0)  # (n, C)
        if not shown.any():
            raise UserError("The log shows no item, so it says nothing of its policy.")
        total = offered + settings.smoothing * shown.shape[1]
        self._table = np.divide(
            shown + settings.smoothing, total, out=np.zeros(shown.shape), where=total > 0
        )

    def propensities(self, obs: Mapping[str, Any], items: NDArray[np.int64]) -> Floats:
        """Return the frequency of ``items`` (B, K) at their positions, 1 at padding."""
        positions = obs.get("position", np.broadcast_to(np.arange(items.shape[1]), items.shape))
        return np.where(items < 0, 1.0, self._table[positions, items])

    def action_probabilities(self, obs: Mapping[str, Any]) -> Floats:
        """Return the frequency of every candidate at every position, ``(B, K, C)``."""
        candidates = obs["candidates"]
        positions = obs.get("position")
        if positions is None:
            positions = np.tile(np.arange(len(self._table)), (len(candidates), 1))
        found: Floats = self._table[positions[:, :, None], candidates[:, None, :]]
        return found


class Multinomial:
    """Shows items as a multinomial logistic regression on the user and the position predicts.

    Probabilities are those of the regression over all items that the log shows, drawn to the floor:
    ``floor + (1 - I floor) p``.

    Args:
        log: The log; the features of its impressions are held.
        settings: How to estimate.

    Raises:
        UserError: If the log shows a single item, or the floor leaves no room for I of them.
    """

    estimated = True

    def __init__(self, log: Log, settings: LoggingSettings) -> None:
        from sklearn.linear_model import LogisticRegression

        features, shown, items = [], [], 0
        for chunk in chunks(log):
            items = chunk.problem.num_items
            row, slot = np.nonzero(chunk.slate >= 0)
            users = chunk.user_features[chunk.user[row]].astype(np.float64)
            features.append((users, positions_of(chunk)[row, slot]))
            shown.append(chunk.slate[row, slot])
        labels = np.concatenate(shown) if shown else np.zeros(0, dtype=np.int64)
        if len(np.unique(labels)) < 2:
            raise UserError("The log shows fewer than two items: there is nothing to regress.")
        if settings.floor * items > 1:
            raise UserError(
                f"logging.floor: {settings.floor} is too high for {items} items; at most 1/{items}."
            )
        users = np.concatenate([part for part, _ in features])
        positions = np.concatenate([part for _, part in features])
        self._positions = int(positions.max()) + 1
        self._items, self._floor = items, settings.floor
        self._mean = users.mean(axis=0)
        deviation = users.std(axis=0)
        self._scale = np.where(deviation > 0, deviation, 1.0)
        self._regression = LogisticRegression(C=1 / settings.penalty, max_iter=1000)
        self._regression.fit(self._table(users, positions), labels)

    def propensities(self, obs: Mapping[str, Any], items: NDArray[np.int64]) -> Floats:
        """Return the probability of ``items`` (B, K) at their positions, 1 at padding."""
        every = self._every(obs, items.shape[1])  # (B, K, I)
        found = np.take_along_axis(every, np.maximum(items, 0)[:, :, None], axis=2)[:, :, 0]
        return np.where(items < 0, 1.0, found)

    def action_probabilities(self, obs: Mapping[str, Any]) -> Floats:
        """Return the probability of every candidate at every position, ``(B, K, C)``."""
        slots = obs["position"].shape[1] if "position" in obs else self._positions
        places = obs["candidates"][:, None, :].repeat(slots, axis=1)  # (B, K, C)
        return np.take_along_axis(self._every(obs, slots), places, axis=2)

    def _every(self, obs: Mapping[str, Any], slots: int) -> Floats:
        """Return the probability of every item of the catalogue, ``(B, K, I)``."""
        users = obs["user_features"].astype(np.float64)
        batch = len(users)
        positions = obs.get("position", np.broadcast_to(np.arange(slots), (batch, slots)))
        table = self._table(np.repeat(users, slots, axis=0), positions.ravel())
        chances = np.zeros((batch * slots, self._items))
        if len(table):
            chances[:, self._regression.classes_] = self._regression.predict_proba(table)
        chances = self._floor + (1 - self._items * self._floor) * chances
        return chances.reshape(batch, slots, self._items)

    def _table(self, users: Floats, positions: NDArray[np.int64]) -> Floats:
        """Return the features of N impressions, ``(N, P)``."""
        places = np.eye(self._positions)[np.minimum(positions, self._positions - 1)]
        return np.concatenate([(users - self._mean) / self._scale, places], axis=1)


class Popularity:
    """Takes an item's popularity for the chance that a user came across it; no distribution.

    Args:
        log: The log, whose clicks are counted.
        settings: How to estimate.
    """

    estimated = True

    def __init__(self, log: Log, settings: LoggingSettings) -> None:
        counts: Floats = np.zeros(0)
        for chunk in chunks(log):
            clicked = chunk.slate[chunk.clicks == 1]
            counts = np.pad(counts, (0, chunk.problem.num_items - len(counts)))
            counts += np.bincount(clicked, minlength=len(counts))
        if not counts.any():
            raise UserError("No item has a click, so popularity says nothing of propensities.")
        self._table = popularity_propensities(counts, power=settings.power, floor=settings.floor)

    def propensities(self, obs: Mapping[str, Any], items: NDArray[np.int64]) -> Floats:
        """Return the propensity of ``items`` (B, K), 1 at padding."""
        return np.where(items < 0, 1.0, self._table[items])
