"""Agents recommend slates to simulated users: now and in the long run, who is better?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PositiveInt, model_validator

import agents
from recsim.contracts.reads import reads_of
from recsim.contracts.slates import Agent
from recsim.errors import AgentError, ScenarioError, located
from recsim.log import SlateLog
from recsim.metrics.metric import Metric
from recsim.metrics.model_error import model_metrics
from recsim.play.rollout import Rollout, rollout
from recsim.play.rounds import RoundsResult, play_rounds, pool, round_curves
from recsim.problem import Problem
from recsim.report.panels import reward_panels
from recsim.report.summary import Table
from recsim.scenario.agents import AgentSpec, TrainingLogSpec
from recsim.scenario.data import check_same_problem, forget_logs, read_data
from recsim.scenario.environments import (
    check_forms,
    check_memory,
    environment_kind,
    make_env,
    problem_of,
)
from recsim.scenario.schema import training_log_of
from recsim.scenario.sources import EnvSpec
from recsim.scenario.trial import Results, Trial, TrialResult
from recsim.trials.groups import OF_CLICKS, By, check_groups, group_tables, metrics_by_group
from recsim.trials.measured import Measured
from recsim.trials.seeds import TrialSeeds
from recsim.trials.value_gap import VALUE_GAP, gap_text, with_value_gap

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

EARLY_SLATES = 5

_REGRETS = frozenset({"immediate_regret_per_step", "immediate_regret_per_user"})

# Metrics of worlds in which users can return.
_OF_RETENTION = ("return_per_user", "return_per_session")


class Simulation(Measured):
    """Simulated users are shown slates, for days or for several rounds.

    Attributes:
        env: The simulated users.
        training_log: What agents that need a log are fitted on.
        users: Simulated users at a time.
        steps: Slates per user, at most; the environment may stop earlier.
        rounds: Cohorts of users, one after the other.
        refit: Whether agents are fitted between rounds on everything logged so far.
        axis: What reward curves are drawn over; by default ``round`` if there are several.
        learn: Whether agents learn from the users they meet.
        front: The two metrics, immediate and long-term, drawn against each other.
        by: What tables are also split by: groups of users, or of items.
    """

    name_of_kind: ClassVar[str] = "simulation"
    agent_keys: ClassVar[frozenset[str]] = frozenset({"training_log", "practice"})
    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("early_reward_per_step", "reward per slate, first five slates", shown=True),
        Metric("reward_per_step", "reward per slate"),
        Metric("reward_per_user", "reward per user", shown=True),
        Metric("click_per_step", "clicks per slate"),
        Metric("return_per_user", "return reward per user", shown=True),
        Metric("return_per_session", "return reward per session"),
        Metric("sessions_per_user", "sessions per user"),
        Metric("churned_share", "share of users", better="low", shown=True),
        Metric("active_days", "days per user"),
        Metric(VALUE_GAP, "reward per user, below the best known policy", better="low", shown=True),
        Metric("immediate_regret_per_step", "reward per slate", better="low", shown=True),
        Metric("immediate_regret_per_user", "reward per user", better="low"),
        Metric("coverage", "share of items", better=""),
        Metric("gini", "0 to 1", better="low"),
        Metric("distinct_groups_per_slate", "groups per slate", better=""),
    )

    env: EnvSpec
    training_log: TrainingLogSpec | None = None
    users: PositiveInt = 256
    steps: PositiveInt = 1000
    rounds: PositiveInt = 1
    refit: bool = True
    axis: Literal["step", "day", "round"] = "step"
    learn: bool = True
    front: Annotated[tuple[str, str], Field(strict=False)] | None = None
    by: By | None = None

    @classmethod
    def claims(cls, content: dict[str, Any]) -> bool:
        """Return whether the environment shows slates."""
        return environment_kind(content) == "slates"

    @model_validator(mode="before")
    @classmethod
    def _default_axis(cls, value: Any) -> Any:
        if isinstance(value, dict) and "axis" not in value and value.get("rounds", 1) != 1:
            value = {**value, "axis": "round"}
        return value

    @model_validator(mode="after")
    def _every_key_has_an_effect(self) -> Self:
        if self.rounds == 1 and "refit" in self.model_fields_set:
            raise ValueError("'refit' has no effect with one round: give 'rounds', or remove it")
        if self.rounds == 1 and self.axis == "round":
            raise ValueError("axis: 'round' needs 'rounds' of 2 or more")
        for spec in (self.training_log, *(agent.training_log for agent in self.agents)):
            if spec is not None and spec.share is not None:
                raise ValueError("training_log: 'share' needs a scenario with 'data'")
        return self

    def resolved(self) -> dict[str, Any]:
        """Return every key that has an effect; see `Scenario.resolved`."""
        content = super().resolved()
        if self.rounds == 1:
            del content["rounds"], content["refit"]
        return content

    def usual_metrics(self, known: Sequence[str]) -> list[str]:
        """Return the metrics to print; churn only where users can return at all."""
        names = [*super().usual_metrics(known), "last_round_reward_per_step"]
        return [n for n in names if n != "churned_share" or "return_per_user" in known]

    def check(self) -> None:
        """Build everything for two users, and show them one slate."""
        forget_logs()
        with closing(make_env(self.env, 2, quiet=False)) as env:
            problem = problem_of(env)
            check_memory(env, self.users)
            for spec in self.agents:
                self._check_agent(env, spec, problem)
            check_forms(self.env, "slate")
            played = rollout(env, agents.make("random", problem), seed=0, max_steps=1)
            if self.by is not None:
                check_groups(played, self.by)
            known = list(metrics_of([played] * min(self.rounds, 2)))
            known += model_metrics(getattr(env.unwrapped, "model_error", {}))
        if self.known_policies:
            known.append(VALUE_GAP)
        self.check_metrics("metrics", self.metrics or (), known)
        self.check_metrics("front", self.front or (), known)

    def check_metrics(self, key: str, names: Any, known: Sequence[str]) -> None:
        """Refuse names of metrics that this world does not give; see `Measured.check_metrics`."""
        for name in names:
            if name in _OF_RETENTION and name not in known:
                raise ScenarioError(
                    f"{key}: this world has no retention, so there is no {name!r}. "
                    f"There are: {', '.join(known)}."
                )
            if name == VALUE_GAP and name not in known:
                raise ScenarioError(
                    f"{key}: {name!r} is the reward that an agent earns less than the best known "
                    "policy: add the agent 'oracle', of which there is none."
                )
            if "regret" in name and f"immediate_{name}" in known:
                raise ScenarioError(f"{key}: {name!r} is now called 'immediate_{name}'.")
            if name.removeprefix("first_round_").removeprefix("last_round_") in _REGRETS - {*known}:
                hidden = self.env.options.get("reveal_state") is False
                why = (
                    "env.reveal_state to be true"
                    if hidden
                    else (f"the expected rewards of slates, which {self.env.id} does not reveal")
                )
                raise ScenarioError(f"{key}: {name!r} needs {why}.")
        super().check_metrics(key, names, known)

    def run(self, trial: Trial) -> TrialResult:
        """Let the agent recommend round by round."""
        played = self.simulate(trial)
        metrics = metrics_of(played.rounds) | model_metrics(played.model_error)
        pooled = pool(played.rounds)
        further: dict[str, Any] = {}
        if self.by:
            further["groups"] = metrics_by_group(pooled, self.by, metrics_of)
        if played.refits:
            further["refits"] = [{"rows": r.rows, "losses": r.losses} for r in played.refits]
        return self.measured(
            trial,
            metrics,
            pooled,
            played.agent,
            played.fitted,
            curves=self._curves(played.rounds),
            changes_users=played.changes_users,
            **further,
        )

    def simulate(self, trial: Trial) -> RoundsResult:
        """Return everything that happens in a trial."""
        seeds = TrialSeeds.of(trial.seed)
        spec = self.agent(trial.agent)
        training = training_log_of(self, spec)
        with closing(make_env(self.env, self.users)) as env:
            problem = problem_of(env)
            return play_rounds(
                env,
                lambda seed: spec.build(problem, seed),
                users=seeds.users_of(self.rounds),
                agents=seeds.agents_of(self.rounds),
                max_steps=self.steps,
                practice=seeds.practice_of(spec.practice),
                log=None if training is None else collect_log(self, training, seeds),
                learn=self.learn,
                refit=self.refit and self.rounds > 1,
            )

    def figures(
        self, results: Results, seeds: pd.DataFrame, table: pd.DataFrame
    ) -> Mapping[str, Callable[[], Figure]]:
        """Return the reward curves, and immediate against long-term reward."""
        from recsim.report import plots

        return {
            "curves": self.curves_figure(
                results, reward_panels(self.axis, regret=self._shows_regret(results))
            ),
            "front": lambda: plots.front(
                seeds,
                table,
                *self.front_metrics(list(seeds.columns[2:])),
                lower_is_better=self.lower_is_better,
                level=self.level,
                title=self.name,
            ),
        }

    def further_tables(self, results: Results, names: Sequence[str]) -> list[Table]:
        """Return the metrics by group, if the scenario asks for them."""
        if self.by is None:
            return []
        names = OF_CLICKS if self.by == "item_group" else names
        return group_tables(self, results, self.compared, names, self.by)

    @property
    def known_policies(self) -> list[str]:
        """Labels of the agents that know the state of users, and choose by it."""
        return [s.label for s in self.agents if "state" in (reads_of(s.definition) or ())]

    def derived(self, seeds: pd.DataFrame) -> pd.DataFrame:
        """Return the table of seeds with ``value_gap``; see `recsim.trials.value_gap`."""
        return with_value_gap(seeds, self.known_policies)

    def hidden_metrics(self, results: Results) -> frozenset[str]:
        """Return the immediate regrets, where what is shown changes users."""
        return frozenset() if self._shows_regret(results) else _REGRETS

    def explained(self, names: Sequence[str], seeds: pd.DataFrame, results: Results) -> list[str]:
        """Return what value gap and immediate regret mean here, if they are shown."""
        texts, changes = [], self._changes_users(results)
        if VALUE_GAP in names:
            texts.append(gap_text(seeds, self.known_policies))
        if any("immediate_regret" in name for name in names):
            but = "; as slates change these users, the agent that earns most may have the largest"
            texts.append(
                "Immediate regret: expected reward lost to the best slate in the same state"
                f"{but if changes else ''}."
            )
        elif changes and VALUE_GAP not in seeds and self.metrics is None:
            texts.append(
                "No regret is shown, as slates change these users: add the agent 'oracle' for the "
                "value gap to the best known policy."
            )
        return texts

    def front_metrics(self, known: Sequence[str]) -> tuple[str, str]:
        """Return the immediate and the long-term metric that are drawn against each other."""
        if self.front is not None:
            return self.front
        if "last_round_reward_per_step" in known:
            return "first_round_reward_per_step", "last_round_reward_per_step"
        long_term = "return_per_user" if "return_per_user" in known else "reward_per_user"
        return "early_reward_per_step", long_term

    def _changes_users(self, results: Results) -> bool:
        """Return whether what is shown changes users, as far as the environment says."""
        trials = self.finished(results)
        return any(results.result(trial).get("changes_users", True) for trial in trials)

    def _shows_regret(self, results: Results) -> bool:
        """Return whether immediate regret is shown: if it is regret, or the scenario names it."""
        named = any("immediate_regret" in name for name in self.metrics or ())
        return named or not self._changes_users(results)

    def _check_agent(self, env: Any, spec: AgentSpec, problem: Problem) -> None:
        agent: Agent = spec.build(problem, seed=0)
        spec.check_practice(agent)
        training = training_log_of(self, spec)
        if training is None and agent.needs_log:
            raise AgentError(
                f"agents: {spec.label}: {spec.name!r} must be fitted on a log: "
                "add e.g. 'training_log: {agent: random}'."
            )
        if training is not None:
            with located("training_log"):
                _check_training(training, problem)
                if training.users is not None:
                    check_memory(env, training.users)
        if agent.privileged and self.env.options.get("reveal_state") is False:
            raise AgentError(
                f"agents: {spec.label}: {spec.name!r} needs env.reveal_state to be true."
            )

    def _curves(self, rounds: Sequence[Rollout]) -> pd.DataFrame:
        """Return the curves as far as they are known; a final row of zeros if all users churned."""
        if self.axis == "round":
            return round_curves(rounds)
        played = pool(rounds)
        curves: pd.DataFrame = played.curves(self.axis)
        if (played.terminated & played.active).any(axis=0).all():
            # From then on nothing changes: readers of the curve can repeat this row.
            curves = played.curves(self.axis, len(curves) + 1)
        return curves


def metrics_of(rounds: Sequence[Rollout]) -> dict[str, float]:
    """Return the metrics of all rounds together: `Rollout.summary`, and the immediate reward.

    ``early_reward_per_step`` is the reward per slate over each user's first five. All agents meet
    the same users in the same state at the first slate; over the few that follow, the agent's own
    effect on its users counts a little.

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


def collect_log(scenario: Simulation, training: TrainingLogSpec, seeds: TrialSeeds) -> SlateLog:
    """Return the training log.

    Unless it is on disk, its agent, fitted first if it has a training log of its own, recommends to
    users of the same world.
    """
    if training.data is not None:
        return read_data(training.data)
    if training.seed is not None:
        seeds = TrialSeeds.of(training.seed)
    privileged = agents.load(training.agent).privileged
    users = training.users or scenario.users
    with closing(make_env(scenario.env, users, reveal=privileged)) as env:
        collector = training.collector.build(problem_of(env), seeds.log_agent)
        if training.training_log is not None:
            own = collect_log(scenario, training.training_log, seeds.of_the_collector())
            collector.fit(own)
        played = rollout(
            env,
            collector,
            seed=seeds.log_users,
            max_steps=training.steps or scenario.steps,
            learn=scenario.learn,
            record=True,
        )
    return played.to_log()


def _check_training(training: TrainingLogSpec, problem: Problem) -> None:
    if training.data is not None:
        check_same_problem(read_data(training.data).problem, problem)
        return
    collector = training.collector.build(problem, seed=0)
    if training.training_log is not None:
        with located("training_log"):
            _check_training(training.training_log, problem)
    elif collector.needs_log:
        raise AgentError(
            f"agent: {training.agent!r} must itself be fitted on a log: give it a 'training_log' "
            "of its own, e.g. {agent: random}, or choose an agent that needs none."
        )
