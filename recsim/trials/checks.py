"""Everything that can be wrong with a scenario, found before anything is written.

A scenario that passes names environments, readers, estimators, metrics and agents that exist, with
settings that they accept on the problem at hand, and files that can be read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import agents
from recsim.contracts.slates import Agent
from recsim.errors import UserError, did_you_mean
from recsim.metrics.model_error import model_metrics
from recsim.play.rollout import rollout
from recsim.problem import Problem
from recsim.scenario.building import (
    blame,
    check_memory,
    kind_of_environment,
    make_agent,
    make_env,
    problem_of,
)
from recsim.scenario.schema import AgentSpec, Scenario, TrainingLogSpec
from recsim.trials.accuracy import check_benchmark
from recsim.trials.conversations import check_conversations
from recsim.trials.critiquing import check_critiques
from recsim.trials.holdout import check_holdout
from recsim.trials.logs import check_log_scenario, check_same_problem, read_data
from recsim.trials.simulation import metrics_of

__all__ = ["check"]

# Kinds of environments whose scenarios have checks of their own.
_OF_SESSIONS = {"conversations": check_conversations, "critiquing": check_critiques}
# Metrics that only worlds have in which users return.
_OF_RETENTION = ("return_per_user", "return_per_session")


def check(scenario: Scenario, source: str | Path = "") -> None:
    """Refuse a scenario that could not run.

    Args:
        scenario: What to check.
        source: Its file, to be named in messages.

    Raises:
        UserError: Says which key is wrong, and what would be right.
    """
    with blame(str(source)) if source else contextlib.nullcontext():
        if scenario.env is not None:
            _check_simulation(scenario)
        elif scenario.benchmark is not None:
            check_benchmark(scenario)
        elif scenario.holdout is not None:
            check_holdout(scenario)
        else:
            check_log_scenario(scenario)


def _check_simulation(scenario: Scenario) -> None:
    assert scenario.env is not None
    env = make_env(scenario.env, 2)
    try:
        kind = kind_of_environment(scenario.env)
        if kind in _OF_SESSIONS:
            _OF_SESSIONS[kind](scenario, env)
            return
        problem = problem_of(env)
        check_memory(env, scenario.users)
        for spec in scenario.agents:
            agent = make_agent(spec, problem, seed=0)
            training = scenario.training_log_of(spec)
            _check_training(training, spec, agent, problem)
            if training is not None and training.users is not None:
                with blame("training_log"):
                    check_memory(env, training.users)
            if agent.privileged and scenario.env.options.get("reveal_state") is False:
                raise UserError(
                    f"agents: {spec.label}: {spec.name!r} needs env.reveal_state to be true."
                )
        # Two users, one slate: which metrics there are, and that the environment can be played.
        try:
            played = rollout(env, agents.make("random", problem), seed=0, max_steps=1)
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(f"env: cannot be played with these settings: {error}") from error
        known = metrics_of([played] * min(scenario.rounds, 2))
        known |= model_metrics(getattr(env.unwrapped, "model_error", {}))
    finally:
        env.close()
    _check_metrics("metrics", scenario.metrics or (), known)
    _check_metrics("front", scenario.front or (), known)


def _check_training(
    training: TrainingLogSpec | None, spec: AgentSpec, agent: Agent, problem: Problem
) -> None:
    if training is None:
        if agent.needs_log:
            raise UserError(
                f"agents: {spec.label}: {spec.name!r} must be fitted on a log: "
                "add e.g. 'training_log: {agent: random}'."
            )
        return
    with blame("training_log"):
        if training.data is not None:
            check_same_problem(read_data(training.data).problem, problem)
            return
        collector = AgentSpec.model_validate({"name": training.agent, "config": training.config})
        if make_agent(collector, problem, seed=0).needs_log:
            raise UserError(
                f"agent: {training.agent!r} would have to be fitted itself: "
                "choose one that needs no log, e.g. 'random'."
            )


def _check_metrics(key: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            if name in _OF_RETENTION:
                raise UserError(
                    f"{key}: this world has no retention, so there is no {name!r}. "
                    f"There are: {', '.join(known)}."
                )
            raise UserError(f"{key}: unknown metric {name!r}.{did_you_mean(name, known)}")
