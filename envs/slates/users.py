"""What a simulation needs of the users and of the world in which they live."""

from __future__ import annotations

from typing import Any, Protocol, Self

from envs.world.backend import Array, Stream
from envs.world.world import Outcome


class Users(Protocol):
    """The state of B users. Rows are independent.

    Attributes:
        features: What the system knows of the user, ``(B, F)`` float32.
        clock: Day, session, step of the session, slates since arrival, ``(B, 4)`` int64.
    """

    features: Array
    clock: Array

    def take(self, rows: Array) -> Self:
        """Copies of ``rows`` (indices)."""
        ...

    def put(self, rows: Array, other: Any) -> None:
        """Overwrite ``rows`` (indices) by the users of ``other``."""
        ...


class UserWorld(Protocol):
    """Where users live: `envs.world.world.World`, or one that was fitted to a log."""

    @property
    def foresighted(self) -> bool:
        """Whether `long_term_slate` is another one than `oracle_slate`."""
        ...

    def draw_users(self, stream: Stream, num: int) -> Any:
        """Draw ``num`` new users at the start of their first session."""
        ...

    def step(self, state: Any, slate: Array, stream: Stream) -> Outcome:
        """Show a slate of item ids ``(B, K)`` to every user, and change ``state`` in place."""
        ...

    def click_probabilities(self, state: Any, slate: Array) -> Array:
        """Exact probability that each slot is clicked, ``(B, K)``."""
        ...

    def expected_reward(self, state: Any, slate: Array, weights: dict[str, float]) -> Array:
        """Exact expected immediate reward of a slate, ``(B,)``."""
        ...

    def oracle_slate(
        self, state: Any, candidates: Array | None, slate_size: int, weights: dict[str, float]
    ) -> Array:
        """Candidate indices with the largest expected immediate reward, ``(B, K)``."""
        ...

    def long_term_slate(
        self, state: Any, candidates: Array | None, slate_size: int, weights: dict[str, float]
    ) -> Array:
        """Candidate indices of a slate that looks ahead, ``(B, K)``."""
        ...

    def latent(self, state: Any) -> dict[str, Array]:
        """Copies of the latent variables."""
        ...
