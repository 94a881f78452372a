"""Propensities that were not logged, estimated from the log itself.

=============  ===================================================================================
kind           probability of an item
=============  ===================================================================================
`auto`         `frequencies`; `multinomial` where the logging policy used the user's features
`frequencies`  how often it was shown at the position, among the times it was a candidate
`multinomial`  a multinomial logistic regression of the item shown on the user and the position
`popularity`   (n_i / max n)^power, n_i its clicks: how likely users came across it; not a
               distribution over items; see `recsim.estimators.popularity`
=============  ===================================================================================

A value from estimated weights is as good as their assumptions: with `frequencies`, that the logging
policy ignores the user; with `multinomial`, that its log-odds are linear in the user's features.
Both are checked on held-out rows, see `recsim.estimators.impressions.context`, and an estimate that
they contradict is refused. No check sees features that are not in the log. Logged propensities are
better than any estimate.

References: estimated propensities, Hirano, Imbens and Ridder 2003; popularity, Saito et al. 2020,
arXiv:1909.03601.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from recsim.arrays import Floats, Ints
from recsim.errors import EstimationError
from recsim.estimators.impressions.context import ContextCheck, check_context
from recsim.estimators.popularity import popularity_propensities
from recsim.estimators.rows import Log, check_read_twice, chunks, positions_of
from recsim.log import SlateLog
from recsim.settings import validated


class LoggingModel(Protocol):
    """An estimate of the logging policy, with the methods of a policy.

    Attributes:
        warnings: Reasons to doubt values that rest on it.
    """

    warnings: tuple[str, ...]

    def propensities(self, obs: Mapping[str, Any], items: Ints) -> Floats:
        """Return the probability of ``items`` at their positions, ``(B, K)``."""
        ...


class LoggingSettings(BaseModel):
    """How propensities are estimated.

    Attributes:
        estimate: The kind.
        smoothing: Impressions of every item at every position that are added to those of the log,
            for ``frequencies``.
        power: Exponent of ``popularity``.
        floor: Least propensity of an item, for ``multinomial`` and ``popularity``.
        penalty: Strength of the L2 penalty of ``multinomial``.
        check: Whether to refuse estimates that held-out rows contradict. Without the check every
            value has a warning.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    estimate: Literal["auto", "frequencies", "multinomial", "popularity"]
    smoothing: Annotated[float, Field(ge=0)] = 0.0
    power: Annotated[float, Field(ge=0)] = 0.5
    floor: Annotated[float, Field(gt=0, le=1)] = 0.001
    penalty: Annotated[float, Field(gt=0)] = 1.0
    check: bool = True

    @classmethod
    def of(cls, settings: str | Mapping[str, Any] | LoggingSettings) -> LoggingSettings:
        """Return checked settings, from a kind, a mapping or settings.

        Raises:
            UserError: If a setting is unknown or out of range.
        """
        if isinstance(settings, LoggingSettings):
            return settings
        content = {"estimate": settings} if isinstance(settings, str) else settings
        return validated(cls, content, "logging")


def estimate_logging(
    log: Log, settings: str | Mapping[str, Any] | LoggingSettings = "auto"
) -> LoggingModel:
    """Estimate the probability with which the items of a log were shown.

    Args:
        log: The log, its pieces in order, or the folder of a saved one. It is read several times,
            so it must not be an iterator.
        settings: The kind, or settings.

    Returns:
        A policy, for the argument ``logging`` of `recsim.estimators.evaluate` or for
        `with_propensities`.

    Raises:
        UserError: If a setting is wrong or the log too small; if the logging policy used the
            context in a way that the estimate misses, or left no overlap.
    """
    check_read_twice(log, "The estimate is checked on held-out rows")
    models: dict[str, Callable[[Log, LoggingSettings], LoggingModel]] = {
        "frequencies": Frequencies,
        "multinomial": Multinomial,
        "popularity": Popularity,
    }
    checked = LoggingSettings.of(settings)
    kind, found = checked.estimate, None
    if kind != "popularity" and checked.check:
        found = check_context(log)
        _refuse_contradicted(kind, found)
    if kind == "auto":
        kind = "multinomial" if found is not None and found.used_context else "frequencies"
    model = models[kind](log, checked)
    model.warnings = _doubts(kind, found)
    return model


def _refuse_contradicted(kind: str, found: ContextCheck) -> None:
    """Refuse an estimate that held-out rows contradict.

    Raises:
        EstimationError: If the policy left no overlap, or used the context in a way that the
            estimate misses.
    """
    if not found.used_context:
        return
    advice = "Log the propensities, or give the policy that made the log as 'logging'."
    if found.no_overlap:
        raise EstimationError(
            "No overlap: the logging policy chose items by the user's features and almost never "
            f"showed others ({found.overlap:.0%} of the pairs of context and item can occur, by "
            f"estimate; {found}). The log says nothing about other policies."
        )
    if found.linear_falls_short:
        raise EstimationError(
            f"The logging policy used the context: {found}, in a way that a multinomial regression "
            f"misses. {advice}"
        )
    if kind == "frequencies":
        raise EstimationError(
            f"The logging policy used the context: {found}. Frequencies ignore the user, so values "
            f"would be wrong: use 'multinomial' or 'auto'. Better: {advice[0].lower()}{advice[1:]}"
        )


def _doubts(kind: str, found: ContextCheck | None) -> tuple[str, ...]:
    if kind == "popularity":
        return ()
    if found is None:
        return (f"the estimated propensities ({kind}) were not checked on held-out rows",)
    if found.used_context:
        return (
            "the logging policy used the context, so its propensities were estimated by a "
            "multinomial regression: the value is as good as that model, and the interval ignores "
            "its error",
        )
    return ()


def ignored_context(log: Log, name: str) -> tuple[str, ...]:
    """Return the reason to doubt that a policy that ignores the user made a log, if there is one.

    Args:
        log: The log, which has no propensities to compare with those of the policy.
        name: Name of the policy.

    Returns:
        A warning if the choices of the log depend on the user's features; see
        `recsim.estimators.impressions.context`.
    """
    found = check_context(log)
    if not found.used_context:
        return ()
    return (
        f"{name!r}, given as the logging policy, ignores the user's features, but what the log "
        f"shows depends on them: {found}. It did not make this log, and its propensities are wrong",
    )


def with_propensities(log: SlateLog, logging: LoggingModel) -> SlateLog:
    """Return a copy of a log with the propensities of a logging policy.

    Args:
        log: The log.
        logging: The logging policy, known or estimated.

    Raises:
        UserError: If the log shows an item that the policy would never show; names the row.
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
    warnings: tuple[str, ...] = ()

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
            raise EstimationError("The log shows no item: there is nothing to count.")
        total = offered + settings.smoothing * shown.shape[1]
        self._table = np.divide(
            shown + settings.smoothing, total, out=np.zeros(shown.shape), where=total > 0
        )

    def propensities(self, obs: Mapping[str, Any], items: Ints) -> Floats:
        """Return the frequency of ``items`` (B, K) at their positions, 1 at padding."""
        positions = obs.get("position", np.broadcast_to(np.arange(items.shape[1]), items.shape))
        return np.where(items < 0, 1.0, self._table[positions, items])

    def action_probabilities(self, obs: Mapping[str, Any]) -> Floats:
        """Return the frequency of every candidate at every position, ``(B, K, C)``."""
        candidates = obs["candidates"]
        positions = obs.get("position")
        if positions is None:
            positions = np.tile(np.arange(len(self._table)), (len(candidates), 1))
        frequencies: Floats = self._table[positions[:, :, None], candidates[:, None, :]]
        return frequencies


class Multinomial:
    """Shows items as a multinomial logistic regression on the user and the position predicts.

    Probabilities p are those of the regression over all items that the log shows, raised to the
    floor: ``floor + (1 - I floor) p``.

    Args:
        log: The log; the features of its impressions are kept in memory.
        settings: How to estimate.

    Raises:
        EstimationError: If the log shows a single item, or I times the floor exceeds 1.
    """

    estimated = True
    warnings: tuple[str, ...] = ()

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
            raise EstimationError(
                "The log shows fewer than two items: there is nothing to regress."
            )
        if settings.floor * items > 1:
            raise EstimationError(
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

    def propensities(self, obs: Mapping[str, Any], items: Ints) -> Floats:
        """Return the probability of ``items`` (B, K) at their positions, 1 at padding."""
        every = self._every(obs, items.shape[1])  # (B, K, I)
        own = np.take_along_axis(every, np.maximum(items, 0)[:, :, None], axis=2)[:, :, 0]
        return np.where(items < 0, 1.0, own)

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

    def _table(self, users: Floats, positions: Ints) -> Floats:
        """Return the features of N impressions, ``(N, P)``."""
        places = np.eye(self._positions)[np.minimum(positions, self._positions - 1)]
        return np.concatenate([(users - self._mean) / self._scale, places], axis=1)


class Popularity:
    """Uses an item's popularity as the probability that a user came across it.

    Args:
        log: The log, whose clicks are counted.
        settings: How to estimate.
    """

    estimated = True
    warnings: tuple[str, ...] = ()

    def __init__(self, log: Log, settings: LoggingSettings) -> None:
        counts: Floats = np.zeros(0)
        for chunk in chunks(log):
            clicked = chunk.slate[chunk.clicks == 1]
            counts = np.pad(counts, (0, chunk.problem.num_items - len(counts)))
            counts += np.bincount(clicked, minlength=len(counts))
        self._table = popularity_propensities(counts, power=settings.power, floor=settings.floor)

    def propensities(self, obs: Mapping[str, Any], items: Ints) -> Floats:
        """Return the propensity of ``items`` (B, K), 1 at padding."""
        return np.where(items < 0, 1.0, self._table[items])
