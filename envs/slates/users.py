"""The interface of a world of users who are shown slates."""

from __future__ import annotations

from typing import Any, Protocol

from envs.world.backend import Array
from envs.world.bounds import Bounds
from envs.world.state import Outcome
from recsim.draws import Draws


class UserWorld(Protocol):
    """A world of users: `envs.world.world.World`, or a model that was fitted to a log."""

    @property
    def foresighted(self) -> bool:
        """Whether `long_term_slate` may differ from `oracle_slate`."""
        ...

    @property
    def inexact(self) -> tuple[str, ...]:
        """Why `oracle_slate` is a guess, a sentence per reason; empty where it is exact."""
        ...

    def bounds(self, slate_size: int) -> Bounds:
        """Return the range of what is observed of users who are shown ``slate_size`` items."""
        ...

    def draw_users(self, draws: Draws) -> Any:
        """Draw new users, an `envs.world.users.Users`, at the start of a first session.

        Args:
            draws: Random numbers of B users at step 0.
        """
        ...

    def step(self, state: Any, slate: Array, draws: Draws) -> Outcome:
        """Show a slate of item ids ``(B, K)`` to every user; ``state`` is updated in place.

        Args:
            state: B users.
            slate: Item ids, ``(B, K)``.
            draws: Random numbers of the users, one step on from the last call.
        """
        ...

    def click_probabilities(self, state: Any, slate: Array) -> Array:
        """Return the exact probability that each slot is clicked, ``(B, K)``."""
        ...

    def expected_reward(self, state: Any, slate: Array, weights: dict[str, float]) -> Array:
        """Return the exact expected immediate reward of a slate, ``(B,)``."""
        ...

    def oracle_slate(
        self, state: Any, candidates: Array | None, slate_size: int, weights: dict[str, float]
    ) -> Array:
        """Return candidate indices with the largest expected immediate reward, ``(B, K)``."""
        ...

    def long_term_slate(
        self, state: Any, candidates: Array | None, slate_size: int, weights: dict[str, float]
    ) -> Array:
        """Return candidate indices of a slate that looks ahead, ``(B, K)``."""
        ...

    def draw_candidates(self, state: Any, draws: Draws, count: int) -> Array | None:
        """Draw candidates ``(B, count)`` by a generator of the world; None if it has none."""
        ...

    def latent(self, state: Any) -> dict[str, Array]:
        """Return copies of the latent variables."""
        ...
