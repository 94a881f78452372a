"""The slates of a step, and how their users reacted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from envs.world.backend import Array, Backend


@dataclass(frozen=True, eq=False)
class Shown:
    """The slates that B users were shown, and how they reacted.

    Attributes:
        items: Item ids, -1 where a slot showed nothing, ``(B, K)``.
        clicks: 1 where the item was clicked, int8 ``(B, K)``.
        rewards: Named rewards, float32 ``(B, R)``.
        session_end: Whether the session ended, ``(B,)``.
        gap_days: Days until the return, int64 ``(B,)``; 0 if no session ended or the user never
            returns.
        churned: Whether the user left for good, ``(B,)``.
        expected_reward: Of the slate, ``(B,)``; None if it is not revealed.
        oracle_reward: The largest expected reward of a slate, ``(B,)``; None if not revealed.
    """

    items: Array
    clicks: Array
    rewards: Array
    session_end: Array
    gap_days: Array
    churned: Array
    expected_reward: Array | None = None
    oracle_reward: Array | None = None

    @classmethod
    def nothing(
        cls, backend: Backend, shape: tuple[int, int], rewards: int, revealed: Array | None
    ) -> Self:
        """Return what stands for a step without slates: items of -1, else 0 and False.

        Args:
            backend: Where the arrays live.
            shape: ``(B, K)``.
            rewards: R.
            revealed: Expected rewards, ``(B,)``, for their dtype; None if they are not revealed.
        """
        xp, users = backend.xp, shape[0]

        def zeros(shape: Any, dtype: Any) -> Array:
            return xp.zeros(shape, dtype=dtype, device=backend.device)

        false = zeros(users, xp.bool)
        reward = None if revealed is None else xp.zeros_like(revealed)
        return cls(
            items=zeros(shape, xp.int64) - 1,
            clicks=zeros(shape, xp.int8),
            rewards=zeros((users, rewards), xp.float32),
            session_end=false,
            gap_days=zeros(users, xp.int64),
            churned=false,
            expected_reward=reward,
            oracle_reward=reward,
        )

    def take(self, rows: Any) -> Self:
        """Return ``rows`` (indices, or a slice)."""
        parts = vars(self).values()
        return type(self)(*(None if part is None else part[rows] for part in parts))

    def put(self, rows: Array, other: Shown, backend: Backend) -> Self:
        """Return a copy with ``rows`` (indices) from ``other``."""
        merged: list[Array | None] = []
        for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True):
            merged.append(None if mine is None else backend.copy(mine))
            if mine is not None:
                merged[-1][rows] = theirs  # type: ignore[index]
        return type(self)(*merged)

    def info(self, names: Iterable[str], backend: Backend) -> dict[str, Any]:
        """Return copies as entries of info, ``(B, ...)`` each; named rewards are float64."""
        rewards = backend.as_float64(self.rewards)
        parts = {
            name: backend.copy(part)
            for name, part in vars(self).items()
            if part is not None and name != "rewards"
        }
        return {"rewards": {name: rewards[:, i] for i, name in enumerate(names)}, **parts}

    def first(self, names: Iterable[str], backend: Backend) -> dict[str, Any]:
        """Return the entries of info of the first user, in plain numbers."""
        first = {
            "rewards": dict(zip(names, self.rewards[0].tolist(), strict=True)),
            "items": backend.copy(self.items[0]),
            "clicks": backend.copy(self.clicks[0]),
            "session_end": self.session_end[0].item(),
            "gap_days": self.gap_days[0].item(),
            "churned": self.churned[0].item(),
        }
        if self.expected_reward is not None and self.oracle_reward is not None:
            first["expected_reward"] = self.expected_reward[0].item()
            first["oracle_reward"] = self.oracle_reward[0].item()
        return first
