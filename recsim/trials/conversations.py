"""Agents hold conversations with users who look for an item: does asking help?"""

from __future__ import annotations

from contextlib import closing
from typing import Any, ClassVar

from recsim.metrics.metric import Metric
from recsim.play.conversations import (
    conversation_curves,
    conversation_metrics,
    conversation_users,
    play_conversations,
    practise,
)
from recsim.scenario.environments import make_env
from recsim.scenario.sources import EnvSpec
from recsim.trials.sessions import Played, Sessions


class Conversations(Sessions):
    """Every interaction of the environment's split is the goal of one conversation."""

    name_of_kind: ClassVar[str] = "conversations"
    agent_keys: ClassVar[frozenset[str]] = frozenset({"practice"})
    action: ClassVar[str] = "slate"
    panels: ClassVar[tuple[tuple[str, str], ...]] = (
        ("success_rate", "Share of conversations that have succeeded"),
    )
    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("success_rate", "share of conversations", shown=True),
        Metric("average_turns", "turns", better="low", shown=True),
        Metric("hdcg", "discounted gain", shown=True),
        Metric("questions", "questions per conversation", better="", shown=True),
        Metric("recommendations", "slates per conversation", better="", shown=True),
        Metric("items_shown", "items per conversation", better="", shown=True),
        Metric("reward", "reward per conversation"),
    )

    def metric_names(self, problem: Any) -> list[str]:
        """Return the declared metrics and the success rate at every turn."""
        turns = range(1, problem.max_turns + 1)
        return [*super().metric_names(problem), *(f"success_at_{turn}" for turn in turns)]

    def practise(self, agent: Any, seed: int, rounds: int) -> None:
        """Let a fitted agent practise with users of the train split.

        Args:
            agent: The agent.
            seed: Seed of the users.
            rounds: Batches of conversations.
        """
        given = {"id": self.env.id, **self.env.options, "split": "train"}
        with closing(make_env(EnvSpec.model_validate(given), self.users)) as env:
            practise(env, agent, seed=seed, rounds=rounds)

    def play(self, env: Any, agent: Any, seed: int) -> Played:
        """Hold one conversation about every interaction."""
        table, turns = play_conversations(env, agent, seed=seed), env.unwrapped.problem.max_turns
        return Played(
            table,
            conversation_metrics(table, turns),
            conversation_curves(table, turns),
            conversation_users(table, turns),
        )
