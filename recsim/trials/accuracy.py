"""One trial of a benchmark scenario: many logs, many estimates, one value that is known."""

from __future__ import annotations

import functools
import json
from typing import Any

import agents
from recsim.contracts.slates import Agent
from recsim.errors import UserError
from recsim.estimators import evaluate
from recsim.estimators.accuracy import ErrorSums, seeds_of_logs
from recsim.runs.folder import Trial
from recsim.scenario.building import blame, make_agent
from recsim.scenario.estimation import BenchmarkSpec
from recsim.scenario.schema import AgentSpec, Scenario
from recsim.trials.logged_bandits import LoggedBandit, digits, simulated_users

__all__ = ["benchmark_trial", "check_benchmark"]


def benchmark_trial(
    scenario: Scenario, trial: Trial, *, log_seed: int, agent_seed: int
) -> tuple[list[dict[str, Any]], Agent]:
    """Estimate the value of an agent on many logs of another one.

    Args:
        scenario: A scenario with ``benchmark``.
        trial: Which agent is evaluated.
        log_seed: Seed of the logs, and of the bootstrap of each.
        agent_seed: Seed of the evaluated agent.

    Returns:
        For each estimator and kind of interval the sums of `recsim.estimators.accuracy.ErrorSums`,
        with the policy and its exact value; and the agent.
    """
    spec = scenario.benchmark
    assert spec is not None
    bandit = _bandit(json.dumps(spec.resolved()))
    chosen = next(agent for agent in scenario.agents if agent.label == trial.agent)
    logger, agent = _policies(spec, bandit, chosen, agent_seed)
    with blame(f"agents: {trial.agent}"):
        value = bandit.value(agent)
    with blame("benchmark"):
        shown = bandit.probabilities(logger)
    found: dict[tuple[str, str], ErrorSums] = {}
    for seed in seeds_of_logs(log_seed, spec.logs):
        log = bandit.log(shown, spec.rounds, seed)
        for interval in spec.intervals:
            estimates = evaluate(
                log,
                agent,
                scenario.estimators,
                **scenario.limits,
                interval=interval,
                level=scenario.bootstrap.level,
                samples=scenario.bootstrap.samples,
                seed=seed,
                logging=logger,
                overlap=False,
            )
            for estimate in estimates:
                sums = found.setdefault((estimate.estimator, interval), ErrorSums())
                sums.add(estimate, value)
    rows = [
        {"policy": trial.agent, "value": value, "estimator": estimator, "interval": interval}
        | sums.sums
        for (estimator, interval), sums in found.items()
    ]
    return rows, agent


def check_benchmark(scenario: Scenario) -> None:
    """Refuse a benchmark that could not run, by estimating every agent on one short log.

    Raises:
        UserError: Says which key is wrong.
    """
    spec = scenario.benchmark
    assert spec is not None
    small = spec.model_copy(
        update={
            "users": min(spec.users, 20),
            "training": min(spec.training, 200),
            "rounds": min(spec.rounds, 200),
            "logs": 1,
            "intervals": ("t",),
        }
    )
    quick = scenario.model_copy(update={"benchmark": small})
    for agent in scenario.agents:
        benchmark_trial(quick, Trial(agent.label, 0), log_seed=0, agent_seed=0)


@functools.lru_cache(maxsize=2)
def _bandit(settings: str) -> LoggedBandit:
    spec = BenchmarkSpec.model_validate(json.loads(settings))
    if spec.source == "digits":
        return digits()
    with blame("benchmark"):
        return simulated_users(spec.env, spec.users, spec.seed)


def _policies(
    spec: BenchmarkSpec, bandit: LoggedBandit, chosen: AgentSpec, seed: int
) -> tuple[Agent, Agent]:
    """Return the logging policy and the evaluated one, both fitted on the same uniform log."""
    uniform = make_agent(AgentSpec.model_validate("random"), bandit.problem, seed=spec.seed)
    training = bandit.log(bandit.probabilities(uniform), spec.training, spec.seed)
    with blame("benchmark"):
        logger = agents.make(spec.agent, bandit.problem, seed=spec.seed, **spec.config)
        if logger.privileged:
            raise UserError(f"agent: {spec.agent!r} plays in a simulation only.")
    agent = make_agent(chosen, bandit.problem, seed=seed)
    if agent.privileged:
        raise UserError(f"agents: {chosen.label}: {chosen.name!r} plays in a simulation only.")
    logger.fit(training)
    agent.fit(training)
    return logger, agent
