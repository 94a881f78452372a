"""What an agent may know of the place where it holds conversations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ConversationProblem:
    """The public facts of conversations in which attributes are asked for and items are shown.

    Attributes:
        num_items: Size of the catalogue, I. Item ids are 0 ... I-1; -1 is padding.
        num_attributes: F. Attribute ids are 0 ... F-1.
        slate_size: Items shown at a time, K.
        max_turns: Turns of a conversation, T; a question and a slate cost one each.
        item_attributes: Which item has which attribute, ``(I, F)`` bool.
        attribute_names: What people call the attributes, F of them.
        item_names: What people call the items, I of them.
        yes_filters: Whether a yes means that the target has the attribute.
        no_filters: Whether a no means that it lacks it. Not so where a user may not care for an
            attribute that the target has, or may be mistaken.
        free_recommendations: Slates that may be shown without a turn passing; 0 unless published
            figures are to be compared that were counted so.
    """

    num_items: int
    num_attributes: int
    slate_size: int
    max_turns: int
    item_attributes: NDArray[np.bool_]
    attribute_names: tuple[str, ...]
    item_names: tuple[str, ...]
    yes_filters: bool = True
    no_filters: bool = False
    free_recommendations: int = 0
