"""One trial of a scenario with conversations: fit on the train part, then talk about the rest."""

from __future__ import annotations

import contextlib
from typing import Any

import pandas as pd
from gymnasium.vector import VectorEnv

from recsim.contracts.conversations import ConversationAgent
from recsim.contracts.slates import FitReport
from recsim.conversation import ConversationProblem
from recsim.play.conversations import (
    conversation_curves,
    conversation_metrics,
    play_conversations,
    practise,
)
from recsim.runs.folder import Trial
from recsim.scenario.building import make_agent, make_env
from recsim.scenario.schema import Scenario
from recsim.scenario.sources import EnvSpec
from recsim.trials.sessions import check_sessions

__all__ = ["check_conversations", "conversation_trial", "practise_with"]


def conversation_trial(
    scenario: Scenario,
    trial: Trial,
    *,
    agent_seed: int,
    users: int,
    practice: int,
) -> tuple[dict[str, float], pd.DataFrame, ConversationAgent, FitReport]:
    """Fit an agent, let it practise, and let it talk about every interaction of the split.

    Args:
        scenario: A scenario whose environment holds conversations.
        trial: Which agent.
        agent_seed: Seed of the agent.
        users: Seed of openings and noise.
        practice: Seed of the conversations that it practises with.

    Returns:
        Metrics, the course by turn, the agent, and what its training did.
    """
    assert scenario.env is not None
    spec = next(agent for agent in scenario.agents if agent.label == trial.agent)
    with contextlib.closing(make_env(scenario.env, scenario.users)) as env:
        world: Any = env.unwrapped
        turns = world.problem.max_turns
        agent = make_agent(spec, world.problem, agent_seed)
        fitted = agent.fit(world.training_data)
        if spec.practice:
            practise_with(scenario, agent, seed=practice, rounds=spec.practice)
        table = play_conversations(env, agent, seed=users)
    return conversation_metrics(table, turns), conversation_curves(table, turns), agent, fitted


def practise_with(scenario: Scenario, agent: ConversationAgent, *, seed: int, rounds: int) -> None:
    """Let an agent practise with users of the train part.

    Args:
        scenario: A scenario whose environment holds conversations.
        agent: Fitted.
        seed: Seed of the users.
        rounds: Batches of conversations.
    """
    assert scenario.env is not None
    given = {"id": scenario.env.id, **scenario.env.options, "split": "train"}
    with contextlib.closing(make_env(EnvSpec.model_validate(given), scenario.users)) as env:
        practise(env, agent, seed=seed, rounds=rounds)


def check_conversations(scenario: Scenario, env: VectorEnv[Any, Any, Any]) -> None:
    """Refuse a scenario with conversations that could not run.

    Raises:
        UserError: Says which key is wrong, and what would be right.
    """
    problem: ConversationProblem = env.unwrapped.problem  # type: ignore[attr-defined]
    known = conversation_metrics(_NO_CONVERSATION, problem.max_turns)
    check_sessions(scenario, problem, of="conversations", action="slate", known=known)


_NO_CONVERSATION = pd.DataFrame(
    {
        name: [0]
        for name in ("success", "turn", "rank", "n_questions", "n_recs", "items_shown", "hdcg")
    }
    | {"reward": [0.0]}
).astype({"success": bool})
