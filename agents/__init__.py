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

from recsim.contracts.conversations import ConversationAgent
from recsim.contracts.critiquing import CritiquingAgent
from recsim.contracts.kinds import KINDS, AnyAgent, AnyProblem, kind_of
from recsim.contracts.slates import Agent, AgentConfig, Decision, Feedback, FitReport, Observation
from recsim.conversation import ConversationProblem
from recsim.critiquing import CritiquingProblem
from recsim.errors import UserError, did_you_mean
from recsim.problem import Problem
from recsim.settings import validated

__all__ = [
    "Agent",
    "AgentConfig",
    "ConversationAgent",
    "CritiquingAgent",
    "Decision",
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
    "bayes_critiquing": "agents.critiquing.bayes:BayesCritiquingAgent",
    "bert4rec": "agents.sequential:BERT4RecAgent",
    "bot_play": "agents.bot_play:BotPlayAgent",
    "cascade_ucb": "agents.bandits.cascade_ucb:CascadeUCBAgent",
    "ce_vae": "agents.critiquing.ce_vae:CEVAEAgent",
    "conv_abs_greedy": "agents.conversation:AbsGreedyAgent",
    "conv_bayes": "agents.conversation:BayesAgent",
    "conv_dqn": "agents.conversation:DQNAgent",
    "conv_max_entropy": "agents.conversation:MaxEntropyAgent",
    "conv_popularity": "agents.conversation:PopularItemsAgent",
    "critique_popularity": "agents.critiquing.popularity:PopularCritiqueAgent",
    "critique_random": "agents.critiquing.popularity:RandomCritiqueAgent",
    "dt4ier": "agents.dt4ier:DT4IERAgent",
    "epsilon_greedy": "agents.bandits.epsilon_greedy:EpsilonGreedyAgent",
    "fact_crs": "agents.fact_crs:FactCRSAgent",
    "gru4rec": "agents.sequential:GRU4RecAgent",
    "gru_thompson": "agents.gru_thompson:GRUThompsonAgent",
    "linear_critiquing": "agents.critiquing.linear:LinearCritiquingAgent",
    "linucb": "agents.bandits.linucb:LinUCBAgent",
    "mixture": "agents.mixture:MixtureAgent",
    "mnl_bandit": "agents.bandits.mnl_bandit:MNLBanditAgent",
    "oracle": "agents.baselines:OracleAgent",
    "popularity": "agents.baselines:PopularityAgent",
    "ppo": "agents.sb3:PPOAgent",
    "random": "agents.baselines:RandomAgent",
    "rel_mf": "agents.rel_mf:RelMFAgent",
    "sasrec": "agents.sequential:SASRecAgent",
    "slate_mf": "agents.slate_mf:SlateMFAgent",
    "slateq": "agents.slateq:SlateQAgent",
    "softmax": "agents.bandits.softmax:SoftmaxAgent",
    "ts_mnl": "agents.bandits.ts_mnl:TSMNLAgent",
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

    What it is for, slates, conversations or critiques, says `recsim.contracts.kinds.kind_of`.

    Args:
        name: A name that `available` lists.

    Raises:
        UserError: The name is unknown, declared twice, its module cannot be imported, or what it
            names does not keep the contract of its kind.
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
        contract = KINDS[kind_of(loaded)].contract
        raise UserError(
            f"agent {name!r} ({target}) does not keep the contract of "
            f"{contract.__module__}.{contract.__name__}: {'; '.join(faults)}."
        )
    return loaded


def _faults(loaded: Any) -> list[str]:
    """Return what a class lacks to be an agent, in words."""
    if not inspect.isclass(loaded):
        return ["it is not a class"]
    config = getattr(loaded, "Config", None)
    faults = []
    if not (inspect.isclass(config) and issubclass(config, BaseModel)):
        faults.append("'Config' must be a pydantic model, e.g. a subclass of agents.AgentConfig")
    kind = KINDS[kind_of(loaded)]
    for name in kind.flags:
        if not isinstance(getattr(loaded, name, None), bool):
            faults.append(f"{name!r} must be True or False")
    for name, member in vars(kind.contract).items():
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
def make(
    name: str, problem: ConversationProblem, *, seed: int = 0, **config: Any
) -> ConversationAgent: ...


@overload
def make(
    name: str, problem: CritiquingProblem, *, seed: int = 0, **config: Any
) -> CritiquingAgent: ...


def make(name: str, problem: AnyProblem, *, seed: int = 0, **config: Any) -> AnyAgent:
    """Build an agent.

    Args:
        name: A name that `available` lists.
        problem: Where it recommends, holds conversations, or is criticised.
        seed: Seed of its own randomness.
        **config: Its settings; what is left out keeps its default.

    Raises:
        UserError: The name or a setting is wrong, or the agent cannot work on this problem.
    """
    loaded, settings = load(name), configure(name, **config)
    kind, wanted = kind_of(loaded), kind_of(problem)
    if kind != wanted:
        raise UserError(
            f"agent {name!r} {KINDS[kind].does} users; this environment {KINDS[wanted].place}. "
            f"Agents for it: {', '.join(_fitting(wanted))}."
        )
    built: AnyAgent = loaded(settings, problem, seed)
    return built


def _fitting(kind: str) -> list[str]:
    """Return the names of the agents of a kind."""
    names = []
    for name in sorted(_targets()):
        with contextlib.suppress(UserError):  # a broken one fits nowhere
            if kind_of(load(name)) == kind:
                names.append(name)
    return names
