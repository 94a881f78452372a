"""The value of a policy per slate, from a log of another policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Unpack

import numpy as np

from recsim.arrays import Floats
from recsim.errors import EstimationError
from recsim.estimators.backward import fit_backwards
from recsim.estimators.policies import Policy, doubts
from recsim.estimators.repeated_rows import RepeatedRows
from recsim.estimators.reward_models import RewardModel
from recsim.estimators.rows import Log, check_read_twice
from recsim.estimators.settings import Intervals, SlateKeywords, SlateSettings
from recsim.estimators.slates.cascade import CascadeStages, item_table
from recsim.estimators.slates.estimators import make_slate_estimator
from recsim.estimators.slates.overlap import SlateOverlap
from recsim.estimators.slates.policies import next_probabilities
from recsim.estimators.slates.rows import Evaluation, Logging, SlateRows
from recsim.estimators.slates.sample import SlateEstimator, SlateSample
from recsim.estimators.tally import PolicyValue, Tally, with_warnings
from recsim.estimators.targets import policy_of
from recsim.estimators.units import Unit
from recsim.settings import one_or_more


def evaluate_slates(
    log: Log,
    policy: Policy | str,
    estimators: str | Sequence[str] = ("sips", "snsips", "iips", "sniips"),
    *,
    settings: Intervals | None = None,
    logging: Logging | None = None,
    reward: str | None = None,
    position_weights: Sequence[float] | None = None,
    unit: Unit = "user",
    history_slates: int = 5,
    model: str | Mapping[str, Any] | RewardModel = "ridge",
    overlap: bool | None = None,
    **changes: Unpack[SlateKeywords],
) -> list[PolicyValue]:
    """Estimate the reward of a policy per slate, from a log of another policy.

    The value is for users in the state in which the logging policy left them; see
    `evaluate_trajectories` for the effect of a policy on its users.

    ``sips`` needs the probability of whole slates under both policies, ``rips`` and ``cascade_dr``
    of prefixes, ``iips`` of items at their positions; ``pi`` needs that of every candidate at every
    position under the evaluated policy, and the policy that made the log.

    Args:
        log: The log, its pieces in order, or the folder of a saved one, which is read in pieces.
        policy: The evaluated policy: an agent, or a function of observations and items. See
            `recsim.estimators.slates.policies` for the methods that it may have.
        estimators: Names from `SLATE_ESTIMATORS`, or one.
        settings: `Intervals` or `SlateSettings`.
        logging: What made the log, where the logged probabilities are not enough: a policy, or
            ``independent`` if every position was filled independently, so that the probabilities
            of the items multiply.
        reward: Name of the reward; by default the weighted sum of the log's problem. Estimators
            with weights for each position need clicks, or slates of one item.
        position_weights: Factors of the rewards at each position, ``(K,)``; 1 at one of them and
            else 0 gives the value of this position.
        unit: What is independent of the rest: the ``user`` with all their slates, a ``session`` of
            theirs, or the ``row``, which is one slate.
        history_slates: Slates of history in the policy's observations.
        model: The regression for ``cascade_dr``, fitted on this log with cross-fitting: a name
            from `recsim.estimators.reward_models`, or its settings.
        overlap: Whether to count items that the policy would show at a position where the log never
            does; by default wherever it is cheap, see `recsim.estimators.slates.overlap`.
        **changes: Fields of `SlateSettings` by name, in place of those of ``settings``: ``clip``,
            ``interval``, ``bound``, ``level``, ``samples``, ``seed``.

    Returns:
        One value per estimator, in their order.

    Raises:
        UserError: If a probability is missing or outside (0, 1] (names the row), a policy does not
            know what an estimator needs, or a name or setting is wrong.
    """
    chosen, names = SlateSettings.of(settings, changes), one_or_more(estimators)

    def build(slots: int | None = None) -> list[SlateEstimator]:
        return [make_slate_estimator(name, clip=chosen.clip, slots=slots) for name in names]

    needs = frozenset[str]().union(*(estimator.needs for estimator in build()))
    modelled = "action_values" in needs
    if modelled:
        check_read_twice(log, "cascade_dr first fits its model on the log")
    alpha = None if position_weights is None else np.asarray(position_weights, dtype=np.float64)
    evaluation = Evaluation(policy_of(policy), logging, reward, unit, history_slates, needs, alpha)
    predicted = _cascade_values(log, evaluation, model, chosen.seed) if modelled else None
    tally: Tally | None = None
    unknown, total, counts, repeated = 0, 0, SlateOverlap(overlap), RepeatedRows()
    for rows in evaluation.read(repeated.watch(log)):
        tally = tally or Tally(build(rows.problem.slate_size), chosen)
        tally.add(_sample(rows, predicted))
        counts.add(rows)
        total += len(rows)
        if "additive_weights" in needs:
            unknown += int(np.count_nonzero(~rows.additive_weights[1]))
    if tally is None:
        raise EstimationError("The log has no rows.")
    values = with_warnings(tally.values(), repeated.warnings + doubts(logging))
    values = counts.attach(values)
    if not unknown:
        return values
    warning = (
        f"in {unknown} of {total} slates the logging policy never shows combinations that would "
        "be needed to estimate this policy, even if rewards add up"
    )
    return [
        replace(value, warnings=(*value.warnings, warning))
        if "additive_weights" in estimator.needs
        else value
        for value, estimator in zip(values, tally.estimators, strict=True)
    ]


def _sample(rows: SlateRows, predicted: tuple[Floats, Floats] | None) -> SlateSample:
    """Return the columns that the estimators need, and no others."""
    needs, part = rows.evaluation.needs, slice(rows.first, rows.first + len(rows))
    rewards, by_slot = rows.rewards
    return SlateSample(
        rewards,
        rows.units,
        by_slot,
        rows.slot_weights if "slot_weights" in needs else None,
        rows.prefix_weights if "prefix_weights" in needs else None,
        rows.slate_weights if "slate_weights" in needs else None,
        rows.additive_weights[0] if "additive_weights" in needs else None,
        None if predicted is None else predicted[0][part],
        None if predicted is None else predicted[1][part],
        rows.shown,
        rows.whole,
        rows.log.adaptive,
    )


def _cascade_values(
    log: Log, evaluation: Evaluation, model: str | Mapping[str, Any] | RewardModel, seed: int
) -> tuple[Floats, Floats]:
    """Return Q and E Q of every position of the log, ``(M, K)`` each."""
    parts, units, problem = [], [], None
    for rows in evaluation.read(log):
        problem = rows.problem
        following = next_probabilities(evaluation.policy, rows.obs, rows.items)
        users, candidates = rows.obs["user_features"], rows.obs["candidates"]
        parts.append((users.astype(np.float64), rows.items, candidates, following, rows.rewards[1]))
        units.append(rows.units)
    if problem is None:
        raise EstimationError("The log has no rows.")
    users, slates, candidates, following, rewards = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    stages = CascadeStages(users, slates, candidates, following, rewards, item_table(problem))
    return fit_backwards(stages, np.concatenate(units), model, seed=seed)
