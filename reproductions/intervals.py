"""Means over seeds with Student's intervals, as text."""

from __future__ import annotations

import pandas as pd
from numpy.typing import ArrayLike

from recsim.statistics import mean_interval


def half_width(scores: ArrayLike, level: float = 0.95) -> float:
    """Return half the width of the interval of the mean; NaN for a single seed."""
    low, high = mean_interval(scores, level)
    return float(high - low) / 2


def mean_text(scores: pd.Series, digits: int = 3) -> str:
    """Return the mean and half the width of its interval as text; only the mean for one seed."""
    mean = f"{scores.mean():.{digits}f}"
    return f"{mean} ±{half_width(scores):.{digits}f}" if len(scores) > 1 else mean
