"""One trial of a scenario with critiques: fit on the train part, then be criticised."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pandas as pd
from gymnasium.vector import VectorEnv

from recsim.contracts.critiquing import CritiquingAgent
from recsim.contracts.slates import FitReport
from recsim.play.critiquing import (
    SESSION_COLUMNS,
    TURN_COLUMNS,
    CritiquingSessions,
    critique_curves,
    critique_metrics,
    play_critiquing,
)
from recsim.runs.folder import Trial
from recsim.scenario.building import make_agent, make_env
from recsim.scenario.schema import Scenario
from recsim.trials.sessions import check_sessions

__all__ = ["check_critiques", "critique_trial"]


def critique_trial(
    scenario: Scenario,
    trial: Trial,
    *,
    agent_seed: int,
    users: int,
) -> tuple[dict[str, float], pd.DataFrame, CritiquingAgent, FitReport]:
    """Fit an agent, and let it be criticised by every user of the split.

    Args:
        scenario: A scenario whose environment takes critiques.
        trial: Which agent.
        agent_seed: Seed of the agent.
        users: Seed of the users.

    Returns:
        Metrics, the course by turn, the agent, and what its training did.
    """
    assert scenario.env is not None
    spec = next(agent for agent in scenario.agents if agent.label == trial.agent)
    with contextlib.closing(make_env(scenario.env, scenario.users)) as env:
        world: Any = env.unwrapped
        agent: CritiquingAgent = make_agent(spec, world.problem, agent_seed)
        fitted = agent.fit(world.training_data)
        result = play_critiquing(env, agent, seed=users)
    return critique_metrics(result), critique_curves(result), agent, fitted


def check_critiques(scenario: Scenario, env: VectorEnv[Any, Any, Any]) -> None:
    """Refuse a scenario with critiques that could not run.

    Raises:
        UserError: Says which key is wrong, and what would be right.
    """
    problem = env.unwrapped.problem  # type: ignore[attr-defined]
    known = critique_metrics(_NO_SESSION)
    check_sessions(scenario, problem, of="critiques", action="scores", known=known)


_ONE = np.zeros((1, 1), dtype=np.int64)
_NO_SESSION = CritiquingSessions(
    sessions=pd.DataFrame({name: [1.0] for name in SESSION_COLUMNS}),
    ranks=_ONE,
    base_ranks=_ONE,
    turns=dict.fromkeys(TURN_COLUMNS, _ONE.astype(np.float64)),
    aspects=_ONE.astype(np.float64),
    goal_aspects=_ONE > 0,
    item_aspects=_ONE > 0,
)
