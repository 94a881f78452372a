"""What agents and environments are for: slates, conversations or critiques.

A class says so by a class attribute that is True and has the name of the kind; slates need none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from recsim.contracts.conversations import ConversationAgent
from recsim.contracts.critiquing import CritiquingAgent
from recsim.contracts.slates import Agent
from recsim.conversation import ConversationProblem
from recsim.critiquing import CritiquingProblem
from recsim.problem import Problem

__all__ = ["KINDS", "Kind", "kind_of"]

AnyAgent = Agent | ConversationAgent | CritiquingAgent
AnyProblem = Problem | ConversationProblem | CritiquingProblem


@dataclass(frozen=True)
class Kind:
    """One kind of agents, and of environments for them.

    Attributes:
        contract: What such an agent keeps.
        problem: What it is built for.
        does: What it does, in words that "users" follow.
        place: What such an environment does.
        flags: Class attributes that are True or False in every such agent.
    """

    contract: type[Any]
    problem: type[AnyProblem]
    does: str
    place: str
    flags: tuple[str, ...] = ()


KINDS = {
    "slates": Kind(
        Agent, Problem, "recommends slates to", "shows slates", ("privileged", "needs_log")
    ),
    "conversations": Kind(
        ConversationAgent, ConversationProblem, "holds conversations with", "holds conversations"
    ),
    "critiquing": Kind(CritiquingAgent, CritiquingProblem, "is criticised by", "takes critiques"),
}


def kind_of(loaded: Any) -> str:
    """Return the kind of a class of agents or environments, or of a problem; see `KINDS`."""
    for name, kind in KINDS.items():
        if getattr(loaded, name, False) is True or isinstance(loaded, kind.problem):
            return name
    return "slates"
