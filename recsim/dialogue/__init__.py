"""What dialogues are about: users, items, and attributes that one can ask for."""

from __future__ import annotations

from recsim.dialogue.attributes import PARTS, AttributeData
from recsim.dialogue.layout import read_attributes
from recsim.dialogue.planted import planted_codes, planted_tastes
from recsim.dialogue.problem import DialogueProblem

__all__ = [
    "PARTS",
    "AttributeData",
    "DialogueProblem",
    "planted_codes",
    "planted_tastes",
    "read_attributes",
]
