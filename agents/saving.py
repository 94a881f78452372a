"""Saving an agent to one file, and loading it without knowing its settings or its problem.

The file opens with ``torch.load(weights_only=True)``: it holds tensors, arrays and plain data only,
so loading a file of unknown origin runs no code of it. It has the agent's name, settings, seed and
state, and the problem that the agent was built for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import agents
import recsim
from agents.recipes import recipe_of
from recsim.contracts.kinds import AnyAgent, AnyProblem, kind_of
from recsim.contracts.slates import AgentConfig
from recsim.conversation import ConversationProblem
from recsim.critiquing import CritiquingProblem
from recsim.errors import AgentError, UserError
from recsim.files import load_state, save_state
from recsim.problem import Problem
from recsim.settings import validated

_FORMAT = "slaterec-agent"
_VERSION = 1
_PROBLEMS: dict[str, Callable[..., Any]] = {
    "slates": lambda **values: Problem.of_plain(values),
    "conversations": ConversationProblem,
    "critiquing": CritiquingProblem,
}


def save_agent(agent: AnyAgent, path: str | Path) -> None:
    """Save an agent with all that is needed to build it again.

    Works for agents built by `agents.make`, and for instances of classes that inherit from a base
    class in `agents.shared.base`. To load an agent whose class is not registered, such as one from
    a notebook, give `load_agent` the class.

    Args:
        agent: Any agent, fitted or not.
        path: File to write; it is written in full or not at all.

    Raises:
        AgentError: If the agent's settings are unknown, if its state has objects that cannot be
            saved safely, or if the file cannot be written.
    """
    recipe, owner = recipe_of(agent), type(agent)
    name = recipe.name or _registered_name(owner)
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "slaterec": recsim.__version__,
        "agent": name,
        "class": f"{owner.__module__}.{owner.__qualname__}",
        "settings": recipe.config.model_dump(exclude_unset=True),
        "all_settings": recipe.config.model_dump(),
        "seed": int(recipe.seed),
        "kind": kind_of(recipe.problem),
        "problem": _plain(recipe.problem),
        "state": agent.state_dict(),
    }
    try:
        save_state(Path(path), content)
    except TypeError as error:
        raise AgentError(f"agent {name or owner.__name__!r} cannot be saved: {error}.") from error
    except OSError as error:
        raise AgentError(f"{path} cannot be written: {error.strerror or error}.") from error


def load_agent(
    path: str | Path, own_class: type[Any] | None = None, /, **settings: Any
) -> AnyAgent:
    """Load an agent that `save_agent` saved; it acts as the saved one would have.

    Args:
        path: The file.
        own_class: The class of the agent, if it is not registered.
        **settings: Settings to change, such as ``device="cpu"``.

    Raises:
        AgentError: If the file is missing, damaged, not a saved agent or of a later format, if the
            agent is unknown, if a setting is wrong, or if the state does not fit.
    """
    saved = _read(path)
    loaded = _class_of(saved, path, own_class)
    config = _settings(loaded.Config, saved, settings, f"{path}: agent {saved.title!r}: config")
    agent = agents.build(saved.name, loaded, config, saved.problem, saved.seed)
    agent.load_state_dict(saved.state)
    return agent


@dataclass(frozen=True, eq=False)
class _Saved:
    """The content of a file.

    Attributes:
        name: Registered name of the agent, or None.
        owner: Module and name of its class.
        settings: The settings that were given.
        all_settings: These and the defaults.
        seed: Its seed.
        problem: Its problem.
        state: Its state.
    """

    name: str | None
    owner: str
    settings: Mapping[str, Any]
    all_settings: Mapping[str, Any]
    seed: int
    problem: AnyProblem
    state: Mapping[str, Any]

    @property
    def title(self) -> str:
        """The agent's name in messages."""
        return self.name or self.owner.rpartition(".")[2]


def _read(path: str | Path) -> _Saved:
    try:
        content = dict(load_state(path))
    except UserError as error:
        raise AgentError(str(error)) from error
    if content.get("format") != _FORMAT:
        raise AgentError(
            f"{path} was not saved by save_agent. If it holds the state of an agent, as agent.pt "
            "of a run folder does, build the agent with agents.make and restore it: "
            "agent.load_state_dict(recsim.files.load_state(path))."
        )
    if content.get("version") != _VERSION:
        raise AgentError(
            f"{path} has format {content.get('version')}, written by SlateRec "
            f"{content.get('slaterec')}; this is SlateRec {recsim.__version__}, which reads format "
            f"{_VERSION}. Install the version that wrote it."
        )
    try:
        return _Saved(
            name=content["agent"],
            owner=str(content["class"]),
            settings=dict(content["settings"]),
            all_settings=dict(content["all_settings"]),
            seed=int(content["seed"]),
            problem=_PROBLEMS[content["kind"]](**content["problem"]),
            state=dict(content["state"]),
        )
    except (KeyError, TypeError, ValueError, UserError) as error:
        raise AgentError(f"{path} is not a complete saved agent: {error}.") from error


def _class_of(saved: _Saved, path: str | Path, own_class: type[Any] | None) -> type[Any]:
    """Return the class of a saved agent.

    The file names no module to import, because importing runs code.
    """
    if own_class is not None:
        return agents.load(own_class)
    if saved.name is None:
        raise AgentError(
            f"{path} has an agent of the class {saved.owner}, which is not registered: give the "
            f"class, load_agent(path, {saved.title}), or declare it as an entry point."
        )
    try:
        return agents.load(saved.name)
    except AgentError as error:
        raise AgentError(f"{path} has an agent that is not installed: {error}") from error


def _settings(
    model: type[AgentConfig], saved: _Saved, changes: Mapping[str, Any], where: str
) -> AgentConfig:
    """Return the settings of the saved agent, with changes."""
    given = {**saved.settings, **changes}
    now = validated(model, given, where, error=AgentError).model_dump()
    # A default that has changed since the agent was saved must not change the agent.
    before = {
        key: value
        for key, value in saved.all_settings.items()
        if key not in given and key in now and now[key] != value
    }
    return validated(model, before | given, where, error=AgentError)


def _plain(problem: AnyProblem) -> dict[str, Any]:
    """Return the fields of a problem as arrays and plain data."""
    if isinstance(problem, Problem):
        return problem.plain()
    return {field.name: getattr(problem, field.name) for field in fields(problem)}


def _registered_name(owner: type[Any]) -> str | None:
    """Return the name under which a class is registered, or None."""
    name = getattr(owner, "name", None)
    if name in agents.AGENTS.names() and agents.load(name) is owner:
        return str(name)
    return None
