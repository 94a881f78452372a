"""What an agent must know about the place where it recommends, and may know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

import numpy as np

from recsim.arrays import Floats32, Ints
from recsim.errors import UserError, listed
from recsim.problem.names import Names

# Default of a field that follows from the number of items.
_FROM_ITEMS: Final[Any] = None


@dataclass(frozen=True, eq=False)
class Problem:
    """The public facts of a recommendation problem, the same for an environment and for a log.

    Attributes:
        num_items: Size of the catalogue, I. Item ids are 0 ... I-1; -1 is padding.
        slate_size: Items shown at a time, K; 1 by default.
        num_candidates: Candidates offered at a time, C. By default the whole catalogue, I.
        user_feature_dim: Columns of ``obs["user_features"]``, F; 0 by default.
        item_features: What a real system knows about each item, ``(I, D)`` float32. By default D is
            0.
        item_groups: Group (category) of each item, ``(I,)`` int64; by default zeros.
        rewards: Weight of each named reward in the scalar reward, in the order of
            ``obs["feedback"]``, e.g. ``{"click": 1.0, "watch": 0.0, "return": 0.0}``; by default
            clicks alone.
        item_names: Name of each item, its id in the user's own world, I text or whole numbers; None
            if items have no other ids than 0 ... I-1. A list or an array becomes `Names`.
        user_names: Name of each user of a log, likewise; None for simulated users and for logs that
            do not know their users.

    Raises:
        UserError: If names are missing, repeated or neither text nor whole numbers, or there are
            not I names of items.
    """

    num_items: int
    slate_size: int = 1
    num_candidates: int = _FROM_ITEMS
    user_feature_dim: int = 0
    item_features: Floats32 = _FROM_ITEMS
    item_groups: Ints = _FROM_ITEMS
    rewards: dict[str, float] = field(default_factory=lambda: {"click": 1.0})
    item_names: Names | None = None
    user_names: Names | None = None

    def __post_init__(self) -> None:
        defaults = {
            "num_candidates": self.num_items,
            "item_features": np.zeros((self.num_items, 0), dtype=np.float32),
            "item_groups": np.zeros(self.num_items, dtype=np.int64),
        }
        for key, value in defaults.items():
            if getattr(self, key) is None:
                object.__setattr__(self, key, value)
        for of in ("item", "user"):
            key = f"{of}_names"
            names = getattr(self, key)
            if names is not None and not isinstance(names, Names):
                object.__setattr__(self, key, Names(names, of))
        if self.item_names is not None and len(self.item_names) != self.num_items:
            raise UserError(
                f"item_names has {len(self.item_names)} names, but there are {self.num_items} "
                "items: give one name per item, in the order of their ids."
            )

    def plain(self) -> dict[str, Any]:
        """Return the fields as arrays and plain data, from which `of_plain` builds it again."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            key: value.plain() if isinstance(value, Names) else value
            for key, value in values.items()
        }

    @staticmethod
    def of_plain(values: Mapping[str, Any]) -> Problem:
        """Return the problem of which `plain` returned the fields.

        Nothing takes a default but names, which problems saved before version 0.2 do not have.

        Raises:
            UserError: If a field is missing or unknown, or names are wrong.
        """
        names = [each.name for each in fields(Problem)]
        missing = [name for name in names if name not in values and not name.endswith("_names")]
        unknown = sorted(set(values) - set(names))
        if missing or unknown:
            word = f"missing {listed(missing)}" if missing else f"unknown {listed(unknown)}"
            raise UserError(f"the fields of the problem are not complete: {word}")
        return Problem(**values)
