"""Settings of ``ConvRec-v0``."""

from __future__ import annotations

from typing import ClassVar, Literal

from envs.conversation.rules import Rules
from envs.sessions import SessionSettings


class ConvRecSettings(SessionSettings, Rules):
    """Settings of ``ConvRec-v0``: the rules of conversations, and what they are about.

    Attributes:
        targets: Interactions that count, see `recsim.conversation.read_attributes`.
        split: Part of the data that episodes are about.
        sampler: ``uniform_user`` draws a user uniformly, then one of their interactions; ``each``
            takes every interaction in turn: row i of B those numbered i, i + B, i + 2B ...
        action: ``slate`` or ``discrete``, see `envs.conversation.ConvRecEnv`.
    """

    env_id: ClassVar[str] = "ConvRec-v0"

    targets: Literal["all", "positives"] = "all"
    split: Literal["train", "valid", "test"] = "test"
    sampler: Literal["uniform_user", "each"] = "uniform_user"
    action: Literal["slate", "discrete"] = "slate"
