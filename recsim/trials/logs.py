"""One trial of a log scenario: what an agent would have earned where another policy played."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

import recsim.log
from recsim.contracts.slates import Agent, FitReport
from recsim.errors import UserError
from recsim.estimators import (
    PolicyValue,
    RewardModel,
    SampledPolicy,
    estimate_logging,
    evaluate,
    log_value,
    make_estimator,
    with_propensities,
)
from recsim.estimators.impressions.clipping import PARAMETER_OF, check_rule
from recsim.estimators.impressions.policies import (
    MOST_ASKED,
    Policy,
    action_probabilities,
    knows_actions,
)
from recsim.estimators.intervals import check_kind
from recsim.log import SlateLog
from recsim.problem import Problem
from recsim.report.tables import cases
from recsim.runs.folder import Trial
from recsim.scenario.building import blame, make_agent
from recsim.scenario.schema import AgentSpec, DataSpec, Scenario, TrainingLogSpec

__all__ = ["check_log_scenario", "check_same_problem", "evaluate_trial", "read_data"]

Row = dict[str, Any]


def read_data(data: DataSpec, options: Mapping[str, Any] | None = None) -> SlateLog:
    """Read the log of a scenario.

    Args:
        data: The block ``data``.
        options: Reader options that add to those of the block, or replace them.

    Raises:
        UserError: If the reader or an option is wrong, a file is missing, or a row is malformed.
    """
    with blame("data"):
        recsim.log.READERS.load(data.reader)  # refuses an unknown name, before the path is checked
        return _read(
            data.reader, json.dumps({"path": data.path, **data.options, **(options or {})})
        )


# The two logs that consecutive trials read: that of the case, and its reference.
@functools.lru_cache(maxsize=2)
def _read(reader: str, options: str) -> SlateLog:
    return recsim.log.read_log(reader, **json.loads(options))


def evaluate_trial(
    scenario: Scenario, trial: Trial, *, agent_seed: int, bootstrap_seed: int
) -> tuple[dict[str, list[Row]], Agent, FitReport | None]:
    """Estimate the value of an agent on one of the logs of a scenario.

    Args:
        scenario: A scenario with ``data``.
        trial: Which agent, on which case.
        agent_seed: Seed of the agent.
        bootstrap_seed: Seed of the intervals of the agent's values.

    Returns:
        ``values`` of the agent, one row per estimator, and ``log``, the mean rewards of the logs
        themselves; the agent; and what its training did, if there was any.
    """
    assert scenario.data is not None
    options = cases(scenario.data)[trial.case]
    spec = next(agent for agent in scenario.agents if agent.label == trial.agent)
    log = read_data(scenario.data, options)
    training = scenario.training_log_of(spec)
    fitted_on, judged_on = _split(scenario, training, log, options)
    agent = make_agent(spec, log.problem, agent_seed)
    fitted = None if fitted_on is None else agent.fit(fitted_on)
    settings = scenario.bootstrap
    known, logging = _logging_policy(scenario, judged_on)
    policy = _policy(scenario, agent, judged_on)
    values = evaluate(
        known,
        policy,
        scenario.estimators,
        **scenario.limits,
        interval=scenario.interval,
        bound=scenario.bound,
        level=settings.level,
        samples=settings.samples,
        seed=bootstrap_seed,
        logging=logging,
        overlap=knows_actions(policy) or log.problem.num_candidates <= MOST_ASKED,
    )
    # Their intervals do not depend on the trial, so that all trials tell the same of the logs.
    means = {"logged": judged_on}
    if scenario.data.reference is not None:
        means["reference"] = read_data(scenario.data, options | scenario.data.reference)
    of_logs = {
        name: log_value(
            part,
            interval=scenario.interval,
            bound=scenario.bound,
            level=settings.level,
            samples=settings.samples,
            seed=0,
        )
        for name, part in means.items()
    }
    return (
        {
            "values": [_row(trial.agent, trial.seed, value) for value in values],
            "log": [
                _row(name, "", value) | {"estimator": "mean"} for name, value in of_logs.items()
            ],
        },
        agent,
        fitted,
    )


def _logging_policy(scenario: Scenario, log: SlateLog) -> tuple[SlateLog, Policy | None]:
    """Return the log with the propensities to use, and its policy where that is known."""
    spec = scenario.logging
    if spec is None:
        return log, None
    with blame("logging"):
        if spec.settings is None:
            named = AgentSpec.model_validate({"name": spec.agent, "config": spec.config})
            agent = make_agent(named, log.problem, seed=0)
            if agent.needs_log or agent.privileged:
                raise UserError(f"agent: {spec.agent!r} cannot say what it would show in a log.")
            return log, agent
        estimated = estimate_logging(log, spec.settings)
        # Popularity is no distribution over items: it says nothing of the actions not taken.
        whole = estimated if knows_actions(estimated) else None
        return with_propensities(log, estimated), whole


def _policy(scenario: Scenario, agent: Agent, log: SlateLog) -> Policy:
    """Return the agent, or its draws if it does not know its own probabilities."""
    if scenario.draws:
        obs = log.observations(np.arange(min(len(log), 1)))
        if agent.propensities(obs, log.slate[:1]) is None:
            return SampledPolicy(agent, scenario.draws, scenario.smoothing)
    return agent


def _split(
    scenario: Scenario,
    training: TrainingLogSpec | None,
    log: SlateLog,
    options: Mapping[str, Any],
) -> tuple[SlateLog | None, SlateLog]:
    """Return what the agent is fitted on, if anything, and what it is judged on."""
    assert scenario.data is not None
    judged_on = log
    # The scenario's share is set aside whatever an agent is fitted on: all see the same rows.
    share = scenario.training_log.share if scenario.training_log is not None else None
    if share is not None:
        cut = int(np.floor(share * len(log)))
        judged_on = log.select(slice(cut, None))
    if training is None:
        return None, judged_on
    if training.data is None:
        return log.select(slice(0, cut)), judged_on
    own = training.data
    # The same data set follows the case, unless it says otherwise itself.
    same = own.reader == scenario.data.reader and own.path == scenario.data.path
    return read_data(own, {**options, **own.options} if same else None), judged_on


def _row(agent: str, seed: int | str, value: PolicyValue) -> Row:
    content = value.to_dict()
    del content["level"]
    return {"agent": agent, "seed": seed, **content, "warnings": list(value.warnings)}


def check_log_scenario(scenario: Scenario) -> None:
    """Refuse a log scenario that could not run.

    Raises:
        UserError: Says which key is wrong, and what would be right.
    """
    assert scenario.data is not None
    _read.cache_clear()  # files may have changed since an earlier run in this process
    _check_estimation(scenario)
    for options in cases(scenario.data).values():
        log = read_data(scenario.data, options)
        if scenario.data.reference is not None:
            with blame("reference"):
                other = read_data(scenario.data, options | scenario.data.reference)
                check_same_problem(other.problem, log.problem)
        sample = log.select(slice(0, 2))
        with blame("data"):
            known, logging = _logging_policy(scenario, log)
            evaluate(known.select(slice(0, 2)), _anything, ("ips",), samples=1, logging=logging)
        for spec in scenario.agents:
            _check_agent(scenario, spec, log, sample, options)


def _check_estimation(scenario: Scenario) -> None:
    """Refuse estimators, rules, intervals and reward models that cannot be."""
    with blame("estimators"):
        built = [make_estimator(name) for name in scenario.estimators]
        needs = frozenset[str]().union(*(estimator.needs for estimator in built))
        if "actions" in needs and scenario.logging is None:
            raise UserError(
                "'switch' needs the probability of every action under the logging policy: add e.g. "
                "'logging: frequencies', or the agent that made the log."
            )
    limits = {"clip", "tau", "shrinkage", "subgaussian"}
    for name in scenario.estimators:
        key = PARAMETER_OF.get(name, "")
        if key in limits and isinstance(rule := getattr(scenario, key), str):
            with blame(key):
                check_rule(name, rule)
    with blame("interval"):
        check_kind(scenario.interval, scenario.bound, tuple(built))
    RewardModel.of(scenario.reward_model)
    if scenario.logging is not None:
        _ = scenario.logging.settings


def check_same_problem(given: Problem, wanted: Problem) -> None:
    """Refuse a log of another catalogue or slate size.

    A log that tells nothing of its items is taken at its word that they are the same.

    Raises:
        UserError: Says how they differ.
    """
    for name in ("num_items", "slate_size", "user_feature_dim"):
        mine, theirs = getattr(given, name), getattr(wanted, name)
        if mine != theirs:
            words = name.replace("_", " ").replace("num ", "number of ")
            raise UserError(f"the log has {words} {mine}, where the agents need {theirs}.")
    if given.item_features.shape[1]:
        mine, theirs = given.item_features.shape[1], wanted.item_features.shape[1]
        if mine != theirs:
            raise UserError(f"the log has {mine} item features, where the agents need {theirs}.")
        same = np.isclose(given.item_features, wanted.item_features, equal_nan=True).all(axis=1)
        _refuse_other_items(same, "features")
    if given.item_groups.any() and wanted.item_groups.any():
        _refuse_other_items(given.item_groups == wanted.item_groups, "groups")


def _refuse_other_items(same: Any, what: str) -> None:
    """Refuse items, ``(I,)``, that are not the same."""
    if not same.all():
        raise UserError(
            f"the log is of another catalogue of the same size: the {what} of "
            f"{int((~same).sum())} of its {len(same)} items are others, "
            f"those of item {int(np.argmin(same))} first."
        )


def _check_agent(
    scenario: Scenario,
    spec: AgentSpec,
    log: SlateLog,
    sample: SlateLog,
    options: Mapping[str, Any],
) -> None:
    agent = make_agent(spec, log.problem, seed=0)
    if agent.privileged:
        raise UserError(
            f"agents: {spec.label}: {spec.name!r} needs simulated users: "
            "no log knows the best slate."
        )
    training = scenario.training_log_of(spec)
    if training is not None:
        with blame("training_log"):
            fitted_on, judged_on = _split(scenario, training, log, options)
            assert fitted_on is not None
            if not len(fitted_on) or not len(judged_on):
                raise UserError(f"share: {len(log)} rows are too few to be divided.")
            check_same_problem(fitted_on.problem, log.problem)
    elif agent.needs_log:
        raise UserError(
            f"agents: {spec.label}: {spec.name!r} must be fitted on a log: "
            "add e.g. 'training_log: {share: 0.5}'."
        )
    else:
        with blame(f"agents: {spec.label}"):
            policy = _policy(scenario, agent, sample)
            needs = {name: make_estimator(name).needs for name in scenario.estimators}
            direct = [name for name, wanted in needs.items() if wanted <= {"policy"}]
            known = replace(sample, propensity=np.ones(sample.slate.shape))
            evaluate(known, policy, direct or ("ips",), samples=1)
            if len(direct) < len(needs):
                action_probabilities(policy, sample.observations(), log.problem.slate_size)


def _anything(obs: Mapping[str, Any], items: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Stand for a policy while only the log is looked at."""
    return np.ones(items.shape)
