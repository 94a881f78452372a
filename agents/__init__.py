"""Recommendation agents, by name.

``agents.make("linucb", problem, alpha=0.5)`` builds one. Other packages add agents through the
entry-point group ``recsim.agents``.
"""

from __future__ import annotations

import contextlib
from dataclasses import fields
from typing import TYPE_CHECKING, Any, overload

from agents.recipes import Recipe, recipe_of, remember
from recsim.contracts.conversations import ConversationAgent
from recsim.contracts.critiquing import CritiquingAgent
from recsim.contracts.kinds import KINDS, AnyAgent, AnyProblem, faults, is_problem, kind_of, lacks
from recsim.contracts.slates import Agent, AgentConfig, Decision, Feedback, FitReport, Observation
from recsim.errors import AgentError
from recsim.problem import Names, Problem
from recsim.registry import Registry
from recsim.settings import validated, whole_number

if TYPE_CHECKING:
    from recsim.conversation import ConversationProblem
    from recsim.critiquing import CritiquingProblem

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
    "check_instance",
    "configure",
    "load",
    "make",
]

BUILTIN = {
    "bayes_critiquing": "agents.critiquing.bayes:BayesCritiquingAgent",
    "bert4rec": "agents.sequential:BERT4RecAgent",
    "bot_play": "agents.bot_play:BotPlayAgent",
    "cascade_ucb": "agents.bandits.cascade_ucb:CascadeUCBAgent",
    "ce_vae": "agents.critiquing.ce_vae:CEVAEAgent",
    "clone": "agents.slate_policy.cloning:CloneAgent",
    "conv_abs_greedy": "agents.conversation:AbsGreedyAgent",
    "conv_bayes": "agents.conversation:BayesAgent",
    "conv_dqn": "agents.conversation:DQNAgent",
    "conv_max_entropy": "agents.conversation:MaxEntropyAgent",
    "conv_popularity": "agents.conversation:PopularItemsAgent",
    "critique_popularity": "agents.critiquing.popularity:PopularCritiqueAgent",
    "critique_random": "agents.critiquing.popularity:RandomCritiqueAgent",
    "dt4ier": "agents.dt4ier:DT4IERAgent",
    "ease": "agents.counting:EASEAgent",
    "epsilon_greedy": "agents.bandits.epsilon_greedy:EpsilonGreedyAgent",
    "fact_crs": "agents.fact_crs:FactCRSAgent",
    "gru4rec": "agents.sequential:GRU4RecAgent",
    "gru_thompson": "agents.gru_thompson:GRUThompsonAgent",
    "item_knn": "agents.counting:ItemKNNAgent",
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
    "sequential_rules": "agents.counting:SequentialRulesAgent",
    "slate_mf": "agents.slate_mf:SlateMFAgent",
    "slateq": "agents.slateq:SlateQAgent",
    "softmax": "agents.bandits.softmax:SoftmaxAgent",
    "transitions": "agents.counting:TransitionsAgent",
    "ts_mnl": "agents.bandits.ts_mnl:TSMNLAgent",
}


def _check(name: str, target: str, loaded: Any) -> None:
    """Raise an error if a class does not keep the contract of its kind."""
    _refuse(f"{name!r} ({target})", loaded, faults(loaded))


def _refuse(title: str, agent: Any, missing: list[str]) -> None:
    """Raise an error if an agent or its class lacks something of its contract."""
    if missing:
        contract = KINDS[kind_of(agent)].contract
        raise AgentError(
            f"agent {title} does not keep the contract of "
            f"{contract.__module__}.{contract.__name__}: {'; '.join(missing)}."
        )


# Sizes of a problem that an agent need not be built for.
_MAY_DIFFER = frozenset({"num_candidates", "max_turns", "free_recommendations"})

AGENTS = Registry("recsim.agents", "agent", BUILTIN, _check, AgentError)


def available() -> dict[str, str]:
    """Return the name of every agent with its one-line description, sorted by name.

    No agent is imported. An agent that cannot be found has the error in place of the description.
    """
    return AGENTS.describe()


def load(name: str | type[Any]) -> type[Any]:
    """Return the class of an agent.

    Its kind, slates, conversations or critiquing, is `recsim.contracts.kinds.kind_of` of it.

    Args:
        name: A name that `available` lists, or a class of your own.

    Raises:
        AgentError: If the name is unknown or declared twice, or the class cannot be imported or
            does not keep the contract of its kind.
    """
    if isinstance(name, str):
        loaded: type[Any] = AGENTS.load(name)
        return loaded
    _check(_title(name), f"{name.__module__}:{name.__qualname__}", name)
    return name


def configure(name: str | type[Any], **config: Any) -> AgentConfig:
    """Check an agent's settings without building it.

    Args:
        name: A name that `available` lists, or a class of your own.
        **config: Its settings.

    Raises:
        AgentError: If the name is unknown, or a setting is unknown or wrong.
    """
    where = f"agent {_title(name)!r}: config"
    settings: AgentConfig = validated(load(name).Config, config, where, error=AgentError)
    return settings


@overload
def make(name: str | type[Any], problem: Problem, *, seed: int = 0, **config: Any) -> Agent: ...


@overload
def make(
    name: str | type[Any], problem: ConversationProblem, *, seed: int = 0, **config: Any
) -> ConversationAgent: ...


@overload
def make(
    name: str | type[Any], problem: CritiquingProblem, *, seed: int = 0, **config: Any
) -> CritiquingAgent: ...


def make(name: str | type[Any], problem: AnyProblem, *, seed: int = 0, **config: Any) -> AnyAgent:
    """Build an agent.

    Args:
        name: A name that `available` lists, or a class of your own.
        problem: The public facts of the environment or log that it is built for.
        seed: Seed of its own randomness.
        **config: Its settings; those left out keep their defaults.

    Raises:
        AgentError: If the name, a setting or the seed is wrong, or the agent cannot work on this
            problem.
    """
    registered = name if isinstance(name, str) else None
    return build(registered, load(name), configure(name, **config), problem, seed)


def build(
    name: str | None, loaded: type[Any], config: AgentConfig, problem: AnyProblem, seed: int
) -> AnyAgent:
    """Build an agent from its class and settings, so that it can be saved.

    Args:
        name: Its registered name; None for a class of your own.
        loaded: Its class.
        config: Its settings.
        problem: The public facts of the environment or log that it is built for.
        seed: Seed of its own randomness.

    Raises:
        AgentError: If the agent is for problems of another kind, or cannot work on this one.
    """
    _check_kind(name or _title(loaded), loaded, problem)
    seed = whole_number(seed, f"agent {name or _title(loaded)!r}: seed", AgentError)
    agent: AnyAgent = loaded(config, problem, seed)
    remember(agent, Recipe(name, config, problem, seed))
    return agent


def check_instance(agent: Any, problem: AnyProblem) -> None:
    """Refuse an agent from Python that cannot work on a problem.

    Args:
        agent: An instance.
        problem: The public facts of the environment or log that it is to work on.

    Raises:
        AgentError: If it lacks a method of its contract, is for problems of another kind, or was
            built for another number of items, users or features.
    """
    title = type(agent).__name__
    _refuse(repr(title), agent, lacks(agent))
    _check_kind(title, agent, problem)
    try:
        own = recipe_of(agent).problem
    except AgentError:  # built without `make`: what for is not known
        return
    _check_sizes(title, own, problem)


def _check_sizes(title: str, own: AnyProblem, problem: AnyProblem) -> None:
    """Raise an error if an agent was built for a problem of another size."""
    for field in fields(own):
        before, now = getattr(own, field.name), getattr(problem, field.name)
        if type(before) is not int or field.name in _MAY_DIFFER or before == now:
            continue
        words = field.name.replace("num_", "number of ").replace("_", " ")
        raise AgentError(
            f"agent {title!r} was built for a problem whose {words} is {before}; here it is {now}. "
            "Build it for this problem, e.g. with agents.make(name, env.unwrapped.problem)."
        )
    before, now = getattr(own, "item_names", None), getattr(problem, "item_names", None)
    if isinstance(before, Names) and isinstance(now, Names) and before != now:
        raise AgentError(
            f"agent {title!r} was built for other items: its item_names are not those of this "
            "problem, so the same number means another item. Build it for this problem."
        )


def _check_kind(title: str, agent: Any, problem: AnyProblem) -> None:
    """Raise an error if an agent or its class is for another kind of problems."""
    if not is_problem(problem):
        raise AgentError(
            f"agent {title!r} is built for a problem, such as env.unwrapped.problem or "
            f"log.problem, not for a {type(problem).__name__}."
        )
    kind, wanted = kind_of(agent), kind_of(problem)
    if kind != wanted:
        raise AgentError(
            f"agent {title!r} {KINDS[kind].does} users; this environment "
            f"{KINDS[wanted].place}. Agents for it: {', '.join(_fitting(wanted))}."
        )


def _title(name: str | type[Any]) -> str:
    """Return what an agent is called in messages."""
    return name if isinstance(name, str) else getattr(name, "__name__", repr(name))


def _fitting(kind: str) -> list[str]:
    """Return the names of the agents of a kind."""
    names = []
    for name in AGENTS.names():
        with contextlib.suppress(Exception):  # an agent that cannot be loaded is left out
            if kind_of(load(name)) == kind:
                names.append(name)
    return names
