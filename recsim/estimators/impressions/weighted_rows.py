"""The impressions of a log with their weights under a policy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from recsim.arrays import Floats
from recsim.estimators.impressions.crossfitting import CrossFit
from recsim.estimators.impressions.sample import Actions, Prediction, Sample
from recsim.estimators.overlap import OverlapSums
from recsim.estimators.policies import (
    Policy,
    action_probabilities,
    check_agreement,
    is_estimated,
    logged_propensities,
    propensities,
)
from recsim.estimators.rows import (
    Log,
    Rows,
    item_rewards,
    read_rows,
)
from recsim.estimators.units import Unit
from recsim.estimators.weights import probability_ratio

_CELLS = 2**20  # entries of a table of every candidate, at a time (8 MiB of float64)


def policy_samples(
    log: Log,
    policy: Policy,
    *,
    reward: str | None = None,
    unit: Unit = "user",
    history_slates: int = 5,
    batch_rows: int = 8192,
    first_row: int = 0,
    model: CrossFit | None = None,
    weighted_model: CrossFit | None = None,
    logging: Policy | None = None,
    actions: bool = False,
    overlap: OverlapSums | None = None,
    tables: bool = False,
) -> Iterator[Sample]:
    """Yield the impressions of a log with their weights under a policy, to add to a `Tally`.

    Args:
        log: The log, its pieces in order, or the folder of a saved one.
        policy: The evaluated policy.
        reward: Name of the reward; by default the weighted sum of the log's problem.
        unit: What is independent of the rest.
        history_slates: Slates of history in the policy's observations.
        batch_rows: Most rows for which the policy computes probabilities at a time.
        first_row: Number of the log's first row, where ``log`` is a share of a longer one. With
            ``unit="session"`` a share must begin at the start of a session.
        model: Reward model, fitted by `recsim.estimators.impressions.crossfitting.cross_fit`.
        weighted_model: Reward model for ``mrdr``, fitted with the policy.
        logging: The logging policy, where it is known.
        actions: Whether samples hold `Actions`, for ``switch``.
        overlap: Counts, if given, what the policy would show and the log never does.
        tables: Whether to read as few rows at a time as if the probability of every candidate were
            computed, which it is if anything else needs it.

    Raises:
        UserError: See `evaluate`.
    """
    models = {"model": model, "weighted_model": weighted_model}
    fitted = {name: model for name, model in models.items() if model is not None}
    computed = bool(fitted) or overlap is not None or actions
    for rows in read_rows(
        log,
        unit=unit,
        history_slates=history_slates,
        most=batch_rows,
        cells=_CELLS if tables or computed else None,
        first=first_row,
        policies=(policy, logging),
    ):
        shown, first, slots = rows.shown, rows.first, rows.items.shape[1]
        pi = propensities(policy, rows.obs, rows.items, first_row=first)
        mu = logged_propensities(rows, logging)
        weights = probability_ratio(pi, mu, shown=shown, first_row=first)
        every_pi = every_mu = None
        if computed:
            every_pi = action_probabilities(policy, rows.obs, slots, first_row=first)
            exact = overlap is not None and overlap.exact
            if logging is not None and (actions or exact):
                every_mu = action_probabilities(logging, rows.obs, slots, first_row=first)
        if logging is not None and (actions or not is_estimated(logging)):
            check_agreement(rows, logging, every_mu)
        if overlap is not None:
            assert every_pi is not None
            overlap.add(rows, every_pi, every_mu if overlap.exact else None)
        predictions, table = {}, None
        for name, cross_fitted in fitted.items():
            assert every_pi is not None
            cross_fitted.check_rows(rows, unit)
            predictions[name], predicted = _predictions(rows, cross_fitted, every_pi)
            table = predicted if name == "model" else table
        known = None
        if actions:
            assert every_pi is not None
            assert every_mu is not None
            assert table is not None
            known = Actions(every_pi[shown], every_mu[shown], table[shown])
        yield Sample(
            weights[shown],
            item_rewards(rows.log, reward)[shown],
            rows.item_units[shown],
            policy=pi[shown],
            actions=known,
            whole=rows.whole,
            adaptive=rows.log.adaptive,
            **predictions,
        )


def _predictions(rows: Rows, model: CrossFit, policy: Floats) -> tuple[Prediction, Floats]:
    """Return the predictions of a reward model for some rows.

    Args:
        rows: The B rows.
        model: The model.
        policy: pi of every candidate, ``(B, K, C)``.

    Returns:
        Those for the items shown, and those for every candidate that the policy may show,
        ``(B, K, C)``; the entries of others are meaningless.
    """
    shown, users, units = rows.shown, rows.obs["user_features"], rows.item_units
    row, slot = np.nonzero(shown)
    logged = model.predict(users, rows.items[shown], rows.positions[shown], units[shown], row)
    table = model.every(users, rows.obs["candidates"], rows.positions, rows.units)
    if table is None:
        table = np.zeros(policy.shape)
        row, slot, place = np.nonzero((policy > 0) & shown[:, :, None])
        table[row, slot, place] = model.predict(
            users,
            rows.obs["candidates"][row, place],
            rows.positions[row, slot],
            units[row, slot],
            row,
        )
    return Prediction(logged, (policy * table).sum(axis=2)[shown]), table
