"""The state of the users of a world, and the outcome of a step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from envs.world.backend import Array, Backend
from envs.world.contracts import UserView
from envs.world.users import Users


@dataclass(eq=False)
class State(Users):
    """The latent state of B users.

    Attributes:
        weights: Weight vector of the module docstring, ``(B, D)``.
        satisfaction: In [0, 1], ``(B,)``; zeros in a world without satisfaction.
        fatigue: Per group, ``(B, G)``; ``(B, 0)`` in a world without fatigue.
        budget: Minutes left in the session, ``(B,)``; zeros if sessions do not end.
        own: State of own dynamics by ``<kind>.<name>``, ``(B,)`` or ``(B, n)`` each.
    """

    weights: Array
    satisfaction: Array
    fatigue: Array
    budget: Array
    own: dict[str, Array] = field(default_factory=dict)

    def view(self, dim: int, label: str = "") -> UserView:
        """Return the users as a part sees them.

        Args:
            dim: Dimensions of interests, d.
            label: Kind of dynamics whose own state is shown; none by default.
        """
        prefix = f"{label}."
        return UserView(
            own={
                name.removeprefix(prefix): values
                for name, values in self.own.items()
                if name.startswith(prefix)
            },
            day=self.clock[:, 0],
            session=self.clock[:, 1],
            step=self.clock[:, 2],
            slates=self.clock[:, 3],
            interest=self.weights[:, :dim],
            satisfaction=self.satisfaction,
            features=self.features,
        )


class Outcome(NamedTuple):
    """The outcome of one step for B users.

    Attributes:
        clicks: Clicked slots, bool ``(B, K)``.
        shown: Slots that showed an item, bool ``(B, K)``; None if all did.
        rewards: Named rewards, ``(B, R)`` float32, in the order of ``reward_names``.
        session_end: Whether the session ended, ``(B,)`` bool; None if no session did.
        gap: Days until the return, ``(B,)`` int64, 0 if no session ended or the user never
            returns; None if it is 0 for all users.
        churned: Whether the user left for good, ``(B,)`` bool; None if no user did.
    """

    clicks: Array
    shown: Array | None
    rewards: Array
    session_end: Array | None = None
    gap: Array | None = None
    churned: Array | None = None


def shown_slots(backend: Backend, slate: Array) -> Array | None:
    """Return the slots that show an item, bool ``(B, K)``: first occurrences; None if all do."""
    ordered = backend.sort_rows(slate)
    if not backend.any(ordered[:, 1:] == ordered[:, :-1]):
        return None
    same = slate[:, :, None] == slate[:, None, :]  # (B, K, K), slot by earlier slot
    slots = backend.xp.arange(slate.shape[1], device=slate.device)
    earlier = slots[None, :] < slots[:, None]  # (K, K)
    return ~(same & earlier).any(2)
