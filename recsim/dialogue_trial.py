"""One trial of a scenario with dialogues: fit on the train part, then talk about the rest."""

from __future__ import annotations

import contextlib
from typing import Any

import pandas as pd
from gymnasium.vector import VectorEnv

from agents.agent import FitReport
from agents.dialogue import DialogueAgent
from recsim.building import make_agent, make_env
from recsim.conversing import converse, dialogue_curves, dialogue_metrics, practise
from recsim.dialogue import DialogueProblem
from recsim.results import Trial
from recsim.scenario import Scenario
from recsim.session_checks import check_sessions
from recsim.sources import EnvSpec

__all__ = ["check_dialogues", "dialogue_trial", "practise_with"]


def dialogue_trial(
    scenario: Scenario,
    trial: Trial,
    *,
    agent_seed: int,
    users: int,
    practice: int,
) -> tuple[dict[str, float], pd.DataFrame, DialogueAgent, FitReport]:
    """Fit an agent, let it practise, and let it talk about every interaction of the split.

    Args:
        scenario: A scenario whose environment holds dialogues.
        trial: Which agent.
        agent_seed: Seed of the agent.
        users: Seed of openings and noise.
        practice: Seed of the dialogues that it practises with.

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
        table = converse(env, agent, seed=users)
    return dialogue_metrics(table, turns), dialogue_curves(table, turns), agent, fitted


def practise_with(scenario: Scenario, agent: DialogueAgent, *, seed: int, rounds: int) -> None:
    """Let an agent practise with users of the train part, as many dialogues at a time as there are.

    Args:
        scenario: A scenario whose environment holds dialogues.
        agent: Fitted.
        seed: Seed of the users.
        rounds: Batches of dialogues.
    """
    assert scenario.env is not None
    given = {"id": scenario.env.id, **scenario.env.options, "split": "train"}
    with contextlib.closing(make_env(EnvSpec.model_validate(given), scenario.users)) as env:
        practise(env, agent, seed=seed, rounds=rounds)


def check_dialogues(scenario: Scenario, env: VectorEnv[Any, Any, Any]) -> None:
    """Refuse a scenario with dialogues that could not run.

    Raises:
        UserError: Says which key is wrong, and what would be right.
    """
    problem: DialogueProblem = env.unwrapped.problem  # type: ignore[attr-defined]
    known = dialogue_metrics(_NO_DIALOGUE, problem.max_turns)
    check_sessions(scenario, problem, of="dialogues", action="slate", known=known)


_NO_DIALOGUE = pd.DataFrame(
    {
        name: [0]
        for name in ("success", "turn", "rank", "n_questions", "n_recs", "items_shown", "hdcg")
    }
    | {"reward": [0.0]}
).astype({"success": bool})
