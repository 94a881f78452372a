"""What an agent that holds conversations is built for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from recsim.arrays import Bools


@dataclass(frozen=True, eq=False)
class ConversationProblem:
    """Public facts of conversations in which an agent asks about attributes and shows items.

    Attributes:
        num_items: Size of the catalogue, I. Item ids are 0 ... I-1; -1 is padding.
        num_attributes: F. Attribute ids are 0 ... F-1.
        slate_size: Items per slate, K.
        max_turns: Turns per conversation, T; a question and a slate take one turn each.
        item_attributes: Which item has which attribute, ``(I, F)`` bool.
        attribute_names: F names.
        item_names: I names.
        yes_filters: Whether a yes implies that the target has the attribute.
        no_filters: Whether a no implies that the target lacks the attribute. It does not if users
            may not care about an attribute of the target, or may make mistakes.
        free_recommendations: Number of slates that an agent may show without using a turn; above 0
            only to compare with published figures that were counted in this way.
    """

    conversations: ClassVar[bool] = True  # the kind, see `recsim.contracts.kinds`

    num_items: int
    num_attributes: int
    slate_size: int
    max_turns: int
    item_attributes: Bools
    attribute_names: tuple[str, ...]
    item_names: tuple[str, ...]
    yes_filters: bool = True
    no_filters: bool = False
    free_recommendations: int = 0
