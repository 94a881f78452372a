"""The value of a policy per impression, from a log of another policy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Unpack

import numpy as np

from recsim.estimators.estimator import Estimator
from recsim.estimators.impressions.crossfitting import CrossFit
from recsim.estimators.impressions.estimators import make_estimator
from recsim.estimators.impressions.plan import Plan
from recsim.estimators.impressions.sample import Sample
from recsim.estimators.policies import (
    Policy,
)
from recsim.estimators.repeated_rows import RepeatedRows
from recsim.estimators.reward_models import RewardModel
from recsim.estimators.rows import (
    Log,
    item_rewards,
)
from recsim.estimators.settings import (
    ImpressionKeywords,
    ImpressionSettings,
    IntervalKeywords,
    Intervals,
)
from recsim.estimators.tally import PolicyValue, Tally, with_warnings
from recsim.estimators.targets import policy_of
from recsim.estimators.units import Unit, Units
from recsim.settings import one_or_more


def evaluate(
    log: Log,
    policy: Policy | str,
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
        policy: The evaluated policy: an agent, a function of observations and items, or the name of
            a policy whose probabilities stand in the log, see `SlateLog.target_propensities`.
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
    plan = Plan.of(
        log,
        policy_of(policy),
        one_or_more(estimators),
        ImpressionSettings.of(settings, changes),
        reward=reward,
        unit=unit,
        history_slates=history_slates,
        model=model,
        logging=logging,
        overlap=overlap,
    )
    tally = Tally(plan.estimators, plan.settings)
    for sample in plan.samples(log):
        tally.add(sample)
    return plan.values(tally)


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
