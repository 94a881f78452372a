"""Means over seeds with Student-t intervals; a bootstrap over five seeds is too narrow."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsim.estimators.intervals import student_t


def half_width(scores: pd.Series, level: float = 0.95) -> float:
    """Return half the width of the interval of the mean; NaN for a single seed."""
    count = len(scores)
    variance = float(np.var(scores, ddof=1)) if count > 1 else float("nan")
    return student_t(count, variance, (1 + level) / 2)


def mean_text(scores: pd.Series, digits: int = 3) -> str:
    """Return the mean and half the width of its interval as text; only the mean for one seed."""
    mean = f"{scores.mean():.{digits}f}"
    return f"{mean} ±{half_width(scores):.{digits}f}" if len(scores) > 1 else mean
