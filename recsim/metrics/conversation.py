"""How well conversations went that end with a slate that holds what the user wants."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def success_rate(turn: NDArray[np.int64], success: NDArray[np.bool_], limit: int) -> float:
    """Return the share of conversations that succeeded within ``limit`` turns, SR@t.

    Args:
        turn: Turns that each conversation took, ``(N,)``; a question and a slate cost one each.
        success: Which succeeded, ``(N,)``.
        limit: t.
    """
    return float(np.mean(success & (turn <= limit)))


def average_turns(turn: NDArray[np.int64], success: NDArray[np.bool_], max_turns: int) -> float:
    """Return the mean turn of success, counting ``max_turns`` where there was none, AT.

    Args:
        turn: Turns that each conversation took, ``(N,)``.
        success: Which succeeded, ``(N,)``.
        max_turns: T.
    """
    return float(np.mean(np.where(success, turn, max_turns)))


def conversation_gain(turn: NDArray[np.int64], rank: NDArray[np.int64]) -> Floats:
    r"""Return the two-level discounted gain of each conversation, ``(N,)``: hDCG is its mean.

    For success at turn t with the item at rank k, both counted from 1,

    .. math:: \frac{1}{\log_2(t+2)}
        + \left(\frac{1}{\log_2(t+1)} - \frac{1}{\log_2(t+2)}\right) \frac{1}{\log_2(k+1)},

    and 0 without success. Source: Deng et al., "Unified Conversational Recommendation Policy
    Learning via Graph-based Reinforcement Learning", SIGIR 2021, arXiv:2105.09710.

    Args:
        turn: Turns that each conversation took, ``(N,)``.
        rank: Rank of the accepted item in its slate from 1 on, 0 without success, ``(N,)``.
    """
    success = rank > 0
    later = 1 / np.log2(turn + 2.0)
    sooner = 1 / np.log2(np.maximum(turn, 1) + 1.0)
    of_rank = 1 / np.log2(np.maximum(rank, 1) + 1.0)
    return np.where(success, later + (sooner - later) * of_rank, 0.0)
