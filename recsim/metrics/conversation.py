"""Metrics of conversations that succeed when the system shows an item that the user wants."""

from __future__ import annotations

import numpy as np

from recsim.arrays import Bools, Floats, Ints


def success_rate(turn: Ints, success: Bools, limit: int) -> float:
    """Return the share of conversations that succeeded within ``limit`` turns, SR@t.

    Args:
        turn: Turns of each conversation, ``(N,)``; a question or a slate is one turn.
        success: Whether each conversation succeeded, ``(N,)``.
        limit: t.
    """
    return float(np.mean(success & (turn <= limit)))


def average_turns(turn: Ints, success: Bools, max_turns: int) -> float:
    """Return the mean turn of success, with ``max_turns`` for a failure, AT.

    Args:
        turn: Turns of each conversation, ``(N,)``.
        success: Whether each conversation succeeded, ``(N,)``.
        max_turns: T.
    """
    return float(np.mean(np.where(success, turn, max_turns)))


def conversation_gain(turn: Ints, rank: Ints) -> Floats:
    r"""Return the two-level discounted gain of each conversation, ``(N,)``: hDCG is its mean.

    For success at turn t with the item at rank k, both counted from 1,

    .. math:: \frac{1}{\log_2(t+2)}
        + \left(\frac{1}{\log_2(t+1)} - \frac{1}{\log_2(t+2)}\right) \frac{1}{\log_2(k+1)},

    and 0 without success. Source: Deng et al., "Unified Conversational Recommendation Policy
    Learning via Graph-based Reinforcement Learning", SIGIR 2021, arXiv:2105.09710.

    Args:
        turn: Turns of each conversation, ``(N,)``.
        rank: Rank of the accepted item in its slate, counted from 1; 0 without success, ``(N,)``.
    """
    success = rank > 0
    later = 1 / np.log2(turn + 2.0)
    sooner = 1 / np.log2(np.maximum(turn, 1) + 1.0)
    of_rank = 1 / np.log2(np.maximum(rank, 1) + 1.0)
    return np.where(success, later + (sooner - later) * of_rank, 0.0)
