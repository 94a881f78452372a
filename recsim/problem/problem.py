"""What an agent must know about the place where it recommends, and may know."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from recsim.arrays import Floats32, Ints
from recsim.errors import UserError
from recsim.problem.names import Names


@dataclass(frozen=True, eq=False)
class Problem:
    """The public facts of a recommendation problem, the same for an environment and for a log.

    Attributes:
        num_items: Size of the catalogue, I. Item ids are 0 ... I-1; -1 is padding.
        slate_size: Items shown at a time, K.
        num_candidates: Candidates offered at a time, C. Equal to I if the whole catalogue is.
        user_feature_dim: Columns of ``obs["user_features"]``, F.
        item_features: What a real system knows about each item, ``(I, D)`` float32.
        item_groups: Group (category) of each item, ``(I,)`` int64; zeros if there are none.
        rewards: Weight of each named reward in the scalar reward, in the order of
            ``obs["feedback"]``, e.g. ``{"click": 1.0, "watch": 0.0, "return": 0.0}``.
        item_names: Name of each item, its id in the user's own world, I text or whole numbers; None
            if items have no other ids than 0 ... I-1. A list or an array becomes `Names`.
        user_names: Name of each user of a log, likewise; None for simulated users and for logs that
            do not know their users.

    Raises:
        UserError: If names are missing, repeated or neither text nor whole numbers, or there are
            not I names of items.
    """

    num_items: int
    slate_size: int
    num_candidates: int
    user_feature_dim: int
    item_features: Floats32
    item_groups: Ints
    rewards: dict[str, float]
    item_names: Names | None = None
    user_names: Names | None = None

    def __post_init__(self) -> None:
        for of in ("item", "user"):
            field = f"{of}_names"
            names = getattr(self, field)
            if names is not None and not isinstance(names, Names):
                names = Names(names, of)
                object.__setattr__(self, field, names)
        if self.item_names is not None and len(self.item_names) != self.num_items:
            raise UserError(
                f"item_names has {len(self.item_names)} names, but there are {self.num_items} "
                "items: give one name per item, in the order of their ids."
            )

    def plain(self) -> dict[str, Any]:
        """Return the fields as arrays and plain data, with which ``Problem(**plain)`` equals it."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            key: value.plain() if isinstance(value, Names) else value
            for key, value in values.items()
        }
