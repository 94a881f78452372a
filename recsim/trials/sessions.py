"""Agents fitted on data serve one session per interaction: conversations and critiquing."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import PositiveInt

from recsim.play.episodes import with_names
from recsim.scenario.environments import check_forms, environment_kind, make_env
from recsim.scenario.sources import EnvSpec
from recsim.scenario.trial import Results, Trial, TrialResult
from recsim.trials.measured import Measured
from recsim.trials.seeds import TrialSeeds

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class Played(NamedTuple):
    """All sessions of a trial.

    Attributes:
        what: What happened, as functions of metrics take it.
        metrics: By name.
        curves: By turn.
        users: Sums by user; see `recsim.play.episodes.user_sums`.
    """

    what: Any
    metrics: dict[str, float]
    curves: pd.DataFrame
    users: pd.DataFrame


class Sessions(Measured):
    """There is one session for every interaction of the environment's split.

    Class attributes:
        action: What agents return: the only value of ``env.action``.
        panels: Columns of the curves that are drawn, each with its title.

    Attributes:
        env: The users and their goals.
        users: Sessions at a time; the outcome does not depend on it.
    """

    action: ClassVar[str]
    panels: ClassVar[tuple[tuple[str, str], ...]]

    env: EnvSpec
    users: PositiveInt = 256

    @classmethod
    def claims(cls, content: dict[str, Any]) -> bool:
        """Return whether the environment is of this kind."""
        return environment_kind(content) == cls.name_of_kind

    def metric_names(self, problem: Any) -> list[str]:
        """Return the names of the metrics that trials on a problem give."""
        return [name for metric in self.declared for name in metric.names]

    def practise(self, agent: Any, seed: int, rounds: int) -> None:
        """Let a fitted agent practise before it is measured; by default it does not."""

    @abstractmethod
    def play(self, env: Any, agent: Any, seed: int) -> Played:
        """Hold all sessions."""

    def check(self) -> None:
        """Build the environment and every agent."""
        check_forms(self.env, self.action)
        with closing(make_env(self.env, 2)) as env:
            problem = env.unwrapped.problem  # type: ignore[attr-defined]
            for spec in self.agents:
                spec.check_practice(spec.build(problem, seed=0))
        self.check_metrics("metrics", self.metrics or (), self.metric_names(problem))

    def run(self, trial: Trial) -> TrialResult:
        """Fit on the train split, practise, and hold a session about every interaction."""
        seeds = TrialSeeds.of(trial.seed)
        spec = self.agent(trial.agent)
        with closing(make_env(self.env, self.users)) as env:
            world: Any = env.unwrapped
            agent = spec.build(world.problem, seeds.agent)
            fitted = agent.fit(world.training_data)
            if spec.practice:
                self.practise(agent, seeds.practice, spec.practice)
            what, metrics, curves, users = self.play(env, agent, seeds.users)
            users = with_names(users, world.training_data.user_names)
        return self.measured(trial, metrics, what, agent, fitted, curves=curves, users=users)

    def figures(
        self, results: Results, seeds: pd.DataFrame, table: pd.DataFrame
    ) -> Mapping[str, Callable[[], Figure]]:
        """Return the curves by turn."""
        return {"curves": self.curves_figure(results, self.panels)}
