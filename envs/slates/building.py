"""From settings to a simulation of users who are shown slates."""

from __future__ import annotations

import warnings
from dataclasses import replace

from envs.slates.settings import SlateSettings
from envs.slates.simulation import SlateSimulation
from envs.slates.users import UserWorld
from envs.world.backend import Backend
from recsim.errors import EnvError, did_you_mean
from recsim.problem import Problem


def simulation_of(
    world: UserWorld,
    problem: Problem,
    num_users: int,
    settings: SlateSettings,
    backend: Backend,
) -> SlateSimulation:
    """Build the simulation.

    Args:
        world: The users' world.
        problem: The public facts, with the defaults of slate size and rewards.
        num_users: B.
        settings: Changes to those defaults, and all else.
        backend: Where the arrays live.

    Raises:
        EnvError: If a setting does not fit the problem.
    """
    items = problem.num_items
    slate = problem.slate_size if settings.slate_size is None else settings.slate_size
    offered = items if settings.num_candidates is None else settings.num_candidates
    if offered > items:
        raise EnvError(f"num_candidates is {offered}; the catalogue has {items} items.")
    if slate > offered:
        raise EnvError(f"slate_size is {slate}; there are {offered} candidates to fill it with.")
    if settings.reveal_state and world.inexact:
        warnings.warn(
            f"The oracle is a guess in this world: {'; '.join(world.inexact)}. Its slates may not "
            "be the best, and info has neither 'expected_reward' nor 'oracle_reward'.",
            stacklevel=2,
        )
    rewards = settings.rewards or {}
    for name in rewards:
        if name not in problem.rewards:
            raise EnvError(
                f"rewards: this world has no reward {name!r}.{did_you_mean(name, problem.rewards)}"
            )
    problem = replace(
        problem,
        slate_size=slate,
        num_candidates=offered,
        rewards={**problem.rewards, **rewards},
    )
    return SlateSimulation(world, problem, num_users, settings, backend)
