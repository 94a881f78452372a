"""The items that users clicked in their last slates, as short lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from recsim.arrays import Ints
from recsim.contracts.slates import Observation
from recsim.log import SlateLog

# Entries of histories read from a log at a time (64 MiB of int64).
_BLOCK = 2**23


@dataclass(frozen=True, eq=False)
class Clicked:
    """The clicks of B users in their last H slates.

    Attributes:
        items: Items clicked, oldest first, ``(B, L)``; -1 after the last.
        age: Slates shown since that click, ``(B, L)``; 0 for the latest slate.
        slates: Number of slates in the history, at most H, ``(B,)``.
    """

    items: Ints
    age: Ints
    slates: Ints

    @staticmethod
    def of(obs: Observation, slate_size: int, slates: int) -> Clicked:
        """Read the clicks from observations; without a history there are none.

        Args:
            obs: See `recsim.contracts.slates`.
            slate_size: K.
            slates: H; older slates are ignored.
        """
        batch = len(obs["candidates"])
        items = np.asarray(obs.get("history_items", np.full((batch, 0), -1)))
        width = min(slates * slate_size, items.shape[1])
        if not width:
            none = np.zeros((batch, 0), dtype=np.int64)
            return Clicked(none, none, np.zeros(batch, dtype=np.int64))
        items = items[:, -width:]
        clicked = (np.asarray(obs["history_clicks"])[:, -width:] > 0) & (items >= 0)  # (B, H * K)
        shown = (items >= 0).reshape(batch, -1, slate_size).any(axis=2)  # (B, H)
        # Clicks first, in their order; keep as many columns as the user with most clicks needs.
        longest = int(clicked.sum(axis=1).max(initial=0))
        order = np.argsort(~clicked, axis=1, kind="stable")[:, :longest]
        listed = np.take_along_axis(np.where(clicked, items, -1), order, axis=1)
        age = np.where(listed >= 0, (width - 1 - order) // slate_size, 0)
        return Clicked(listed, age, shown.sum(axis=1))

    @staticmethod
    def concat(parts: Sequence[Clicked]) -> Clicked:
        """Concatenate the users of several parts."""
        longest = max(part.items.shape[1] for part in parts)

        def widened(lists: Ints, fill: int) -> Ints:
            room = longest - lists.shape[1]
            return np.pad(lists, ((0, 0), (0, room)), constant_values=fill)

        return Clicked(
            np.concatenate([widened(part.items, -1) for part in parts]),
            np.concatenate([widened(part.age, 0) for part in parts]),
            np.concatenate([part.slates for part in parts]),
        )


def observed(log: SlateLog, slates: int) -> Iterator[Observation]:
    """Yield the observations before the rows of a log in blocks, in the order of the log.

    Args:
        log: The log.
        slates: H, number of past slates in an observation.
    """
    size = max(1, _BLOCK // (slates * log.problem.slate_size))
    for start in range(0, len(log), size):
        rows = np.arange(start, min(start + size, len(log)))
        yield log.observations(rows, history_slates=slates)
