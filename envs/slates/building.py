"""From the arguments that all simulated environments share to a simulation, every mistake told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from typing import Literal

from envs.slates.simulation import Simulation
from envs.slates.users import UserWorld
from envs.world.backend import Backend
from recsim.errors import UserError, did_you_mean
from recsim.problem import Problem

ActionMode = Literal["slate", "slot"]


def simulation_of(
    world: UserWorld,
    problem: Problem,
    num_users: int,
    *,
    rewards: Mapping[str, float] | None,
    slate_size: int | None,
    num_candidates: int | None,
    history: int,
    max_steps: int | None,
    max_days: int | None,
    action: ActionMode,
    reveal_state: bool,
    backend: Backend,
) -> Simulation:
    """Build the engine.

    Args:
        world: Where the users live.
        problem: The public facts, with what holds for sizes and rewards that are not given.
        num_users: B.
        rewards: Weights of named rewards; the others keep those of ``problem``.
        slate_size: K, or None.
        num_candidates: C, drawn anew at each step; None for the whole catalogue.
        history: H.
        max_steps: Slates after which an episode is truncated; None or 0 for no limit.
        max_days: Day from which on an episode is truncated; None or 0 for no limit.
        action: ``"slate"`` or ``"slot"``.
        reveal_state: Whether info holds the latent state and the oracle.
        backend: Where the arrays live.

    Raises:
        UserError: An argument is wrong; the message says which and what would be right.
    """
    items = problem.num_items
    slate = problem.slate_size if slate_size is None else slate_size
    offered = items if num_candidates is None else num_candidates
    if not 1 <= offered <= items:
        raise UserError(f"num_candidates is {offered}; the catalogue has {items} items.")
    if not 1 <= slate <= offered:
        raise UserError(f"slate_size is {slate}; there are {offered} candidates to fill it with.")
    if num_users < 1 or history < 1:
        raise UserError(f"num_envs is {num_users} and history {history}; each must be at least 1.")
    for name, limit in (("max_steps", max_steps), ("max_days", max_days)):
        if limit is not None and limit < 0:
            raise UserError(f"{name} is {limit}; it must be positive, or 0 for no limit.")
    if action not in ("slate", "slot"):
        raise UserError(f"action is {action!r}.{did_you_mean(str(action), ['slate', 'slot'])}")
    for name, weight in (rewards or {}).items():
        if name not in problem.rewards:
            raise UserError(
                f"rewards: this world has no reward {name!r}.{did_you_mean(name, problem.rewards)}"
            )
        if isinstance(weight, bool) or not isinstance(weight, Real) or not math.isfinite(weight):
            raise UserError(f"rewards.{name} must be a finite number, not {weight!r}.")
    return Simulation(
        world,
        replace(
            problem,
            slate_size=slate,
            num_candidates=offered,
            rewards={**problem.rewards, **(rewards or {})},
        ),
        num_users,
        whole_catalogue=num_candidates is None,
        history=history,
        max_steps=max_steps or None,
        max_days=max_days or None,
        slots=action == "slot",
        reveal_state=reveal_state,
        backend=backend,
    )
