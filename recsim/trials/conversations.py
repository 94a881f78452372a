"""Agents hold conversations with users who look for an item: does asking help?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import PositiveInt

from recsim.contracts.conversations import ConversationAgent
from recsim.metrics.metric import Metric
from recsim.play.conversations import (
    conversation_curves,
    conversation_metrics,
    play_conversations,
    practise,
)
from recsim.scenario.environments import check_action, environment_kind, make_env
from recsim.scenario.sources import EnvSpec
from recsim.scenario.trial import Results, Trial, TrialResult
from recsim.trials.measured import Measured
from recsim.trials.seeds import TrialSeeds

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class Conversations(Measured):
    """Every interaction of the environment's split is the goal of one conversation.

    Attributes:
        env: The users and their goals.
        users: Conversations at a time; the outcome does not depend on it.
    """

    name_of_kind: ClassVar[str] = "conversations"
    agent_keys: ClassVar[frozenset[str]] = frozenset({"practice"})
    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("success_rate", "share of conversations", shown=True),
        Metric("average_turns", "turns", better="low", shown=True),
        Metric("hdcg", "discounted gain", shown=True),
        Metric("questions", "questions per conversation", better="", shown=True),
        Metric("recommendations", "slates per conversation", better="", shown=True),
        Metric("items_shown", "items per conversation", better="", shown=True),
        Metric("reward", "reward per conversation"),
    )

    env: EnvSpec
    users: PositiveInt = 256

    @classmethod
    def claims(cls, content: dict[str, Any]) -> bool:
        """Return whether the environment holds conversations."""
        return environment_kind(content) == "conversations"

    def check(self) -> None:
        """Build the environment and every agent."""
        check_action(self.env, "slate")
        with closing(make_env(self.env, 2)) as env:
            problem = env.unwrapped.problem  # type: ignore[attr-defined]
            for spec in self.agents:
                spec.check_practice(spec.build(problem, seed=0))
        self.check_metrics("metrics", self.metrics or (), _metric_names(problem.max_turns))

    def run(self, trial: Trial) -> TrialResult:
        """Fit on the train split, practise, and hold a conversation about every interaction."""
        seeds = TrialSeeds.of(trial.seed)
        spec = self.agent(trial.agent)
        with closing(make_env(self.env, self.users)) as env:
            world: Any = env.unwrapped
            turns = world.problem.max_turns
            agent = spec.build(world.problem, seeds.agent)
            fitted = agent.fit(world.training_data)
            if spec.practice:
                practise_with(self, agent, seed=seeds.practice, rounds=spec.practice)
            table = play_conversations(env, agent, seed=seeds.users)
        return self.measured(
            trial,
            conversation_metrics(table, turns),
            table,
            agent,
            fitted,
            curves=conversation_curves(table, turns),
        )

    def figures(
        self, results: Results, seeds: pd.DataFrame, table: pd.DataFrame
    ) -> Mapping[str, Callable[[], Figure]]:
        """Return the share of conversations that have succeeded, by turn."""
        panels = [("success_rate", "Share of conversations that have succeeded")]
        return {"curves": self.curves_figure(results, panels)}


def practise_with(
    scenario: Conversations, agent: ConversationAgent, *, seed: int, rounds: int
) -> None:
    """Let an agent practise with users of the train split.

    Args:
        scenario: Names the environment and how many conversations are held at a time.
        agent: Fitted.
        seed: Seed of the users.
        rounds: Batches of conversations.
    """
    given = {"id": scenario.env.id, **scenario.env.options, "split": "train"}
    with closing(make_env(EnvSpec.model_validate(given), scenario.users)) as env:
        practise(env, agent, seed=seed, rounds=rounds)


def _metric_names(max_turns: int) -> list[str]:
    names = [metric.name for metric in Conversations.declared]
    return [*names, *(f"success_at_{turn}" for turn in range(1, max_turns + 1))]
