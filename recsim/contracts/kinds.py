"""The three kinds of agents, environments and problems: slates, conversations, critiquing.

A class declares its kind by a class attribute that is True and has the name of the kind; slates
need none.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import BaseModel

from recsim.contracts.conversations import ConversationAgent
from recsim.contracts.critiquing import CritiquingAgent
from recsim.contracts.slates import Agent
from recsim.problem import Problem

if TYPE_CHECKING:  # the data of conversations and critiques need not be imported here
    from recsim.conversation import ConversationProblem
    from recsim.critiquing import CritiquingProblem

AnyAgent: TypeAlias = Agent | ConversationAgent | CritiquingAgent
AnyProblem: TypeAlias = "Problem | ConversationProblem | CritiquingProblem"


@dataclass(frozen=True)
class Kind:
    """One kind of agents, and of environments for them.

    Attributes:
        contract: The protocol of the agents.
        does: What the agents do, in words that "users" follows.
        place: What the environments do.
        flags: Class attributes that are True or False in every such agent.
    """

    contract: type[Any]
    does: str
    place: str
    flags: tuple[str, ...] = ()


KINDS = {
    "slates": Kind(Agent, "recommends slates to", "shows slates", ("privileged", "needs_log")),
    "conversations": Kind(ConversationAgent, "holds conversations with", "holds conversations"),
    "critiquing": Kind(CritiquingAgent, "is critiqued by", "takes critiques"),
}


def kind_of(thing: Any) -> str:
    """Return the kind, a key of `KINDS`.

    Args:
        thing: An agent, an environment or a problem, or a class of those.
    """
    return next((name for name in KINDS if getattr(thing, name, False) is True), "slates")


def is_problem(thing: Any) -> bool:
    """Return whether something is a problem that an agent can be built for."""
    return isinstance(thing, Problem) or kind_of(thing) != "slates"


def faults(loaded: Any) -> list[str]:
    """Return what a class lacks to be an agent of its kind, in words."""
    if not inspect.isclass(loaded):
        return ["it is not a class"]
    config = getattr(loaded, "Config", None)
    found = []
    if not (inspect.isclass(config) and issubclass(config, BaseModel)):
        found.append("'Config' must be a pydantic model, e.g. a subclass of agents.AgentConfig")
    return found + lacks(loaded)


def lacks(agent: Any) -> list[str]:
    """Return which attributes of the contract an agent or its class lacks, in words."""
    kind = KINDS[kind_of(agent)]
    flags = [
        f"{name!r} must be True or False"
        for name in kind.flags
        if not isinstance(getattr(agent, name, None), bool)
    ]
    methods = [
        f"{name!r} must be a method"
        for name, member in vars(kind.contract).items()
        if inspect.isfunction(member) and not callable(getattr(agent, name, None))
    ]
    return flags + methods
