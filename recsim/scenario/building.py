"""From the words of a scenario to environments and agents; every mistake is a `UserError`."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import math
import os
import typing
from collections.abc import Iterator
from typing import Any, overload

import gymnasium
from gymnasium.envs.registration import load_env_creator
from gymnasium.vector import VectorEnv
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

import agents
import recsim  # registers the environments
from recsim.contracts.conversations import ConversationAgent
from recsim.contracts.critiquing import CritiquingAgent
from recsim.contracts.kinds import AnyAgent, AnyProblem, is_problem, kind_of
from recsim.contracts.slates import Agent
from recsim.conversation import ConversationProblem
from recsim.critiquing import CritiquingProblem
from recsim.errors import UserError, did_you_mean
from recsim.problem import Problem
from recsim.scenario.schema import AgentSpec, EnvSpec

__all__ = [
    "blame",
    "check_memory",
    "environment_presets",
    "kind_of_environment",
    "make_agent",
    "make_env",
    "problem_of",
    "registered_environments",
]

# Given by this program, not by the scenario.
_OWN_ARGUMENTS = {"num_envs", "render_mode", "max_episode_steps"}


@contextlib.contextmanager
def blame(key: str) -> Iterator[None]:
    """Put the key path of the scenario in front of the message of a user's mistake."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{key}: {error}") from error


def registered_environments() -> dict[str, str]:
    """Return the environments of this project, each with the first line of its docstring."""
    described = {}
    for spec in gymnasium.registry.values():
        entry = spec.vector_entry_point or spec.entry_point
        if isinstance(entry, str) and entry.startswith(("envs.", f"{recsim.__name__}.")):
            scalar = spec.entry_point if isinstance(spec.entry_point, str) else entry
            doc = inspect.getdoc(load_env_creator(scalar)) or ""
            described[spec.id] = doc.partition("\n")[0]
    return described


def environment_presets() -> dict[str, str]:
    """Return the presets of ``SlateRec-v0`` with one line each."""
    from envs.world.presets import PRESETS

    return {name: preset.description for name, preset in PRESETS.items()}


def make_env(spec: EnvSpec, users: int, *, reveal: bool = True) -> VectorEnv[Any, Any, Any]:
    """Build the environment of a scenario.

    Args:
        spec: The block ``env`` of the scenario.
        users: Users at a time, B.
        reveal: Whether to reveal the state, so that regret is exact, unless the scenario says
            otherwise.

    Raises:
        UserError: If the id is unknown, or an argument is unknown or wrong.
    """
    arguments = _arguments(spec.id)
    options = spec.options
    if arguments is not None:
        for key, value in options.items():
            if key not in arguments:
                near = did_you_mean(key, ["id", *arguments])
                raise UserError(f"env.{key}: unknown key.{near}")
            _check_type(f"env.{key}", value, arguments[key])
        if "reveal_state" in arguments:
            options.setdefault("reveal_state", reveal)
    with blame("env"):
        try:
            env = gymnasium.make_vec(spec.id, num_envs=users, **options)
        except (TypeError, ValueError, OverflowError, gymnasium.error.Error) as error:
            raise UserError(f"{spec.id} cannot be built: {error}") from error
        except MemoryError as error:
            raise UserError(f"{spec.id} needs more memory than there is: {error}") from error
    if not is_problem(getattr(env.unwrapped, "problem", None)):
        env.close()
        raise UserError(f"env.id: {spec.id} is not a place to recommend: it has no 'problem'.")
    return env


def kind_of_environment(spec: EnvSpec) -> str:
    """Return the kind of an environment, a key of `KINDS`; slates if it is unknown."""
    registered = gymnasium.registry.get(spec.id.rpartition(":")[2])
    entry = None if registered is None else registered.vector_entry_point
    return kind_of(load_env_creator(entry) if isinstance(entry, str) else entry)


def problem_of(env: VectorEnv[Any, Any, Any]) -> Problem:
    """Return the public facts of an environment that `make_env` built."""
    problem: Problem = env.unwrapped.problem  # type: ignore[attr-defined]
    return problem


def check_memory(env: VectorEnv[Any, Any, Any], users: int) -> None:
    """Refuse more users than fit into memory, even if nothing were kept but what they are shown.

    Args:
        env: The environment, built for a few users.
        users: How many there are to be at a time.

    Raises:
        UserError: Says how much memory that takes, and how much there is.
    """
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # an operating system that does not tell
        return
    needed = users * _bytes(env.single_observation_space)
    if needed > memory:
        raise UserError(
            f"users: {users} at a time need at least {needed / 1e9:.3g} GB of memory in this "
            f"world; this machine has {memory / 1e9:.3g} GB."
        )


def _bytes(space: gymnasium.Space[Any]) -> int:
    """Return the size of one observation."""
    if isinstance(space, gymnasium.spaces.Dict):
        return sum(_bytes(part) for part in space.spaces.values())
    if space.shape is None or space.dtype is None:
        return 0
    return math.prod(space.shape) * space.dtype.itemsize


@overload
def make_agent(spec: AgentSpec, problem: Problem, seed: int) -> Agent: ...


@overload
def make_agent(spec: AgentSpec, problem: ConversationProblem, seed: int) -> ConversationAgent: ...


@overload
def make_agent(spec: AgentSpec, problem: CritiquingProblem, seed: int) -> CritiquingAgent: ...


def make_agent(spec: AgentSpec, problem: AnyProblem, seed: int) -> AnyAgent:
    """Build an agent of a scenario.

    Raises:
        UserError: If its name or a setting is wrong, or it cannot work on this problem.
    """
    with blame(f"agents: {spec.label}"):
        return agents.make(spec.name, problem, seed=seed, **spec.config)


def _arguments(env_id: str) -> dict[str, Any] | None:
    """Return the arguments of a vector environment and their types; None if it takes any."""
    module, _, name = env_id.rpartition(":")
    if module:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise UserError(f"env.id: module {module!r} cannot be imported: {error}") from error
    spec = gymnasium.registry.get(name)
    if spec is None:
        near = did_you_mean(name, registered_environments())
        raise UserError(f"env.id: unknown environment {env_id!r}.{near}")
    if spec.vector_entry_point is None:
        raise UserError(
            f"env.id: {env_id} has no vector environment: it cannot run many users at once."
        )
    arguments = _parameters(spec.vector_entry_point)
    if None in arguments and spec.entry_point is not None:
        # Both faces of an environment take the same settings; one of them spells them out.
        del arguments[None]
        arguments |= _parameters(spec.entry_point)
    if None in arguments:
        return None
    return {key: hint for key, hint in arguments.items() if key and key not in _OWN_ARGUMENTS}


def _parameters(entry: Any) -> dict[str | None, Any]:
    """Return the type of each parameter; the key None stands for ``**kwargs``."""
    creator = load_env_creator(entry) if isinstance(entry, str) else entry
    try:
        # A class has its hints on __init__; mypy warns of subclasses, which do not matter here.
        called = creator.__init__ if isinstance(creator, type) else creator  # type: ignore[misc]
        hints = typing.get_type_hints(called)
    except (NameError, TypeError):
        hints = {}
    return {
        None if p.kind is inspect.Parameter.VAR_KEYWORD else p.name: hints.get(p.name, Any)
        for p in inspect.signature(creator).parameters.values()
    }


def _check_type(key: str, value: Any, hint: Any) -> None:
    """Refuse a value that is not what the environment says it takes."""
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(hint, config=ConfigDict(strict=True))
    except PydanticSchemaGenerationError:
        return
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        path = ".".join(map(str, (key, *fault["loc"])))
        message = fault["msg"].replace("Input should", "must")
        raise UserError(f"{path}: {message}, not {fault['input']!r}.") from None
