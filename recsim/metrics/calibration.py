"""Calibration and accuracy of predicted probabilities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def log_loss(probability: Any, outcome: Any) -> float:
    """Return the mean negative log-likelihood of binary outcomes, in nats; NaN if there are none.

    Args:
        probability: Predicted probabilities, ``(N,)``; clipped to [1e-12, 1 - 1e-12].
        outcome: 1 for an event, else 0, ``(N,)``.
    """
    p = np.clip(np.asarray(probability, dtype=np.float64), 1e-12, 1 - 1e-12)
    y = np.asarray(outcome, dtype=np.float64)
    losses = -(y * np.log(p) + (1 - y) * np.log1p(-p))
    return float(losses.mean()) if losses.size else math.nan


def calibration_table(predicted: Any, observed: Any, bins: int = 10) -> pd.DataFrame:
    """Return the mean prediction and the mean outcome in bins of equally many predictions.

    Equal predictions share a bin, so there may be fewer bins.

    Args:
        predicted: Probabilities or expected values, ``(N,)``.
        observed: Outcomes, ``(N,)``.
        bins: Maximum number of bins.

    Returns:
        Columns ``predicted``, ``observed`` and ``count``, in the order of the predictions.
    """
    import pandas as pd

    values = np.asarray(predicted, dtype=np.float64)
    outcomes = np.asarray(observed, dtype=np.float64)
    if not values.size:
        return pd.DataFrame({"predicted": [], "observed": [], "count": np.zeros(0, dtype=np.int64)})
    edges = np.quantile(values, np.arange(1, bins) / bins)
    place = np.searchsorted(edges, values, side="right")
    counts = np.bincount(place, minlength=bins)
    used = counts > 0
    return pd.DataFrame(
        {
            "predicted": np.bincount(place, values, bins)[used] / counts[used],
            "observed": np.bincount(place, outcomes, bins)[used] / counts[used],
            "count": counts[used],
        }
    )


def calibration_error(predicted: Any, observed: Any, bins: int = 10) -> float:
    """Return the expected calibration error: the mean gap of `calibration_table`, by count.

    Args:
        predicted: Probabilities or expected values, ``(N,)``.
        observed: Outcomes, or their true probabilities, ``(N,)``.
        bins: Maximum number of bins.

    Returns:
        The error, 0 if every bin is right on average; NaN without predictions.

    Reference: Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using
    Bayesian Binning", AAAI 2015; here with bins of equal counts.
    """
    table = calibration_table(predicted, observed, bins)
    gaps = (table["predicted"] - table["observed"]).abs() * table["count"]
    return float(gaps.sum() / table["count"].sum()) if len(table) else math.nan


def auc(score: Any, outcome: Any) -> float:
    """Return the probability that an event has a higher score than a non-event; ties count half.

    Args:
        score: ``(N,)``.
        outcome: 1 for an event, else 0, ``(N,)``.

    Returns:
        The area under the ROC curve; NaN without both events and non-events.
    """
    event = np.asarray(outcome).astype(np.bool_)
    events, others = int(event.sum()), int((~event).sum())
    if not events or not others:
        return math.nan
    _, place, counts = np.unique(np.asarray(score), return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # mean rank of equal scores, from 1
    total = ranks[place][event].sum()
    return float((total - events * (events + 1) / 2) / (events * others))
