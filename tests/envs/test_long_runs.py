"""What a simulation that runs for days must do: stay finite, stay within its spaces, stay small.

A million steps of every world: ``python -m pytest -m long tests/envs/test_long_runs.py``.
"""

from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import pytest

from envs.slates.env import SlateRecVectorEnv
from envs.world.presets import PRESETS
from recsim.draws import Draws
from tests.envs.families import MANY, flat

USERS = 4
# Ends of episodes at the limits of the preset, and one episode without limits.
LIMITS = {"episodes": {}, "endless": {"max_steps": 0, "max_days": 0}}
KINDS = [(preset, limits) for preset in PRESETS for limits in LIMITS]
OTHERS = ("learned", "conversations", "critiques")
IN_PROC = pytest.mark.skipif(
    not Path("/proc/self/statm").is_file(), reason="memory is read from /proc"
)
GROWTH = 8 * 2**20  # bytes; a float64 kept at every step of a million would be as much


def resident() -> int:
    """Return the bytes of memory that this process holds."""
    gc.collect()
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGESIZE")


def finite(tree, step: int) -> None:
    """Fail at a number in nested dicts of arrays that is not finite."""
    for name, array in flat(tree).items():
        assert array.dtype.kind != "f" or np.isfinite(array).all(), (step, name)


def play(env, steps: int) -> None:
    """Play random actions; fail at a number that is not finite, or at memory that grows."""
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(997)]
    env.reset(seed=0)
    world = getattr(env.simulation, "world", None)
    measured = None
    for step in range(steps):
        obs, reward, *_, info = env.step(actions[step % len(actions)])
        assert np.isfinite(reward).all(), step
        if step % 1_000 == 0:
            assert env.observation_space.contains(obs), step
            finite({"obs": obs, "info": info}, step)
            finite(world.latent(env.simulation.state) if world else {}, step)
        if step == steps // 10:
            measured = resident()
    assert resident() - measured < GROWTH


def environment(preset: str, limits: str) -> SlateRecVectorEnv:
    return SlateRecVectorEnv(USERS, preset=preset, **LIMITS[limits])


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("observation", ["ids", "features"])
@pytest.mark.parametrize("past", [2**31 - 100, 2**32 - 100, 2**53 - 100])
def test_counters_do_not_overflow(preset, observation, past):
    """A simulation that has run for so many steps goes on as a young one."""
    env = SlateRecVectorEnv(
        USERS, preset=preset, observation=observation, **LIMITS["endless"], num_candidates=8
    )
    env.reset(seed=0)
    simulation = env.simulation
    for column, limit in enumerate(simulation.world.bounds(1).time(None, None)):
        if limit is None:
            simulation.state.clock[:, column] += past
    simulation.state.clock[:, 3] += past
    simulation.episodes.episode += past
    simulation.draws = Draws(simulation.episodes.keys(), step=past)
    candidates = set()
    for step in range(200):
        obs, reward, *_, info = env.step(env.action_space.sample())
        assert env.observation_space.contains(obs), step
        finite({"reward": reward, "info": info}, step)
        finite(simulation.world.latent(simulation.state), step)
        candidates.add(simulation.candidates.tobytes())
    assert len(candidates) > 150  # drawn anew at every step


@pytest.mark.slow
@IN_PROC
@pytest.mark.parametrize(("preset", "limits"), KINDS)
def test_worlds_stay_finite_and_small(preset, limits):
    play(environment(preset, limits), 10_000)


@pytest.mark.slow
@IN_PROC
@pytest.mark.parametrize("name", OTHERS)
def test_other_environments_stay_finite_and_small(name):
    play(MANY[name](num_envs=USERS), 10_000)


@pytest.mark.long
@IN_PROC
@pytest.mark.parametrize(("preset", "limits"), KINDS)
def test_worlds_stay_finite_and_small_for_a_million_steps(preset, limits):
    play(environment(preset, limits), 1_000_000)


@pytest.mark.long
@IN_PROC
@pytest.mark.parametrize("name", OTHERS)
def test_other_environments_stay_finite_and_small_for_a_million_steps(name):
    play(MANY[name](num_envs=USERS), 1_000_000)
