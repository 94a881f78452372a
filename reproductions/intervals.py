"""Means and paired differences over seeds with Student's intervals, as text."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from numpy.typing import ArrayLike

from recsim.statistics import holm, mean_interval, paired_comparison


def half_width(scores: ArrayLike, level: float = 0.95) -> float:
    """Return half the width of the interval of the mean; NaN for a single seed."""
    low, high = mean_interval(scores, level)
    return float(high - low) / 2


def mean_text(scores: pd.Series, digits: int = 3) -> str:
    """Return the mean and half the width of its interval as text; only the mean for one seed."""
    mean = f"{scores.mean():.{digits}f}"
    return f"{mean} ±{half_width(scores):.{digits}f}" if len(scores) > 1 else mean


def difference_texts(
    pairs: Sequence[tuple[pd.Series, pd.Series]], digits: int = 3, alpha: float = 0.05
) -> list[str]:
    """Return the mean difference of each pair, with half the width of its interval.

    Args:
        pairs: Results of two methods on the same seeds, ``(S,)`` each: first minus second.
        digits: Decimals.
        alpha: A star marks the differences whose p-value, adjusted by Holm's method for all the
            pairs given, is below this.
    """
    found = [paired_comparison(first, second).difference for first, second in pairs]
    adjusted = holm([difference.p_value for difference in found])
    texts = []
    for difference, p in zip(found, adjusted, strict=True):
        text = f"{difference.value:+.{digits}f}"
        if difference.df:
            text += f" ±{(difference.high - difference.low) / 2:.{digits}f}"
        texts.append(f"{text} *" if p < alpha else text)
    return texts
