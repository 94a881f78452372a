"""Environments of a scenario; every mistake is a `UserError`."""

from __future__ import annotations

import importlib
import math
import os
import warnings
from collections.abc import Mapping
from typing import Any

import gymnasium
from gymnasium.envs.registration import load_env_creator
from gymnasium.vector import VectorEnv
from pydantic import BaseModel

import recsim  # registers the environments
from recsim.contracts.kinds import is_problem, kind_of
from recsim.errors import EnvError, ScenarioError, UserError, did_you_mean, located
from recsim.problem import Problem
from recsim.registry import first_line
from recsim.scenario.sources import EnvSpec
from recsim.settings import signature_model, validated

# Set by this program, not by the scenario.
_OWN_ARGUMENTS = {"num_envs", "render_mode", "max_episode_steps"}


def registered_environments() -> dict[str, str]:
    """Return the environments of this project, each with the first line of its docstring.

    The lines are read from the source files: importing the environments would import torch.
    """
    described = {}
    for spec in gymnasium.registry.values():
        entry = spec.entry_point or spec.vector_entry_point
        if isinstance(entry, str) and entry.startswith(("envs.", f"{recsim.__name__}.")):
            described[spec.id] = first_line(entry) or ""
    return described


def environment_presets() -> dict[str, str]:
    """Return the presets of ``SlateRec-v0``, each with a one-line description."""
    from envs.world.presets import describe_presets

    return describe_presets()


def make_env(
    spec: EnvSpec, users: int, *, reveal: bool = True, quiet: bool = True
) -> VectorEnv[Any, Any, Any]:
    """Build the environment of a scenario.

    Args:
        spec: The block ``env`` of the scenario.
        users: Users at a time, B.
        reveal: Whether to reveal the state, so that immediate regret is exact, unless the scenario
            says otherwise.
        quiet: Whether to leave out the warning that the oracle is a guess, which would appear once
            for every trial.

    Raises:
        UserError: If the id is unknown, a setting is unknown or wrong, or the environment is not
            one of recommendation.
    """
    settings = _settings(spec.id)
    options = spec.options
    if settings is not None:
        validated(settings, options, "env", error=EnvError, also_known=["id"])
        if "reveal_state" in settings.model_fields:
            options.setdefault("reveal_state", reveal)
    with located("env"), warnings.catch_warnings():
        if quiet:
            warnings.filterwarnings("ignore", "The oracle is a guess", UserWarning)
        try:
            env = gymnasium.make_vec(spec.id, num_envs=users, **options)
        except (OverflowError, gymnasium.error.Error) as error:
            raise EnvError(f"{spec.id} cannot be built: {error}") from error
        except MemoryError as error:
            raise EnvError(f"{spec.id} needs more memory than there is: {error}") from error
    if not is_problem(getattr(env.unwrapped, "problem", None)):
        env.close()
        raise EnvError(
            f"env.id: {spec.id} is not an environment for recommendation: it has no 'problem'."
        )
    return env


def kind_of_environment(spec: EnvSpec) -> str:
    """Return the kind of an environment, a key of `KINDS`; slates if it is unknown."""
    registered = gymnasium.registry.get(spec.id.rpartition(":")[2])
    entry = None if registered is None else registered.vector_entry_point
    return kind_of(load_env_creator(entry) if isinstance(entry, str) else entry)


def environment_kind(content: Mapping[str, Any]) -> str:
    """Return the kind of a scenario's environment; empty if the scenario is not about one."""
    env = content.get("env")
    # With a second source, a scenario is of no kind.
    others = ("data", "benchmark", "holdout")
    if env is None or any(content.get(key) is not None for key in others):
        return ""
    spec = env if isinstance(env, dict) and isinstance(env.get("id", ""), str) else {}
    return kind_of_environment(EnvSpec.model_validate(spec))


def check_forms(env: EnvSpec, wanted: str) -> None:
    """Refuse actions and observations in a form that the agents of a scenario do not use.

    Raises:
        ScenarioError: Names the form that is needed.
    """
    for key, form in {"action": wanted, "observation": "ids"}.items():
        given = env.options.get(key, form)
        if given != form:
            raise ScenarioError(f"env.{key}: must be {form!r} in a scenario, not {given!r}.")


def problem_of(env: VectorEnv[Any, Any, Any]) -> Problem:
    """Return the public facts of an environment that `make_env` built."""
    problem: Problem = env.unwrapped.problem  # type: ignore[attr-defined]
    return problem


def check_memory(env: VectorEnv[Any, Any, Any], users: int) -> None:
    """Refuse more users than fit into memory with nothing but one observation each.

    Args:
        env: The environment, built for a few users.
        users: How many there are to be at a time.

    Raises:
        UserError: If they do not fit; says how much memory they need, and how much there is.
    """
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # unknown on this operating system
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


def _settings(env_id: str) -> type[BaseModel] | None:
    """Return the model of an environment's settings; None if it accepts any keyword.

    That is the class attribute ``Settings`` of an environment of this project. For any other
    environment the model is made from the parameters of its vector face or, where that accepts any
    keyword, of both faces.
    """
    module, _, name = env_id.rpartition(":")
    if module:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise EnvError(f"env.id: module {module!r} cannot be imported: {error}") from error
    spec = gymnasium.registry.get(name)
    if spec is None:
        near = did_you_mean(name, registered_environments())
        raise EnvError(f"env.id: unknown environment {env_id!r}.{near}")
    if spec.vector_entry_point is None:
        raise EnvError(
            f"env.id: {env_id} has no vector environment: it cannot run many users at once."
        )
    entries = [entry for entry in (spec.vector_entry_point, spec.entry_point) if entry is not None]
    creators = [load_env_creator(entry) if isinstance(entry, str) else entry for entry in entries]
    settings: type[BaseModel] | None = getattr(creators[0], "Settings", None)
    return settings or signature_model(creators, name, _OWN_ARGUMENTS)
