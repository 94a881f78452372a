"""The items that may be shown at a step, drawn anew for every user."""

from __future__ import annotations

import numpy as np

from envs.world.backend import Array, Backend
from recsim.draws import Draws, Purpose
from recsim.problem import Problem

CANDIDATES = Purpose("candidates")


class DrawnCandidates:
    """Draws each candidate of a user from its own stratum of the catalogue.

    So the candidates of a step are distinct, and every item has nearly the same chance.

    Args:
        problem: With the size of the catalogue, and the number of candidates, C.
        backend: Where the arrays live.
    """

    def __init__(self, problem: Problem, backend: Backend) -> None:
        number = problem.num_candidates
        edges = np.arange(number + 1) * problem.num_items // number
        self._backend, self._number = backend, number
        self._low = backend.asarray(edges[None, :-1])
        self._size = backend.asarray(np.diff(edges)[None].astype(np.float32))

    def draw(self, draws: Draws) -> Array:
        """Return the candidates of users, item ids ``(N, C)``."""
        xp, chance = self._backend.xp, draws.uniform(CANDIDATES, self._number)
        return self._low + xp.astype(xp.minimum(chance * self._size, self._size - 1), xp.int64)
