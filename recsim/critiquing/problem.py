"""What an agent whose recommendations are critiqued is built for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from recsim.arrays import Bools


@dataclass(frozen=True, eq=False)
class CritiquingProblem:
    """Public facts of sessions in which one item is shown at a time and its aspects critiqued.

    Attributes:
        num_users: U. User ids are 0 ... U-1; -1 is an unknown user.
        num_items: Size of the catalogue, I. Item ids are 0 ... I-1; -1 is padding.
        num_aspects: K. Aspect ids are 0 ... K-1.
        max_turns: Turns per session, T; every item shown takes one.
        item_aspects: Which aspects the train reviews of an item mention, ``(I, K)`` bool.
        aspect_names: K names.
        item_names: I names.
    """

    critiquing: ClassVar[bool] = True  # the kind, see `recsim.contracts.kinds`

    num_users: int
    num_items: int
    num_aspects: int
    max_turns: int
    item_aspects: Bools
    aspect_names: tuple[str, ...]
    item_names: tuple[str, ...]
