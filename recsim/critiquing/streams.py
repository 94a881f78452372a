"""Random numbers of a session that do not depend on the other sessions of its batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Floats, Ints

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def uniform(seed: int, sessions: Ints, turns: Ints, width: int, purpose: int = 0) -> Floats:
    """Return uniform numbers in [0, 1); each row depends only on its own arguments.

    A counter is passed through the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014),
    which needs no generator per session.

    Args:
        seed: Common to all sessions, at least 0.
        sessions: Number of each session, ``(B,)``.
        turns: Turn of each session, ``(B,)``.
        width: Random numbers per session, W.
        purpose: Distinguishes different draws of the same session and turn.

    Returns:
        ``(B, W)``.
    """
    start = np.random.SeedSequence([seed, purpose]).generate_state(1, np.uint64)
    with np.errstate(over="ignore"):
        key = _mixed(start + sessions.astype(np.uint64) * _GOLDEN)
        key = _mixed(key + turns.astype(np.uint64) * _GOLDEN)
        counter = np.arange(1, width + 1, dtype=np.uint64) * _GOLDEN
        bits = _mixed(_mixed(key[:, None] + counter))  # (B, W)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = value ^ (value >> np.uint64(31))
    return mixed
