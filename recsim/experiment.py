"""One trial: one agent with one seed meets the users of a scenario, or is judged on its log.

A trial is a function of the scenario, the agent and the seed alone. All its randomness comes from
``numpy.random.SeedSequence(seed)``, split into one stream per purpose and shared by all agents:
with the same seed every agent meets the same users (common random numbers), which makes paired
comparisons sharp.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

import agents
from agents.agent import Agent, FitReport
from recsim.benchmark import benchmark_trial
from recsim.building import make_agent, make_env, problem_of
from recsim.evaluation import evaluate_trial, read_data
from recsim.log import SlateLog
from recsim.results import RunFolder, Trial
from recsim.rollout import Rollout, rollout
from recsim.scenario import AgentSpec, Scenario, TrainingLogSpec

__all__ = ["Seeds", "metrics_of", "run_trial", "simulate"]

EARLY_SLATES = 5


@dataclass(frozen=True)
class Seeds:
    """What one seed of a scenario is split into.

    Attributes:
        users: Seed of the environment.
        agent: Seed of the agent.
        log_users: Seed of the environment in which a training log is collected.
        log_agent: Seed of the agent that collects it.
        bootstrap: Seed of resampling.
    """

    users: int
    agent: int
    log_users: int
    log_agent: int
    bootstrap: int

    @classmethod
    def of(cls, seed: int) -> Self:
        """Split a seed; each part is independent of the others."""
        children = np.random.SeedSequence(seed).spawn(5)
        return cls(*(int(child.generate_state(1)[0]) for child in children))


def run_trial(folder: str | Path, trial: Trial) -> None:
    """Compute a trial of a run and write it into the run folder.

    Args:
        folder: The run folder; the scenario is read from it.
        trial: Which one.
    """
    run = RunFolder.open(folder)
    begin = time.perf_counter()
    if run.scenario.env is not None:
        played, agent, fitted = simulate(run.scenario, trial)
        curves = _curves(run.scenario, played)
        result: dict[str, Any] = {"metrics": metrics_of(played)}
    elif run.scenario.benchmark is not None:
        seeds = Seeds.of(trial.seed)
        accuracy, agent = benchmark_trial(
            run.scenario, trial, log_seed=seeds.log_users, agent_seed=seeds.agent
        )
        curves, fitted, result = None, None, {"accuracy": accuracy}
    else:
        seeds = Seeds.of(trial.seed)
        rows, agent, fitted = evaluate_trial(
            run.scenario, trial, agent_seed=seeds.agent, bootstrap_seed=seeds.bootstrap
        )
        curves, result = None, dict(rows)
    head: dict[str, Any] = {"agent": trial.agent, "seed": trial.seed}
    if trial.case:
        head["case"] = trial.case
    if fitted is not None:
        result["fit"] = {"rows": fitted.rows, "losses": fitted.losses}
    result["seconds"] = round(time.perf_counter() - begin, 3)
    run.write(trial, head | result, curves, agent.state_dict())


def simulate(scenario: Scenario, trial: Trial) -> tuple[Rollout, Agent, FitReport | None]:
    """Let an agent recommend to the simulated users of a scenario.

    Returns:
        What happened, the agent after it, and what its offline training did, if there was any.
    """
    assert scenario.env is not None
    seeds = Seeds.of(trial.seed)
    spec = next(agent for agent in scenario.agents if agent.label == trial.agent)
    env = make_env(scenario.env, scenario.users)
    try:
        problem = problem_of(env)
        agent = make_agent(spec, problem, seeds.agent)
        training = scenario.training_log_of(spec)
        fitted = None
        if training is not None:
            fitted = agent.fit(_training_log(scenario, training, seeds))
        played = rollout(
            env, agent, seed=seeds.users, max_steps=scenario.steps, learn=scenario.learn
        )
    finally:
        env.close()
    return played, agent, fitted


def metrics_of(played: Rollout) -> dict[str, float]:
    """Return the metrics of a run: those of `Rollout.summary`, and the immediate reward.

    ``early_reward_per_step`` is the reward per slate over each user's first five. All agents meet
    the same users in the same state at the first slate; over the few that follow, what an agent
    did to its users counts a little.
    """
    early = played.active[:EARLY_SLATES]
    reward = float(played.reward[:EARLY_SLATES][early].sum()) / int(early.sum())
    return {"early_reward_per_step": reward, **played.summary()}


def collect_log(scenario: Scenario, training: TrainingLogSpec, seeds: Seeds) -> SlateLog:
    """Let the training log's own agent meet users of the same world, and record it."""
    assert scenario.env is not None
    if training.seed is not None:
        seeds = Seeds.of(training.seed)
    collector = AgentSpec.model_validate({"name": training.agent, "config": training.config})
    privileged = agents.load(training.agent).privileged
    env = make_env(scenario.env, training.users or scenario.users, reveal=privileged)
    try:
        agent = make_agent(collector, problem_of(env), seeds.log_agent)
        played = rollout(
            env,
            agent,
            seed=seeds.log_users,
            max_steps=training.steps or scenario.steps,
            learn=scenario.learn,
            record=True,
        )
    finally:
        env.close()
    return played.to_log()


def _training_log(scenario: Scenario, training: TrainingLogSpec, seeds: Seeds) -> SlateLog:
    if training.data is not None:
        return read_data(training.data)
    return collect_log(scenario, training, seeds)


def _curves(scenario: Scenario, played: Rollout) -> pd.DataFrame:
    """Return the curves as far as they are known, and one row of nobody if all left for good."""
    curves = played.curves(scenario.axis)
    if (played.terminated & played.active).any(axis=0).all():
        # After that nothing is ever unknown: who reads the curve may go on with this row.
        curves = played.curves(scenario.axis, len(curves) + 1)
    return curves
