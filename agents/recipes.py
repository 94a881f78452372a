"""The arguments that agents were built with, which are saved with an agent."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from recsim.contracts.kinds import AnyAgent, AnyProblem
from recsim.contracts.slates import AgentConfig
from recsim.errors import AgentError


@dataclass(frozen=True, eq=False)
class Recipe:
    """The arguments that an agent was built with.

    Attributes:
        name: Its registered name; None if its class was given.
        config: Its settings.
        problem: Its problem.
        seed: Its seed.
    """

    name: str | None
    config: AgentConfig
    problem: AnyProblem
    seed: int


# Not an attribute of the agent, because the contract requires none.
_RECIPES: WeakKeyDictionary[Any, Recipe] = WeakKeyDictionary()


def remember(agent: AnyAgent, recipe: Recipe) -> None:
    """Keep the recipe for as long as the agent lives."""
    with contextlib.suppress(TypeError):  # no weak references: __slots__, or a class without hash
        _RECIPES[agent] = recipe


def recipe_of(agent: AnyAgent) -> Recipe:
    """Return the arguments that an agent was built with.

    Raises:
        AgentError: If the agent was neither built by `agents.make` nor inherits from a base class
            in `agents.shared.base`.
    """
    with contextlib.suppress(TypeError):
        if agent in _RECIPES:
            return _RECIPES[agent]
    own = getattr(agent, "recipe", None)  # the base classes keep it themselves
    if isinstance(own, Recipe):
        return own
    raise AgentError(
        f"the settings of this {type(agent).__name__} are unknown: build it with "
        f"agents.make({type(agent).__name__}, problem, ...), or let the class inherit from a base "
        "class in agents.shared.base, such as BaseSlateAgent."
    )
