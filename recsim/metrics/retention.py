"""Whether users stay and come back.

All functions take arrays of any one shape, usually ``(T, B)``: T steps of B users. ``active``
marks the steps that belong to a user of interest; everything else is ignored.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def active_share(active: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of the initial users still active at each step, ``(T,)``.

    Args:
        active: ``(T, B)``.
    """
    return np.asarray(np.mean(active, axis=1, dtype=np.float64))


def return_rate(
    session_end: NDArray[np.bool_],
    churned: NDArray[np.bool_],
    active: NDArray[np.bool_] | None = None,
) -> float:
    """Return the share of ended sessions after which the user came back.

    Args:
        session_end: True at the last step of a session.
        churned: True where the user never returned after it.
        active: Steps that count; None for all.

    Returns:
        The share; NaN if no session ended.
    """
    ended = np.asarray(session_end, dtype=bool) & _mask(active)
    if not ended.any():
        return math.nan
    return float(1.0 - np.asarray(churned, dtype=bool)[ended].mean())


def mean_gap(
    session_end: NDArray[np.bool_],
    gap_days: NDArray[np.int64],
    active: NDArray[np.bool_] | None = None,
) -> float:
    """Return the mean number of days until a user came back.

    Args:
        session_end: True at the last step of a session.
        gap_days: Days until the return, 0 where the user never returned.
        active: Steps that count; None for all.

    Returns:
        The mean over the returns; NaN if nobody returned.
    """
    gaps = np.asarray(gap_days)[np.asarray(session_end, dtype=bool) & _mask(active)]
    gaps = gaps[gaps > 0]
    return float(gaps.mean()) if gaps.size else math.nan


def returned_within(
    session_end: NDArray[np.bool_],
    gap_days: NDArray[np.int64],
    days: int,
    active: NDArray[np.bool_] | None = None,
) -> float:
    """Return the share of ended sessions followed by a return within ``days`` days.

    Args:
        session_end: True at the last step of a session.
        gap_days: Days until the return, 0 where the user never returned.
        days: The window, at least 1; with 1 this is next-day retention.
        active: Steps that count; None for all.

    Returns:
        The share; NaN if no session ended.
    """
    gaps = np.asarray(gap_days)[np.asarray(session_end, dtype=bool) & _mask(active)]
    return float(((gaps > 0) & (gaps <= days)).mean()) if gaps.size else math.nan


def _mask(active: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Return the mask, or one that keeps everything."""
    return np.asarray(True if active is None else active, dtype=bool)
