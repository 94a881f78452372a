"""The range of what is observed of a world's users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from recsim.arrays import Floats


@dataclass(frozen=True, eq=False)
class Bounds:
    """Numbers that no observation of a world's users exceeds.

    Attributes:
        features: Lowest and highest user features, ``(2, F)``.
        rewards: Lowest and highest named rewards of a step, ``(2, R)``.
        gap: Most days between two sessions; 0 if no days pass.
        session: Most steps of a session; None for no limit.
    """

    features: Floats
    rewards: Floats
    gap: int
    session: int | None

    def time(self, max_steps: int | None, max_days: int | None) -> list[int | None]:
        """Return the last day, session and step of a session; None for no limit.

        Args:
            max_steps: Steps after which an episode is truncated; None for no limit.
            max_days: Day from which on it is truncated; None for no limit.
        """
        # A session that ends takes a step at least, and its user returns a day later or more.
        sessions = _least(max_steps, max_days) if self.gap else 0
        by_gaps = None if sessions is None else sessions * self.gap
        by_limit = None if max_days is None else max_days - 1 + self.gap
        return [_least(by_gaps, by_limit), sessions, _least(max_steps, self.session)]


def box(low: Any, high: Any, dtype: Any = np.float32) -> spaces.Box:
    """Return a space of vectors, never of a single value, of which Gymnasium warns.

    Args:
        low: Lowest values, ``(D,)``.
        high: Highest values, ``(D,)``.
        dtype: Floats are rounded outwards.
    """
    low, high = np.asarray(low), np.asarray(high)
    high = np.where(high > low, high, low + 1)
    lowest, highest = low.astype(dtype), high.astype(dtype)
    if np.issubdtype(dtype, np.floating):
        lowest = np.where(lowest > low, np.nextafter(lowest, dtype(-np.inf)), lowest)
        highest = np.where(highest < high, np.nextafter(highest, dtype(np.inf)), highest)
    return spaces.Box(lowest, highest, dtype=dtype)


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)
