"""Who recommends: the agents, by name.

``agents.make("linucb", problem, alpha=0.5)`` builds one. A third party adds an agent through the
entry-point group ``recsim.agents``, without touching this package.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
from importlib.metadata import entry_points
from typing import Any, overload

from pydantic import BaseModel

from agents.agent import Agent, AgentConfig, Decision, Feedback, FitReport, Observation
from agents.dialogue import DialogueAgent
from recsim.dialogue import DialogueProblem
from recsim.errors import UserError, did_you_mean
from recsim.problem import Problem
from recsim.settings import validated

__all__ = [
    "Agent",
    "AgentConfig",
    "Decision",
    "DialogueAgent",
    "Feedback",
    "FitReport",
    "Observation",
    "available",
    "configure",
    "load",
    "make",
]

GROUP = "recsim.agents"

# Declared in pyproject.toml too; repeated here so that a source tree works without being installed.
BUILTIN = {
    "bert4rec": "agents.sequential:BERT4RecAgent",
    "cascade_ucb": "agents.cascade_ucb:CascadeUCBAgent",
    "conv_abs_greedy": "agents.conversational:AbsGreedyAgent",
    "conv_bayes": "agents.conversational:BayesAgent",
    "conv_dqn": "agents.conversational:DQNAgent",
    "conv_max_entropy": "agents.conversational:MaxEntropyAgent",
    "conv_popularity": "agents.conversational:PopularItemsAgent",
    "dt4ier": "agents.dt4ier:DT4IERAgent",
    "epsilon_greedy": "agents.epsilon_greedy:EpsilonGreedyAgent",
    "fact_crs": "agents.fact_crs:FactCRSAgent",
    "gru4rec": "agents.sequential:GRU4RecAgent",
    "gru_thompson": "agents.gru_thompson:GRUThompsonAgent",
    "linucb": "agents.linucb:LinUCBAgent",
    "mixture": "agents.mixture:MixtureAgent",
    "mnl_bandit": "agents.mnl_bandit:MNLBanditAgent",
    "oracle": "agents.baselines:OracleAgent",
    "popularity": "agents.baselines:PopularityAgent",
    "ppo": "agents.sb3:PPOAgent",
    "random": "agents.baselines:RandomAgent",
    "rel_mf": "agents.rel_mf:RelMFAgent",
    "sasrec": "agents.sequential:SASRecAgent",
    "slate_mf": "agents.slate_mf:SlateMFAgent",
    "slateq": "agents.slateq:SlateQAgent",
    "softmax": "agents.softmax:SoftmaxAgent",
    "ts_mnl": "agents.ts_mnl:TSMNLAgent",
}


def _targets() -> dict[str, set[str]]:
    """Return every ``module:Class`` declared for each name; more than one is a clash."""
    targets = {name: {target} for name, target in BUILTIN.items()}
    for entry in entry_points(group=GROUP):
        targets.setdefault(entry.name, set()).add(entry.value)
    return targets


def _import(target: str) -> type[Any]:
    module, _, attribute = target.partition(":")
    loaded: type[Any] = getattr(importlib.import_module(module), attribute)
    return loaded


def load(name: str) -> type[Any]:
    """Return the class of an agent, to ask what it needs before building it.

    One that holds dialogues has ``dialogues = True``; its contract is `agents.dialogue`.

    Args:
        name: A name that `available` lists.

    Raises:
        UserError: The name is unknown, declared twice, its module cannot be imported, or what it
            names does not keep the contract of `agents.agent.Agent`.
    """
    targets = _targets()
    if name not in targets:
        raise UserError(f"unknown agent {name!r}.{did_you_mean(name, targets)}")
    if len(targets[name]) > 1:
        clash = " and ".join(sorted(targets[name]))
        raise UserError(
            f"agent {name!r} is declared twice, by {clash}: rename or uninstall one of them."
        )
    (target,) = targets[name]
    try:
        loaded = _import(target)
    except (ImportError, AttributeError) as error:
        raise UserError(f"agent {name!r} ({target}) cannot be imported: {error}") from error
    faults = _faults(loaded)
    if faults:
        raise UserError(
            f"agent {name!r} ({target}) does not keep the contract of "
            f"{'agents.dialogue.DialogueAgent' if _talks(loaded) else 'agents.agent.Agent'}: "
            f"{'; '.join(faults)}."
        )
    return loaded


def _talks(loaded: Any) -> bool:
    """Whether a class holds dialogues."""
    return getattr(loaded, "dialogues", False) is True


def _faults(loaded: Any) -> list[str]:
    """Return what a class lacks to be an agent, in words."""
    if not inspect.isclass(loaded):
        return ["it is not a class"]
    config = getattr(loaded, "Config", None)
    faults = []
    if not (inspect.isclass(config) and issubclass(config, BaseModel)):
        faults.append("'Config' must be a pydantic model, e.g. a subclass of agents.AgentConfig")
    for name in () if _talks(loaded) else ("privileged", "needs_log"):
        if not isinstance(getattr(loaded, name, None), bool):
            faults.append(f"{name!r} must be True or False")
    for name, member in vars(DialogueAgent if _talks(loaded) else Agent).items():
        if inspect.isfunction(member) and not callable(getattr(loaded, name, None)):
            faults.append(f"{name!r} must be a method")
    return faults


def available() -> dict[str, str]:
    """Return the name of every agent with its one-line description, sorted by name."""
    described = {}
    for name in sorted(_targets()):
        try:
            described[name] = (inspect.getdoc(load(name)) or "").partition("\n")[0]
        except UserError as error:  # a broken third-party agent must not hide the others
            described[name] = str(error)
    return described


def configure(name: str, **config: Any) -> AgentConfig:
    """Check an agent's settings without building it.

    Args:
        name: A name that `available` lists.
        **config: Its settings.

    Raises:
        UserError: The name is unknown, or a setting is unknown or wrong.
    """
    settings: AgentConfig = validated(load(name).Config, config, f"agent {name!r}: config")
    return settings


@overload
def make(name: str, problem: Problem, *, seed: int = 0, **config: Any) -> Agent: ...


@overload
def make(name: str, problem: DialogueProblem, *, seed: int = 0, **config: Any) -> DialogueAgent: ...


def make(
    name: str, problem: Problem | DialogueProblem, *, seed: int = 0, **config: Any
) -> Agent | DialogueAgent:
    """Build an agent.

    Args:
        name: A name that `available` lists.
        problem: Where it recommends, or holds dialogues.
        seed: Seed of its own randomness.
        **config: Its settings; what is left out keeps its default.

    Raises:
        UserError: The name or a setting is wrong, or the agent cannot work on this problem.
    """
    loaded, settings = load(name), configure(name, **config)
    in_dialogue = isinstance(problem, DialogueProblem)
    if _talks(loaded) != in_dialogue:
        does = "recommends slates to" if in_dialogue else "holds dialogues with"
        place = "holds dialogues" if in_dialogue else "shows slates"
        raise UserError(
            f"agent {name!r} {does} users; this environment {place}. "
            f"Agents for it: {', '.join(_fitting(in_dialogue))}."
        )
    built: Agent | DialogueAgent = loaded(settings, problem, seed)
    return built


def _fitting(in_dialogue: bool) -> list[str]:
    """Return the names of the agents that hold dialogues, or of those that do not."""
    names = []
    for name in sorted(_targets()):
        with contextlib.suppress(UserError):  # a broken one fits nowhere
            if _talks(load(name)) == in_dialogue:
                names.append(name)
    return names
