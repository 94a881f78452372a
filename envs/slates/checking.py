"""Whether a world keeps the promises of the environment, for those who write parts of their own."""

from __future__ import annotations

import copy
import itertools
import pickle
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.slates.env import SlateRecVectorEnv
from envs.world.backend import to_numpy
from envs.world.presets import Preset
from recsim.errors import EnvError
from recsim.problem import Problem

Trace = dict[str, NDArray[Any]]

_CLOSE = 1e-3  # numpy and torch, in float32, after some steps
_DRAWS = 20_000


def check_world(
    world: Mapping[str, Any] | None = None,
    preset: str | Preset = "interest_evolution",
    *,
    users: int = 16,
    steps: int = 20,
    seed: int = 0,
    **settings: Any,
) -> None:
    """Play a world and refuse one that breaks a promise of the environment.

    The promises: the same seed gives the same numbers; a user's future does not depend on the
    others of the batch; numpy and torch agree; the environment can be copied and pickled; clicks
    are drawn with their probabilities; and the oracle slate, unless the world says that it is a
    guess, is the best.

    Args:
        world: As the argument of ``SlateRec-v0``.
        preset: Likewise.
        users: Users of a batch, at least 2.
        steps: Slates.
        seed: Of the environment.
        **settings: Further arguments of the environment.

    Raises:
        EnvError: Says which promise is broken, and by what.
    """
    settings = {"world": world, "preset": preset, **settings}
    if users < 2 or steps < 1:
        raise EnvError(f"{users} users and {steps} steps are too few to check a world with.")
    everyone = np.arange(users)
    whole = _played(settings, everyone, steps, seed)
    again = _played(settings, everyone, steps, seed)
    _refuse(_differing(whole, again, 0.0), "the same seed gives other numbers")
    for first, end in ((0, users // 2), (users // 2, users)):
        block = _played(settings, everyone[first:end], steps, seed)
        rows = {name: values[:, first:end] for name, values in whole.items()}
        _refuse(_differing(rows, block, 1e-5), "users depend on the others of their batch")
    torch = _played({**settings, "backend": "torch"}, everyone, steps, seed)
    _refuse(_differing(whole, torch, _CLOSE), "numpy and torch give other numbers")
    _check_copies(settings, seed)
    problem = _env(settings, 1).problem
    _check_draws(settings, seed, {"num_candidates": max(problem.slate_size, _few(problem, 20))})
    _check_oracle(settings, seed, {"num_candidates": _few(problem, 6)})


def _few(problem: Problem, most: int) -> int:
    return min(most, problem.num_candidates)


def _env(settings: Mapping[str, Any], users: int) -> SlateRecVectorEnv:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The oracle is a guess", UserWarning)
        return SlateRecVectorEnv(users, **{"reveal_state": True, **settings})


def _slates(env: SlateRecVectorEnv, users: NDArray[np.int64], step: int) -> Any:
    """Return slates ``(B, K)`` that depend on the user's number and the step alone."""
    problem = env.problem
    place = np.arange(problem.slate_size)[None, :]
    slates = (users[:, None] + 3 * step + place) % problem.num_candidates
    return env.simulation.backend.asarray(slates)


def _played(settings: Mapping[str, Any], users: Any, steps: int, seed: int) -> Trace:
    """Return what users see and do, ``(T, B, ...)`` each."""
    env = _env(settings, len(users))
    obs, info = env.reset(seed=seed, options={"first_user": int(users[0])})
    trace: dict[str, list[Any]] = {}
    for step in range(steps):
        obs, reward, terminated, truncated, info = env.step(_slates(env, users, step))
        happened = {"reward": reward, "terminated": terminated, "truncated": truncated}
        happened |= {f"info['state'][{name!r}]": value for name, value in info["state"].items()}
        happened |= {f"info[{name!r}]": info[name] for name in ("clicks", "gap_days")}
        happened |= {f"obs[{name!r}]": value for name, value in obs.items()}
        for name, value in happened.items():
            trace.setdefault(name, []).append(np.array(to_numpy(value)))
    return {name: np.stack(values) for name, values in trace.items()}


def _differing(first: Trace, second: Trace, tolerance: float) -> str:
    """Return the first step and entry in which two traces differ; empty if they do not."""
    for step in range(len(first["reward"])):
        for name, values in first.items():
            left, right = values[step].astype(float), second[name][step].astype(float)
            if not np.allclose(left, right, rtol=tolerance, atol=tolerance):
                return f"{name} differs from step {step} on"
    return ""


def _refuse(difference: str, promise: str) -> None:
    if difference:
        raise EnvError(f"{promise}: {difference}.")


def _check_copies(settings: Mapping[str, Any], seed: int) -> None:
    env = _env(settings, 2)
    env.reset(seed=seed)
    slates = _slates(env, np.arange(2), 0)
    try:
        twins = [copy.deepcopy(env), pickle.loads(pickle.dumps(env))]
    except Exception as error:
        raise EnvError(f"the environment cannot be copied and pickled: {error}") from error
    reward = to_numpy(env.step(slates)[1])
    for twin in twins:
        if not np.array_equal(to_numpy(twin.step(slates)[1]), reward):
            raise EnvError("a copy of the environment goes on with other numbers.")


def _check_draws(settings: Mapping[str, Any], seed: int, few: Mapping[str, Any]) -> None:
    env = _env({**settings, **few, "reveal_state": False}, _DRAWS)
    obs, _ = env.reset(seed=seed)
    slates = _slates(env, np.arange(_DRAWS), 0)
    items = np.take_along_axis(obs["candidates"], slates, axis=1)
    chance = env.simulation.world.click_probabilities(env.simulation.state, items)
    expected = chance.mean(axis=0)
    mean = env.step(slates)[4]["clicks"].mean(axis=0)
    # Five standard errors, and the rounding of sums in float32.
    error = 5 * np.sqrt((chance * (1 - chance)).mean(axis=0) / _DRAWS) + 1e-5
    off = abs(mean - expected) - error
    if (off > 0).any():
        slot = int(np.argmax(off))
        raise EnvError(
            f"clicks are not drawn with their probabilities: {mean[slot]:.4f} of {_DRAWS} users "
            f"click in slot {slot}, and {expected[slot]:.4f} are expected."
        )


def _check_oracle(settings: Mapping[str, Any], seed: int, few: Mapping[str, Any]) -> None:
    env = _env({**settings, **few, "slate_size": min(2, few["num_candidates"])}, 8)
    obs, info = env.reset(seed=seed)
    world, state, weights = env.simulation.world, env.simulation.state, env.problem.rewards
    if world.inexact:
        return

    def value(slates: NDArray[np.int64]) -> Any:
        items = np.take_along_axis(obs["candidates"], slates, axis=1)
        return world.expected_reward(state, items, weights)

    found = value(info["oracle_slate"])
    every = itertools.product(range(env.problem.num_candidates), repeat=env.problem.slate_size)
    best = np.max([value(np.tile(np.array(slate), (8, 1))) for slate in every], axis=0)
    lost = best - found
    if (lost > _CLOSE * np.maximum(1, abs(best))).any():
        user = int(np.argmax(lost))
        raise EnvError(
            f"the oracle slate of user {user} is not the best: {found[user]:.4f} is expected of "
            f"it, and {best[user]:.4f} of another one."
        )
