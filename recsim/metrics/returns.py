r"""Metrics of generated slates by the return of their users.

The return of a session is the share of the next seven days on which the user was active, 0 to 1.

=======================================  =======================================================
function                                 meaning
=======================================  =======================================================
`similarity_return_score` (SB-URS)       ``sum_k s_k (k - K/2) N_k``: whether slates resemble the
                                         logged ones of users who returned, and not the others
`mean_predicted_return` (MB-URS)         mean return predicted by a user model
`return_improvement` (IUR)               the same, relative to the mean return in the log
`never_returning_share` (NRC)            share of users with no predicted return
=======================================  =======================================================

The class k of a session is the number of days, ``round(7 r)``; N_k counts sessions of class k, s_k
is the mean similarity of their generated slates to the logged ones. The first score needs no user
model but favours imitation; the others are as good as the model, which must not have been fitted on
the agent's training data.

Reference: Zhao et al., "User Retention-oriented Recommendation with Decision Transformer", WWW 2023
(arXiv:2303.06347). Its published numbers are consistent with ``IUR = MB-URS / mean - 1``; its code
has neither IUR nor NRC, so both are defined here from their names.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from recsim.arrays import Ints

DAYS = 7


class ReturnScore(NamedTuple):
    """A similarity-based user return score.

    Attributes:
        total: The sum over sessions, as published; it grows with their number.
        mean: The sum divided by the number of sessions, from ``-days / 2`` to ``days / 2``; NaN
            without sessions.
        sessions: Number of sessions.
    """

    total: float
    mean: float
    sessions: int


def return_class(returns: Any, days: int = DAYS) -> Ints:
    """Return the number of days, ``round(days * r)``, 0 ... days; halves round to even.

    Args:
        returns: Return of each session, in [0, 1], of any shape.
        days: Days of the window, K.

    Raises:
        ValueError: If a return is outside [0, 1].
    """
    values = np.asarray(returns, dtype=np.float64)
    wrong = ~((values >= 0) & (values <= 1))
    if wrong.any():
        raise ValueError(f"a return must be in [0, 1], got {values[wrong].flat[0]}")
    return np.rint(days * values).astype(np.int64)


def similarity_return_score(similarity: Any, returns: Any, days: int = DAYS) -> ReturnScore:
    """Return SB-URS, ``sum_k s_k (k - K/2) N_k``, and its mean over sessions.

    Args:
        similarity: Similarity of each generated slate to the logged one, ``(M,)``, e.g.
            `recsim.metrics.clipped_unigram_precision`. Sessions with NaN are left out.
        returns: Return of each session, ``(M,)``, in [0, 1].
        days: K.
    """
    similarity = np.asarray(similarity, dtype=np.float64)
    known = ~np.isnan(similarity)
    k = return_class(np.asarray(returns)[known], days)
    sessions = int(known.sum())
    # s_k N_k is the sum of the similarities of class k.
    total = float((similarity[known] * (k - days / 2)).sum())
    return ReturnScore(total, total / sessions if sessions else math.nan, sessions)


def mean_predicted_return(predicted: Any) -> float:
    """Return MB-URS, the mean predicted return; NaN without sessions.

    Args:
        predicted: A user model's prediction for each session, ``(M,)``.
    """
    values = np.asarray(predicted, dtype=np.float64)
    return float(values.mean()) if values.size else math.nan


def return_improvement(predicted: Any, logged: Any) -> float:
    """Return IUR, the mean predicted return divided by the mean logged return, minus 1.

    Args:
        predicted: A user model's prediction for each session, ``(M,)``.
        logged: Return of each logged session, ``(N,)``.

    Returns:
        The improvement, 0.26 for 26 per cent; NaN if no user returned in the log.
    """
    base = mean_predicted_return(logged)
    return mean_predicted_return(predicted) / base - 1 if base > 0 else math.nan


def never_returning_share(users: Any, predicted: Any, days: int = DAYS) -> float:
    """Return NRC, the share of users whose mean predicted return rounds to zero days.

    Args:
        users: User of each session, ``(M,)`` integers.
        predicted: A user model's prediction for each session, ``(M,)``, in [0, 1].
        days: Days of the window, K.

    Returns:
        The share, 0 to 1; NaN without sessions.
    """
    _, owner, sessions = np.unique(np.asarray(users), return_inverse=True, return_counts=True)
    totals = np.bincount(owner, weights=np.asarray(predicted, dtype=np.float64))
    classes = return_class(np.clip(totals / sessions, 0.0, 1.0), days) if owner.size else totals
    return float((classes == 0).mean()) if classes.size else math.nan
