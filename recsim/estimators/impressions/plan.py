"""What is computed to evaluate a policy on a log: models, limits, and what else is noticed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from recsim.errors import EstimationError
from recsim.estimators.estimator import Estimator
from recsim.estimators.impressions.clipping import check_rule, choose
from recsim.estimators.impressions.crossfitting import CrossFit, cross_fit
from recsim.estimators.impressions.estimators import LIMIT_OF, make_estimator
from recsim.estimators.impressions.sample import Sample
from recsim.estimators.impressions.weighted_rows import policy_samples
from recsim.estimators.overlap import OverlapSums
from recsim.estimators.policies import (
    Policy,
    SampledPolicy,
    doubts,
    is_estimated,
    knows_actions,
)
from recsim.estimators.repeated_rows import RepeatedRows
from recsim.estimators.reward_models import RewardModel
from recsim.estimators.rows import (
    Fingerprint,
    Log,
    check_read_twice,
)
from recsim.estimators.settings import (
    ImpressionSettings,
    Limit,
    LimitRule,
    Limits,
)
from recsim.estimators.tally import PolicyValue, Tally, with_warnings
from recsim.estimators.units import Unit


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """What is computed to evaluate one policy on one log.

    Attributes:
        estimators: The estimators, their limits chosen.
        settings: Settings of limits and intervals.
        rules: The rule that chose the limit of each estimator; empty where it was given.
        read: From a log to its samples, see `policy_samples`.
        overlap: Counts what the policy would show and the log never does, or None.
        tables: Whether the probability of every candidate is computed.
        policy: The evaluated policy.
        logging: The logging policy, or None.
        model: A reward model that was fitted before, or None.
    """

    estimators: list[Estimator]
    settings: ImpressionSettings
    rules: list[str]
    read: Callable[..., Iterator[Sample]]
    overlap: OverlapSums | None
    tables: bool
    policy: Policy
    logging: Policy | None
    model: CrossFit | None
    _fingerprint: Fingerprint = dataclasses.field(default_factory=Fingerprint)
    _repeated: RepeatedRows = dataclasses.field(default_factory=RepeatedRows)

    @staticmethod
    def of(
        log: Log,
        policy: Policy,
        estimators: Sequence[str | Estimator],
        settings: ImpressionSettings,
        *,
        reward: str | None,
        unit: Unit,
        history_slates: int,
        model: str | Mapping[str, object] | RewardModel | CrossFit,
        logging: Policy | None,
        overlap: bool | None,
    ) -> Plan:
        """Fit reward models and choose limits; for the arguments and errors see `evaluate`."""
        built: list[Estimator] = [
            make_estimator(e, **settings.numbers) if isinstance(e, str) else e for e in estimators
        ]
        needs = frozenset[str]().union(*(estimator.needs for estimator in built))
        if "actions" in needs and logging is None:
            raise EstimationError(
                "switch needs the probability of every action under the logging policy: give "
                "'logging'."
            )
        common: dict[str, Any] = {
            "reward": reward,
            "unit": unit,
            "history_slates": history_slates,
        }
        fit: Any = partial(cross_fit, log, **common, seed=settings.seed)
        given = model if isinstance(model, CrossFit) else None
        plain, weighted = given, None
        if needs & {"model", "actions"} and given is None:
            check_read_twice(log, "A reward model is fitted on the log")
            plain = fit(model)
        if "weighted_model" in needs:
            check_read_twice(log, "A reward model is fitted on the log")
            if given is not None:
                raise EstimationError(
                    "mrdr fits a reward model of its own: give the settings of one."
                )
            weighted = fit(model, policy=policy, logging=logging)
        read: Any = partial(
            policy_samples,
            policy=policy,
            **common,
            model=plain,
            weighted_model=weighted,
            logging=logging,
            actions="actions" in needs,
        )
        rules = [_rule(estimator, settings) for estimator in estimators]
        for at, rule in enumerate(rules):
            if rule is not None:
                check_read_twice(log, f"The rule {rule!r} chooses a limit on the log")
                built[at] = choose(read(log), built[at].name, rule=rule).estimator
        tables = bool(needs & {"model", "weighted_model", "actions"})
        counted = (tables or knows_actions(policy)) if overlap is None else overlap
        exact = logging is not None and not is_estimated(logging)
        return Plan(
            built,
            settings,
            [rule or "" for rule in rules],
            read,
            OverlapSums(exact=exact) if counted else None,
            tables or counted,
            policy,
            logging,
            given,
        )

    def samples(self, log: Log, *, tables: bool = False) -> Iterator[Sample]:
        """Yield the impressions of the log, once, with their weights under the policy.

        Args:
            log: The log.
            tables: See `policy_samples`.
        """
        watched = self._repeated.watch(self._fingerprint.watch(log))
        return self.read(watched, overlap=self.overlap, tables=tables)

    def values(self, tally: Tally) -> list[PolicyValue]:
        """Return the estimates of a tally of all samples, with what was noticed beside them."""
        if self.model is not None:
            self.model.check_log(self._fingerprint.value)
        values = with_warnings(tally.values(), self._repeated.warnings + doubts(self.logging))
        if self.overlap is not None:
            values = self.overlap.result().attach(values)
        draws = self.policy.draws if isinstance(self.policy, SampledPolicy) else 0
        return [
            dataclasses.replace(value, rule=rule, policy_draws=draws)
            for value, rule in zip(values, self.rules, strict=True)
        ]


def _rule(estimator: str | Estimator, limits: Limits) -> LimitRule | None:
    """Return the rule by which the limit of an estimator is chosen; None if it is a number."""
    if not isinstance(estimator, str) or estimator not in LIMIT_OF:
        return None
    limit: Limit = getattr(limits, LIMIT_OF[estimator])
    if not isinstance(limit, str):
        return None
    check_rule(estimator, limit)
    return limit
