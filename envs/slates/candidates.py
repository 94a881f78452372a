"""The items that may be shown at a step, drawn anew for every user."""

from __future__ import annotations

import numpy as np

from envs.slates.users import UserWorld
from envs.world.backend import Array, Backend
from envs.world.users import Users
from recsim.draws import Draws, Purpose
from recsim.problem import Problem

CANDIDATES = Purpose("candidates")


class DrawnCandidates:
    """Draws each candidate of a user from its own stratum, unless the world has a generator.

    So the candidates of a step are distinct, and every item has nearly the same chance.

    Args:
        world: The users' world.
        problem: With the size of the catalogue, and the number of candidates, C.
        backend: Where the arrays live.
    """

    def __init__(self, world: UserWorld, problem: Problem, backend: Backend) -> None:
        number = problem.num_candidates
        edges = np.arange(number + 1) * problem.num_items // number
        self._world, self._backend, self._number = world, backend, number
        self._low = backend.asarray(edges[None, :-1])
        self._size = backend.asarray(np.diff(edges)[None].astype(np.float32))

    def draw(self, state: Users, draws: Draws) -> Array:
        """Return the candidates of N users, item ids ``(N, C)``."""
        own = self._world.draw_candidates(state, draws, self._number)
        if own is not None:
            return own
        xp, chance = self._backend.xp, draws.uniform(CANDIDATES, self._number)
        return self._low + xp.astype(xp.minimum(chance * self._size, self._size - 1), xp.int64)
