"""Settings of ``CritiqueRec-v0``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from envs.critiquing.rules import Rules
from envs.sessions import SessionSettings


class CritiqueRecSettings(SessionSettings, Rules):
    """Settings of ``CritiqueRec-v0``: the rules of sessions, and what they are about.

    Attributes:
        reader: Further arguments of `recsim.critiquing.read_reviews`, which reads ``path``.
        split: Part of the data whose reviews sessions are about.
        action: ``scores`` of all items, or one ``item``.
        justification: Aspects that an item is shown for: chosen by the ``agent``, or those that
            train reviews of the ``item`` mention.
    """

    env_id: ClassVar[str] = "CritiqueRec-v0"

    reader: Mapping[str, Any] | None = None
    split: Literal["test", "valid"] = "test"
    action: Literal["scores", "item"] = "scores"
    justification: Literal["agent", "item"] = "agent"

    @model_validator(mode="after")
    def _reader_has_a_path(self) -> Self:
        if self.reader is not None and self.path is None:
            raise ValueError("reader has no effect without path")
        return self
