"""What users clicked in the slates that they were shown last, as short lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsim.contracts.slates import Observation
from recsim.log import SlateLog

# Entries of histories that are read from a log at a time (64 MiB of int64).
_BLOCK = 2**23


@dataclass(frozen=True, eq=False)
class Clicked:
    """The clicks of B users in the at most H slates that count.

    Attributes:
        items: Items clicked, oldest first, ``(B, L)``; -1 after the last.
        age: Slates shown since that click, ``(B, L)``; 0 for the latest slate.
        slates: Slates in the history, ``(B,)``.
    """

    items: NDArray[np.int64]
    age: NDArray[np.int64]
    slates: NDArray[np.int64]

    @staticmethod
    def of(obs: Observation, slate_size: int, slates: int) -> Clicked:
        """Read the clicks from observations; there are none where these tell of no history.

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
        yes = (np.asarray(obs["history_clicks"])[:, -width:] > 0) & (items >= 0)  # (B, H * K)
        shown = (items >= 0).reshape(batch, -1, slate_size).any(axis=2)  # (B, H)
        # Clicks first, in their order; then only as many columns as the busiest user has.
        longest = int(yes.sum(axis=1).max(initial=0))
        order = np.argsort(~yes, axis=1, kind="stable")[:, :longest]
        found = np.take_along_axis(np.where(yes, items, -1), order, axis=1)
        age = np.where(found >= 0, (width - 1 - order) // slate_size, 0)
        return Clicked(found, age, shown.sum(axis=1))

    @staticmethod
    def concat(parts: Sequence[Clicked]) -> Clicked:
        """Put the users of several parts one after the other."""
        longest = max(part.items.shape[1] for part in parts)

        def widened(lists: NDArray[np.int64], fill: int) -> NDArray[np.int64]:
            room = longest - lists.shape[1]
            return np.pad(lists, ((0, 0), (0, room)), constant_values=fill)

        return Clicked(
            np.concatenate([widened(part.items, -1) for part in parts]),
            np.concatenate([widened(part.age, 0) for part in parts]),
            np.concatenate([part.slates for part in parts]),
        )


def observed(log: SlateLog, slates: int) -> Iterator[Observation]:
    """Yield the observations before each row of a log, block by block, in its order.

    Args:
        log: The log.
        slates: H, slates of history.
    """
    size = max(1, _BLOCK // (slates * log.problem.slate_size))
    for start in range(0, len(log), size):
        rows = np.arange(start, min(start + size, len(log)))
        yield log.observations(rows, history_slates=slates)
