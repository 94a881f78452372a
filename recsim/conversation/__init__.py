"""Data of conversations: users, items, and the attributes that an agent can ask about."""

from __future__ import annotations

from recsim.conversation.attributes import AttributeData
from recsim.conversation.interactions import PARTS, Interactions
from recsim.conversation.lastfm import read_attributes
from recsim.conversation.planted import planted_codes, planted_tastes
from recsim.conversation.problem import ConversationProblem

__all__ = [
    "PARTS",
    "AttributeData",
    "ConversationProblem",
    "Interactions",
    "planted_codes",
    "planted_tastes",
    "read_attributes",
]
