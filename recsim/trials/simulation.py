"""One trial: one agent with one seed meets the users of a scenario, or is judged on its log.

A trial is a function of the scenario, the agent and the seed alone. All its randomness comes from
``numpy.random.SeedSequence(seed)``, split into one stream per purpose and shared by all agents:
with the same seed every agent meets the same users (common random numbers), which makes paired
comparisons sharp.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

import agents
from recsim.contracts.kinds import AnyAgent
from recsim.contracts.slates import FitReport
from recsim.log import SlateLog
from recsim.metrics.model_error import model_metrics
from recsim.play.rollout import Rollout, rollout
from recsim.play.rounds import RoundsResult, play_rounds, pool, round_curves
from recsim.runs.folder import RunFolder, Trial
from recsim.scenario.building import kind_of_environment, make_agent, make_env, problem_of
from recsim.scenario.schema import AgentSpec, Scenario, TrainingLogSpec
from recsim.trials.accuracy import benchmark_trial
from recsim.trials.conversations import conversation_trial
from recsim.trials.critiquing import critique_trial
from recsim.trials.holdout import holdout_trial
from recsim.trials.logs import evaluate_trial, read_data

__all__ = ["Seeds", "collect_log", "metrics_of", "run_trial", "simulate"]

EARLY_SLATES = 5


@dataclass(frozen=True)
class Seeds:
    """What one seed of a scenario is split into.

    Attributes:
        users: Seed of the environment, in the first round.
        agent: Seed of the agent, in the first round.
        log_users: Seed of the environment in which a training log is collected.
        log_agent: Seed of the agent that collects it.
        bootstrap: Seed of resampling.
        practice: Seed of the cohorts that an agent practises on.
    """

    users: int
    agent: int
    log_users: int
    log_agent: int
    bootstrap: int
    practice: int

    @classmethod
    def of(cls, seed: int) -> Self:
        """Split a seed; each part is independent of the others."""
        return cls(*_split(seed, 6))

    def users_of(self, rounds: int) -> list[int]:
        """Return the seed of the environment in each round."""
        return [self.users, *_split(self.users, rounds - 1)]

    def agents_of(self, rounds: int) -> list[int]:
        """Return the seed of the agent in each round, where it is built anew."""
        return [self.agent, *_split(self.agent, rounds - 1)]

    def practice_of(self, cohorts: int) -> list[int]:
        """Return the seed of the environment for each cohort of the practice."""
        return _split(self.practice, cohorts)


def run_trial(folder: str | Path, trial: Trial) -> None:
    """Compute a trial of a run and write it into the run folder.

    Args:
        folder: The run folder; the scenario is read from it.
        trial: Which one.
    """
    run = RunFolder.open(folder)
    begin = time.perf_counter()
    result: dict[str, Any]
    agent: AnyAgent
    fitted: FitReport | None
    kind = None if run.scenario.env is None else kind_of_environment(run.scenario.env)
    if kind == "critiquing":
        seeds = Seeds.of(trial.seed)
        metrics, curves, agent, fitted = critique_trial(
            run.scenario, trial, agent_seed=seeds.agent, users=seeds.users
        )
        result = {"metrics": metrics}
    elif kind == "conversations":
        seeds = Seeds.of(trial.seed)
        metrics, curves, agent, fitted = conversation_trial(
            run.scenario,
            trial,
            agent_seed=seeds.agent,
            users=seeds.users,
            practice=seeds.practice,
        )
        result = {"metrics": metrics}
    elif run.scenario.env is not None:
        course = simulate(run.scenario, trial)
        agent, fitted = course.agent, course.fitted
        curves = _curves(run.scenario, course.rounds)
        result = {"metrics": metrics_of(course.rounds) | model_metrics(course.model_error)}
        if course.refits:
            result["refits"] = [_plain(report) for report in course.refits]
    elif run.scenario.benchmark is not None:
        seeds = Seeds.of(trial.seed)
        accuracy, agent = benchmark_trial(
            run.scenario, trial, log_seed=seeds.log_users, agent_seed=seeds.agent
        )
        curves, fitted, result = None, None, {"accuracy": accuracy}
    elif run.scenario.holdout is not None:
        seeds = Seeds.of(trial.seed)
        result, agent, fitted = holdout_trial(
            run.scenario, trial, split_seed=seeds.log_users, agent_seed=seeds.agent
        )
        curves = None
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
        result["fit"] = _plain(fitted)
    result["seconds"] = round(time.perf_counter() - begin, 3)
    run.write(trial, head | result, curves, agent.state_dict())


def simulate(scenario: Scenario, trial: Trial) -> RoundsResult:
    """Let an agent recommend to the simulated users of a scenario, round by round."""
    assert scenario.env is not None
    seeds = Seeds.of(trial.seed)
    spec = next(agent for agent in scenario.agents if agent.label == trial.agent)
    training = scenario.training_log_of(spec)
    env = make_env(scenario.env, scenario.users)
    try:
        problem = problem_of(env)
        return play_rounds(
            env,
            lambda seed: make_agent(spec, problem, seed),
            users=seeds.users_of(scenario.rounds),
            agents=seeds.agents_of(scenario.rounds),
            max_steps=scenario.steps,
            practice=seeds.practice_of(spec.practice),
            log=None if training is None else _training_log(scenario, training, seeds),
            learn=scenario.learn,
            refit=scenario.refit and scenario.rounds > 1,
        )
    finally:
        env.close()


def metrics_of(rounds: Sequence[Rollout]) -> dict[str, float]:
    """Return the metrics of all rounds together: `Rollout.summary`, and the immediate reward.

    ``early_reward_per_step`` is the reward per slate over each user's first five. All agents meet
    the same users in the same state at the first slate; over the few that follow, what an agent
    did to its users counts a little.

    With several rounds, every metric is also given of the first and of the last round alone, with
    the prefix ``first_round_`` and ``last_round_``.
    """
    if len(rounds) > 1:
        first, last = metrics_of(rounds[:1]), metrics_of(rounds[-1:])
        return {
            **metrics_of([pool(rounds)]),
            **{f"first_round_{name}": value for name, value in first.items()},
            **{f"last_round_{name}": value for name, value in last.items()},
        }
    (played,) = rounds
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


def _curves(scenario: Scenario, rounds: Sequence[Rollout]) -> pd.DataFrame:
    """Return the curves as far as they are known, and one row of nobody if all left for good."""
    if scenario.axis == "round":
        return round_curves(rounds)
    played = pool(rounds)
    curves = played.curves(scenario.axis)
    if (played.terminated & played.active).any(axis=0).all():
        # After that nothing is ever unknown: who reads the curve may go on with this row.
        curves = played.curves(scenario.axis, len(curves) + 1)
    return curves


def _plain(report: FitReport) -> dict[str, Any]:
    return {"rows": report.rows, "losses": report.losses}


def _split(seed: int, parts: int) -> list[int]:
    """Split a seed into independent ones; fewer parts are the first of more."""
    return [int(s.generate_state(1)[0]) for s in np.random.SeedSequence(seed).spawn(parts)]
