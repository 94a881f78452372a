"""What is computed of a log for all trials alike: its logging policy, and its mean reward.

Trials of one log follow each other in a process. What does not depend on the agent or the seed is
kept for the next trial.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from recsim.contracts.reads import reads_of
from recsim.errors import AgentError, located
from recsim.estimators import (
    Intervals,
    LoggingSettings,
    PolicyValue,
    estimate_logging,
    log_value,
    with_balanced_propensities,
    with_propensities,
)
from recsim.estimators.balanced import ONE_AFTER_THE_OTHER, one_after_the_other
from recsim.estimators.impressions.propensities import ignored_context
from recsim.estimators.policies import Policy, knows_actions
from recsim.log import SlateLog
from recsim.scenario.agents import AgentSpec
from recsim.scenario.estimation import LoggingSpec

# Of these an agent that declares none of them chooses items regardless of the user.
_CONTEXT = frozenset({"user_features", "user_ids", "history", "state"})


@dataclass(frozen=True, eq=False)
class KnownLogging:
    """What is known of the policy that made a log.

    Attributes:
        log: The log with the propensities to use.
        policy: The policy, where the probability of every action is known.
        doubts: Reasons to doubt values that rest on it, beside those that the policy itself gives.
    """

    log: SlateLog
    policy: Policy | None = None
    doubts: tuple[str, ...] = ()


def logging_of(log: SlateLog, spec: LoggingSpec | None) -> KnownLogging:
    """Return what is known of the policy that made a log.

    Args:
        log: The log.
        spec: The block ``logging`` of a scenario.

    Raises:
        UserError: If the policy cannot be estimated, or the agent cannot have made a log.
    """
    if spec is None:
        return KnownLogging(log)
    with located("logging"):
        if spec.weights == "balanced":
            apart = (ONE_AFTER_THE_OTHER,) if one_after_the_other(log) else ()
            return KnownLogging(_balanced(log), doubts=apart)
        if spec.settings is not None:
            return _estimated(log, spec.settings)
        named = AgentSpec.model_validate({"name": spec.agent, "config": spec.config})
        agent = named.build(log.problem, seed=0)
        if agent.needs_log or agent.privileged:
            raise AgentError(
                f"agent: {spec.agent!r} cannot be evaluated on a log: "
                "it needs to be fitted, or the state of simulated users."
            )
        reads = reads_of(agent)
        # Logged propensities are compared with those of the agent, which tells more.
        unchecked = log.propensity is None and reads is not None and _CONTEXT.isdisjoint(reads)
        return KnownLogging(log, agent, _doubts(log, str(spec.agent)) if unchecked else ())


@functools.lru_cache(maxsize=4)
def mean_of(log: SlateLog, intervals: Intervals) -> PolicyValue:
    """Return the mean reward of a log; see `recsim.estimators.log_value`."""
    return log_value(log, intervals)


@functools.lru_cache(maxsize=2)
def rows_from(log: SlateLog, first: int) -> SlateLog:
    """Return the rows of a log from one on."""
    return log.select(slice(first, None))


@functools.lru_cache(maxsize=2)
def _estimated(log: SlateLog, settings: LoggingSettings) -> KnownLogging:
    estimated = estimate_logging(log, settings)
    # Popularity is not a distribution over items: only logged actions have a probability.
    whole = estimated if knows_actions(estimated) else None
    return KnownLogging(with_propensities(log, estimated), whole)


@functools.lru_cache(maxsize=2)
def _balanced(log: SlateLog) -> SlateLog:
    return with_balanced_propensities(log)


@functools.lru_cache(maxsize=2)
def _doubts(log: SlateLog, name: str) -> tuple[str, ...]:
    return ignored_context(log, name)
