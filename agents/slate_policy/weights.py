"""Which rows of a log are imitated, and how much: pure functions."""

from __future__ import annotations

import numpy as np

from recsim.arrays import Bools, Floats, Ints

# Largest weight of a row before the weights are divided by their mean.
_CAP = 20.0


def best_users(totals: Floats, user: Ints, keep: float) -> Bools:
    """Return whether the user of each row is among those with the highest return, ``(M,)``.

    Users whose return equals that of the last one kept are kept too.

    Args:
        totals: Total return of the row's user, ``(M,)``.
        user: The user, ``(M,)``.
        keep: Share of the users to keep, in (0, 1]; their number is rounded up.
    """
    _, first = np.unique(user, return_index=True)
    ranked = -np.sort(-totals[first])
    # Rounded first: 0.1 * 30 is a little more than 3.
    kept = max(1, int(np.ceil(round(keep * len(ranked), 6))))
    chosen: Bools = totals >= ranked[kept - 1]
    return chosen


def awr_weights(advantage: Floats, beta: float) -> Floats:
    """Return the weights of advantage-weighted regression, of mean 1, ``(M,)``.

    Proportional to ``min(exp(A / (beta sd(A))), 20)``; Peng et al. 2019, arXiv:1910.00177.

    Args:
        advantage: A, ``(M,)``.
        beta: Temperature in standard deviations of A; with a large one all weights are 1.
    """
    scale = beta * advantage.std()
    exponent = advantage / scale if scale > 0 else np.zeros_like(advantage)
    weights = np.exp(np.minimum(exponent, np.log(_CAP)))
    shares: Floats = weights / weights.mean()
    return shares


def crr_weights(advantage: Floats) -> Floats:
    """Return the weights of binary critic-regularised regression, of mean 1, ``(M,)``.

    Proportional to 1 where A > 0 and else 0; Wang et al. 2020, arXiv:2006.15134. All are 0 if no
    advantage is positive.

    Args:
        advantage: A, ``(M,)``.
    """
    better = (advantage > 0).astype(np.float64)
    shares: Floats = better / max(better.mean(), 1 / max(len(better), 1))
    return shares


def effective_share(weights: Floats) -> float:
    """Return the effective number of rows, (sum w)^2 / sum w^2, as a share of their number."""
    return float(weights.sum() ** 2 / (len(weights) * np.square(weights).sum()))
