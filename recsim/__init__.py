"""SlateRec: simulate users and evaluate recommendation policies.

Everything public stands in ``recsim.__all__`` and is imported when it is first used. Importing this
package registers its environments, so that ``gymnasium.make("SlateRec-v0")`` works;
``gymnasium.make("recsim:SlateRec-v0")`` needs no import.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import gymnasium as gym

if TYPE_CHECKING:
    from agents import make as make_agent
    from agents.saving import load_agent, save_agent
    from recsim.compare import Comparison, compare
    from recsim.contracts.slates import Agent, AgentConfig, Decision, Feedback, FitReport
    from recsim.errors import UserError
    from recsim.estimators import evaluate, evaluate_slates, evaluate_trajectories
    from recsim.log import SlateLog, read_log
    from recsim.metrics.metric import Metric
    from recsim.play.rollout import Rollout, rollout
    from recsim.problem import Problem
    from recsim.run import run_scenario
    from recsim.scenario.available import available
    from recsim.scenario.files import load_scenario

__all__ = [
    "Agent",
    "AgentConfig",
    "Comparison",
    "Decision",
    "Feedback",
    "FitReport",
    "Metric",
    "Problem",
    "Rollout",
    "SlateLog",
    "UserError",
    "available",
    "compare",
    "evaluate",
    "evaluate_slates",
    "evaluate_trajectories",
    "load_agent",
    "load_scenario",
    "make_agent",
    "read_log",
    "rollout",
    "run_scenario",
    "save_agent",
]

__version__ = "0.2.0"

# Where each public name is defined, and what it is called there.
_HOMES = {
    "Agent": "recsim.contracts.slates",
    "AgentConfig": "recsim.contracts.slates",
    "Comparison": "recsim.compare",
    "Decision": "recsim.contracts.slates",
    "Feedback": "recsim.contracts.slates",
    "FitReport": "recsim.contracts.slates",
    "Metric": "recsim.metrics.metric",
    "Problem": "recsim.problem",
    "Rollout": "recsim.play.rollout",
    "SlateLog": "recsim.log",
    "UserError": "recsim.errors",
    "available": "recsim.scenario.available",
    "compare": "recsim.compare",
    "evaluate": "recsim.estimators",
    "evaluate_slates": "recsim.estimators",
    "evaluate_trajectories": "recsim.estimators",
    "load_agent": "agents.saving",
    "load_scenario": "recsim.scenario.files",
    "make_agent": "agents",
    "read_log": "recsim.log",
    "rollout": "recsim.play.rollout",
    "run_scenario": "recsim.run",
    "save_agent": "agents.saving",
}
_NAMES_THERE = {"make_agent": "make"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), _NAMES_THERE.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _register() -> None:
    # Entry points are strings, so that importing recsim stays light.
    environments = {
        "SlateRec-v0": ("envs.slates.env:SlateRecEnv", "envs.slates.env:SlateRecVectorEnv"),
        "ConvRec-v0": (
            "envs.conversation.env:ConvRecEnv",
            "envs.conversation.env:ConvRecVectorEnv",
        ),
        "CritiqueRec-v0": (
            "envs.critiquing.env:CritiqueRecEnv",
            "envs.critiquing.env:CritiqueRecVectorEnv",
        ),
        "SlateReplay-v0": ("envs.replay:SlateReplayEnv", None),
        "LearnedRec-v0": ("envs.learned.env:LearnedRecEnv", "envs.learned.env:LearnedRecVectorEnv"),
    }
    for name, (entry_point, vector_entry_point) in environments.items():
        if name not in gym.registry:
            gym.register(name, entry_point, vector_entry_point=vector_entry_point)


_register()
