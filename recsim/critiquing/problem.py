"""What an agent may know of the place where its recommendations are criticised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class CritiquingProblem:
    """The public facts of sessions in which one item is shown at a time and its aspects criticised.

    Attributes:
        num_users: U. User ids are 0 ... U-1; -1 is somebody who is not known.
        num_items: Size of the catalogue, I. Item ids are 0 ... I-1; -1 is padding.
        num_aspects: K. Aspect ids are 0 ... K-1.
        max_turns: Turns of a session, T; every item shown costs one.
        item_aspects: Which aspects train reviews of an item mention, ``(I, K)`` bool.
        aspect_names: What people call the aspects, K of them.
        item_names: What people call the items, I of them.
    """

    num_users: int
    num_items: int
    num_aspects: int
    max_turns: int
    item_aspects: NDArray[np.bool_]
    aspect_names: tuple[str, ...]
    item_names: tuple[str, ...]
