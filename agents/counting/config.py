"""Settings of the agents that count events."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from agents.shared.event_lists import Events
from recsim.contracts.slates import AgentConfig, OnlyWith


class CountingConfig(AgentConfig):
    """Settings that all agents share.

    Attributes:
        events: The items of a user's sequence: those ``clicked``, or all that were ``shown``.
        exclude_seen: Whether items of the observed sequence are ranked below all others.
        popularity: Weight of the number of events of an item, so small that it decides only between
            items whose scores are equal or nearly so.
    """

    events: Events = "clicked"
    exclude_seen: bool = False
    popularity: float = Field(default=1e-4, ge=0, allow_inf_nan=False)


class TransitionsConfig(CountingConfig):
    """Settings of `TransitionsAgent`, with those of `CountingConfig`.

    Attributes:
        last: How many of the latest events count.
        second: Weight of the event before the latest one, which has weight 1.
    """

    only_with: ClassVar[OnlyWith] = {"second": ("last", (2,))}

    last: Literal[1, 2] = 2
    second: float = Field(default=0.3, gt=0, allow_inf_nan=False)


class SequentialRulesConfig(CountingConfig):
    """Settings of `SequentialRulesAgent`, with those of `CountingConfig`.

    Attributes:
        max_gap: Largest number of steps from an event to a later one that are counted.
        decay: Weight of an event relative to the next later one, in acting.
    """

    max_gap: PositiveInt = 10
    decay: float = Field(default=0.8, gt=0, le=1)


class ItemKNNConfig(CountingConfig):
    """Settings of `ItemKNNAgent`, with those of `CountingConfig`.

    Attributes:
        neighbours: Most similar items kept for each item.
        neighbours_of: Whether the ``candidate`` or the item of the ``history`` is the one whose
            neighbours are kept: the other one must be among them.
        shrink: Lowers similarities that rest on few users.
        decay: Weight of an event relative to the next later one, in acting; 1 for none.
    """

    neighbours: PositiveInt = 200
    neighbours_of: Literal["candidate", "history"] = "candidate"
    shrink: float = Field(default=50.0, ge=0, allow_inf_nan=False)
    decay: float = Field(default=0.5, gt=0, le=1)
    popularity: float = Field(default=1e-6, ge=0, allow_inf_nan=False)


class EASEConfig(CountingConfig):
    """Settings of `EASEAgent`, with those of `CountingConfig`.

    Attributes:
        ridge: Lambda, the weight of the penalty on squared weights.
        decay: Weight of an event relative to the next later one, in acting; 1 for none.
    """

    ridge: float = Field(default=300.0, gt=0, allow_inf_nan=False)
    decay: float = Field(default=0.8, gt=0, le=1)
    popularity: float = Field(default=0.0, ge=0, allow_inf_nan=False)
