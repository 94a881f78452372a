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
    from envs.slates.checking import check_world
    from recsim.compare import Comparison, compare
    from recsim.contracts.slates import Agent, AgentConfig, Decision, Feedback, FitReport
    from recsim.errors import UserError
    from recsim.estimators import evaluate, evaluate_slates, evaluate_trajectories
    from recsim.log import SlateLog, read_log
    from recsim.metrics.metric import Metric
    from recsim.play.rollout import Rollout, rollout
    from recsim.problem import Problem
    from recsim.run import run_scenario, run_sweep
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
    "check_world",
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
    "run_sweep",
    "save_agent",
]

# Where each of them is defined.
_NAMES = {
    "agents": ["make_agent"],
    "agents.saving": ["load_agent", "save_agent"],
    "envs.slates.checking": ["check_world"],
    "recsim.compare": ["Comparison", "compare"],
    "recsim.contracts.slates": ["Agent", "AgentConfig", "Decision", "Feedback", "FitReport"],
    "recsim.errors": ["UserError"],
    "recsim.estimators": ["evaluate", "evaluate_slates", "evaluate_trajectories"],
    "recsim.log": ["SlateLog", "read_log"],
    "recsim.metrics.metric": ["Metric"],
    "recsim.play.rollout": ["Rollout", "rollout"],
    "recsim.problem": ["Problem"],
    "recsim.run": ["run_scenario", "run_sweep"],
    "recsim.scenario.available": ["available"],
    "recsim.scenario.files": ["load_scenario"],
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}

__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_HOMES[name])
    value = getattr(module, "make" if name == "make_agent" else name)
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
