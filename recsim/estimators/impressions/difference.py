"""How much more one policy is worth than another, from the same log."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Unpack

import numpy as np

from recsim.estimators.difference import Difference, Pair, PolicyDifference
from recsim.estimators.estimator import Estimator
from recsim.estimators.impressions.crossfitting import CrossFit
from recsim.estimators.impressions.estimators import make_estimator
from recsim.estimators.impressions.plan import Plan
from recsim.estimators.impressions.sample import Sample
from recsim.estimators.policies import Policy
from recsim.estimators.reward_models import RewardModel
from recsim.estimators.rows import Log, check_read_twice
from recsim.estimators.settings import ImpressionKeywords, ImpressionSettings, Intervals
from recsim.estimators.tally import PolicyValue, Tally
from recsim.estimators.targets import policy_of
from recsim.estimators.units import Unit
from recsim.settings import one_or_more


def evaluate_difference(
    log: Log,
    policy: Policy | str,
    other: Policy | str | None = None,
    estimators: str | Sequence[str] = ("ips", "snips", "clipped_ips"),
    *,
    settings: Intervals | None = None,
    reward: str | None = None,
    unit: Unit = "user",
    history_slates: int = 5,
    model: str | Mapping[str, object] | RewardModel | CrossFit = "ridge",
    logging: Policy | None = None,
    overlap: bool | None = None,
    **changes: Unpack[ImpressionKeywords],
) -> list[PolicyDifference]:
    """Estimate how much more reward per impression one policy earns than another.

    Both are estimated on the same rows, so that what rows have in common cancels: the interval is
    that of the difference of their terms, by independent unit, and narrower than two intervals side
    by side suggest.

    Args:
        log: The log, its pieces in order, or the folder of a saved one; not an iterator.
        policy: The first policy; see `evaluate`.
        other: The second one; None for the policy of the log, whose value is the mean of the log.
        estimators: Names from `ESTIMATORS`, or one; both policies have the same.
        settings: As in `evaluate`.
        reward: As there.
        unit: As there.
        history_slates: As there.
        model: As there.
        logging: As there.
        overlap: As there, of the first policy.
        **changes: As there. Kinds of intervals for means alone are not possible.

    Returns:
        One difference per estimator, in their order.

    Raises:
        UserError: As `evaluate`.
    """
    check_read_twice(log, "Two policies are evaluated on the log")
    chosen, names = ImpressionSettings.of(settings, changes), one_or_more(estimators)
    first, second = policy_of(policy), None if other is None else policy_of(other)

    def plan(of: Policy, overlap: bool | None) -> Plan:
        return Plan.of(
            log,
            of,
            names,
            chosen,
            reward=reward,
            unit=unit,
            history_slates=history_slates,
            model=model,
            logging=logging,
            overlap=overlap,
        )

    mine = plan(first, overlap)
    theirs = None if second is None else plan(second, False)
    logged: Estimator = dataclasses.replace(make_estimator("ips"), name="logged")
    others = [logged] * len(names) if theirs is None else theirs.estimators
    pairs = [Difference.of(*both) for both in zip(mine.estimators, others, strict=True)]
    tallies = Tally(mine.estimators, chosen), Tally(others, chosen), Tally(pairs, chosen)
    for pair in _pairs(log, mine, theirs):
        for tally, sample in zip(tallies, (pair.first, pair.second, pair), strict=True):
            tally.add(sample)
    values = mine.values(tallies[0])
    references = tallies[1].values() if theirs is None else theirs.values(tallies[1])
    return [
        PolicyDifference(
            estimator=difference.estimator,
            value=difference.value,
            low=difference.low,
            high=difference.high,
            level=difference.level,
            first=value,
            second=reference,
            warnings=_warnings(value, reference, difference, second),
        )
        for value, reference, difference in zip(
            values, references, tallies[2].values(), strict=True
        )
    ]


def _warnings(
    value: PolicyValue, reference: PolicyValue, difference: PolicyValue, second: Policy | None
) -> tuple[str, ...]:
    """Return the reasons to doubt a difference, with the policy that each is about."""
    both = [text for text in value.warnings if text in reference.warnings]
    other = "the log" if second is None else "the second policy"
    of_one = [f"the first policy: {text}" for text in value.warnings if text not in both]
    of_other = [f"{other}: {text}" for text in reference.warnings if text not in both]
    known = {*value.warnings, *reference.warnings}  # its weights are those of the first policy
    own = [f"the difference: {text}" for text in difference.warnings if text not in known]
    return (*both, *of_one, *of_other, *own)


def _pairs(log: Log, mine: Plan, theirs: Plan | None) -> Iterator[Pair]:
    """Yield the samples of both policies, of the same rows."""
    if theirs is None:
        for sample in mine.samples(log):
            yield Pair(sample, _as_logged(sample))
        return
    tables = mine.tables or theirs.tables  # so that both read the same rows at a time
    samples = (plan.samples(log, tables=tables) for plan in (mine, theirs))
    for first, second in zip(*samples, strict=True):
        yield Pair(first, second)


def _as_logged(sample: Sample) -> Sample:
    """Return the rows under the policy that showed them, whose weights are 1."""
    return Sample(
        np.ones(len(sample)),
        sample.rewards,
        sample.units,
        whole=sample.whole,
        adaptive=sample.adaptive,
    )
