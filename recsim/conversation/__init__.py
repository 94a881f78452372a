"""What conversations are about: users, items, and attributes that one can ask for."""

from __future__ import annotations

from recsim.conversation.attributes import PARTS, AttributeData
from recsim.conversation.layout import read_attributes
from recsim.conversation.planted import planted_codes, planted_tastes
from recsim.conversation.problem import ConversationProblem

__all__ = [
    "PARTS",
    "AttributeData",
    "ConversationProblem",
    "planted_codes",
    "planted_tastes",
    "read_attributes",
]
