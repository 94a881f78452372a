"""Random numbers of agents that draw for each user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from agents.shared.base import BaseAgent
from recsim.arrays import Ints
from recsim.draws import Draws, chain, key_of


class UserDraws:
    """Random numbers of an agent's users, each a function of (seed, user, slate, purpose).

    Users are numbered in the order in which they come, over all calls of `begin`: two batches of
    500 users get the same numbers as one batch of 1,000.

    Args:
        seed: The agent's seed.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._users: Ints = np.zeros(0, dtype=np.int64)
        self._next_user = self._slates = 0
        self._draws: Draws | None = None

    def begin(self, batch_size: int) -> None:
        """Start with new users, who get the next numbers."""
        first, self._next_user = self._next_user, self._next_user + batch_size
        self.assign(np.arange(first, self._next_user))

    def assign(self, users: Ints) -> None:
        """Start with users who have these numbers, ``(B,)``."""
        self._users = np.asarray(users, dtype=np.int64)
        self._slates, self._draws = 0, None

    def next(self, batch_size: int) -> Draws:
        """Return float64 random numbers for the next decision about every user.

        Args:
            batch_size: B; another one than before starts with new users.
        """
        if batch_size != len(self._users):
            self.begin(batch_size)
        if self._draws is None:
            keys = chain(key_of(self._seed, "users of an agent"), self._users)
            self._draws = Draws(keys, double=True, step=self._slates)
        else:
            self._draws.advance()
        self._slates += 1
        return self._draws

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to continue."""
        return {
            "seed": self._seed,
            "users": self._users.copy(),
            "next_user": self._next_user,
            "slates": self._slates,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where the saved draws stopped."""
        self._seed, self._next_user = int(state["seed"]), int(state["next_user"])
        self.assign(state["users"])
        self._slates = int(state["slates"])


class Randomised(BaseAgent):
    """An agent that draws for each user, such that the draws do not depend on the other users.

    Stands before the base of its kind among the bases of a class: ``class MyAgent(Randomised,
    BaseSlateAgent)``. A subclass with a ``begin`` of its own calls that of its super class.
    """

    def __init__(self, config: Any, problem: Any, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._draws = UserDraws(seed)

    def begin(self, batch_size: int) -> None:
        """Start with new users; the random numbers of each depend on their number only."""
        self._draws.begin(batch_size)
        super().begin(batch_size)  # type: ignore[misc]  # that of the base of its kind

    def begin_users(self, users: Ints) -> None:
        """Start with users who have these numbers, ``(B,)``, e.g. a block of a larger batch."""
        self.begin(len(users))
        self._draws.assign(users)

    def _generator_states(self) -> dict[str, Any]:
        return super()._generator_states() | {"draws": self._draws.state_dict()}

    def _restore_generators(self, state: Mapping[str, Any]) -> None:
        super()._restore_generators(state)
        if "draws" in state:  # version 0.1 saved a generator, whose numbers cannot be continued
            self._draws.load_state_dict(state["draws"])
