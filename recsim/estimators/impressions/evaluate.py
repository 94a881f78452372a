"""The value of a policy per impression, from a log of another policy."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Unpack

import numpy as np

from recsim.arrays import Floats
from recsim.errors import EstimationError
from recsim.estimators.estimator import Estimator
from recsim.estimators.impressions.clipping import check_rule, choose
from recsim.estimators.impressions.crossfitting import CrossFit, cross_fit
from recsim.estimators.impressions.estimators import LIMIT_OF, make_estimator
from recsim.estimators.impressions.sample import Actions, Prediction, Sample
from recsim.estimators.overlap import OverlapSums
from recsim.estimators.policies import (
    Policy,
    SampledPolicy,
    action_probabilities,
    check_agreement,
    doubts,
    is_estimated,
    knows_actions,
    logged_propensities,
    propensities,
)
from recsim.estimators.repeated_rows import RepeatedRows
from recsim.estimators.reward_models import RewardModel
from recsim.estimators.rows import (
    Fingerprint,
    Log,
    Rows,
    check_read_twice,
    item_rewards,
    read_rows,
)
from recsim.estimators.settings import (
    ImpressionKeywords,
    ImpressionSettings,
    IntervalKeywords,
    Intervals,
    Limit,
    LimitRule,
    Limits,
)
from recsim.estimators.tally import PolicyValue, Tally, with_warnings
from recsim.estimators.units import Unit, Units
from recsim.estimators.weights import probability_ratio
from recsim.settings import one_or_more

_CELLS = 2**20  # entries of a table of every candidate, at a time (8 MiB of float64)


def evaluate(
    log: Log,
    policy: Policy,
    estimators: str | Estimator | Sequence[str | Estimator] = ("ips", "snips", "clipped_ips"),
    *,
    settings: Intervals | None = None,
    reward: str | None = None,
    unit: Unit = "user",
    history_slates: int = 5,
    model: str | Mapping[str, object] | RewardModel | CrossFit = "ridge",
    logging: Policy | None = None,
    overlap: bool | None = None,
    **changes: Unpack[ImpressionKeywords],
) -> list[PolicyValue]:
    """Estimate the reward of a policy per impression, from a log of another policy.

    In a log of slates of several items every item shown is an impression, weighted by the
    propensity of that item at that position; its reward is its own click. That is unbiased if a
    click depends on nothing else in the slate, and for users in the state in which the logging
    policy left them.

    Args:
        log: The log, its pieces in order, or the folder of a saved one, which is read in pieces.
            Reward models and rules for the clip read it several times, so it must not be an
            iterator then.
        policy: The evaluated policy: an agent, or a function of observations and items.
        estimators: Names from `ESTIMATORS`, or estimators that `make_estimator` built; or one.
        settings: `Intervals` or `ImpressionSettings`.
        reward: Name of the reward; by default the weighted sum of the log's problem.
        unit: What is independent of the rest and therefore resampled: the ``user`` with all their
            rows, a ``session`` of theirs, or the ``row``. In an anonymous log always the row.
        history_slates: Slates of history in the policy's observations.
        model: Reward model of the estimators that need one, fitted on this log with cross-fitting:
            a name from `recsim.estimators.reward_models` or its settings; or one that `cross_fit`
            fitted on the same log with the same ``unit``.
        logging: The logging policy, where it is known: for ``switch``, to count unsupported
            actions exactly, and for the propensities of a log that has none. Where the log has
            them, the two must agree to one part in a thousand. An estimated policy need not agree,
            and counts nothing exactly; but ``switch`` accepts it only with its own propensities,
            see `recsim.estimators.with_propensities`.
        overlap: Whether to count what the policy would show and the log never does. By default if
            the policy knows the probability of every candidate, or an estimator needs it.
        **changes: Fields of `ImpressionSettings` by name, in place of those of ``settings``:
            ``clip``, ``tau``, ``shrinkage``, ``subgaussian`` (numbers, or ``slope`` or ``mse`` to
            choose them on this log), ``interval``, ``bound``, ``level``, ``samples``, ``seed``.

    Returns:
        One value per estimator, in their order.

    Raises:
        UserError: If a propensity is missing, outside (0, 1] or not that of ``logging`` (names the
            row), the policy does not know its own, or a name or setting is wrong.
    """
    chosen, estimators = ImpressionSettings.of(settings, changes), one_or_more(estimators)
    built: list[Estimator] = [
        make_estimator(e, **chosen.numbers) if isinstance(e, str) else e for e in estimators
    ]
    needs = frozenset[str]().union(*(estimator.needs for estimator in built))
    if "actions" in needs and logging is None:
        raise EstimationError(
            "switch needs the probability of every action under the logging policy: give 'logging'."
        )
    fit = partial(
        cross_fit, log, reward=reward, unit=unit, history_slates=history_slates, seed=chosen.seed
    )
    plain = model if isinstance(model, CrossFit) else None
    weighted = None
    if needs & {"model", "actions"} and not isinstance(model, CrossFit):
        check_read_twice(log, "A reward model is fitted on the log")
        plain = fit(model)
    if "weighted_model" in needs:
        check_read_twice(log, "A reward model is fitted on the log")
        if isinstance(model, CrossFit):
            raise EstimationError("mrdr fits a reward model of its own: give the settings of one.")
        weighted = fit(model, policy=policy, logging=logging)
    read = partial(
        policy_samples,
        policy=policy,
        reward=reward,
        unit=unit,
        history_slates=history_slates,
        model=plain,
        weighted_model=weighted,
        logging=logging,
        actions="actions" in needs,
    )
    rules = [_rule(estimator, chosen) for estimator in estimators]
    for at, rule in enumerate(rules):
        if rule is not None:
            check_read_twice(log, f"The rule {rule!r} chooses a limit on the log")
            built[at] = choose(read(log), built[at].name, rule=rule).estimator
    tables = bool(needs & {"model", "weighted_model", "actions"})
    counted = (tables or knows_actions(policy)) if overlap is None else overlap
    exact = logging is not None and not is_estimated(logging)
    unsupported = OverlapSums(exact=exact) if counted else None
    tally, fingerprint, repeated = Tally(built, chosen), Fingerprint(), RepeatedRows()
    for sample in read(repeated.watch(fingerprint.watch(log)), overlap=unsupported):
        tally.add(sample)
    if isinstance(model, CrossFit):
        model.check_log(fingerprint.value)
    values = with_warnings(tally.values(), repeated.warnings + doubts(logging))
    if unsupported is not None:
        values = unsupported.result().attach(values)
    draws = policy.draws if isinstance(policy, SampledPolicy) else 0
    return [
        dataclasses.replace(value, rule=rule or "", policy_draws=draws)
        for value, rule in zip(values, rules, strict=True)
    ]


def log_value(
    log: Log,
    settings: Intervals | None = None,
    *,
    reward: str | None = None,
    unit: Unit = "user",
    **changes: Unpack[IntervalKeywords],
) -> PolicyValue:
    """Return the reward of the logging policy per impression: the mean of the log.

    Needs no propensities. For the arguments see `evaluate`.
    """
    mean = dataclasses.replace(make_estimator("ips"), name="logged")
    tally = Tally([mean], settings, **changes)
    first_row, numbers, repeated = 0, Units(unit), RepeatedRows()
    for chunk in repeated.watch(log):
        shown = chunk.slate >= 0
        rewards = item_rewards(chunk, reward)[shown]
        of_rows = numbers.of(chunk, first_row)[:, None]
        units = np.broadcast_to(of_rows, shown.shape)[shown]
        whole = unit == "row" or chunk.anonymous
        ones = np.ones(len(rewards))
        tally.add(Sample(ones, rewards, units, whole=whole, adaptive=chunk.adaptive))
        first_row += len(chunk)
    return with_warnings(tally.values(), repeated.warnings)[0]


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

    Raises:
        UserError: See `evaluate`.
    """
    models = {"model": model, "weighted_model": weighted_model}
    fitted = {name: model for name, model in models.items() if model is not None}
    tables = bool(fitted) or overlap is not None or actions
    for rows in read_rows(
        log,
        unit=unit,
        history_slates=history_slates,
        most=batch_rows,
        cells=_CELLS if tables else None,
        first=first_row,
        policies=(policy, logging),
    ):
        shown, first, slots = rows.shown, rows.first, rows.items.shape[1]
        pi = propensities(policy, rows.obs, rows.items, first_row=first)
        mu = logged_propensities(rows, logging)
        weights = probability_ratio(pi, mu, shown=shown, first_row=first)
        every_pi = every_mu = None
        if tables:
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


def _rule(estimator: str | Estimator, limits: Limits) -> LimitRule | None:
    """Return the rule by which the limit of an estimator is chosen; None if it is a number."""
    if not isinstance(estimator, str) or estimator not in LIMIT_OF:
        return None
    limit: Limit = getattr(limits, LIMIT_OF[estimator])
    if not isinstance(limit, str):
        return None
    check_rule(estimator, limit)
    return limit


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
