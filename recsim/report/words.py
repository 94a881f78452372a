"""Numbers as text, the same on the console and in the report."""

from __future__ import annotations

import math
from typing import Any


def number(value: Any, digits: int = 4) -> str:
    """Return a number with four significant digits, at least all before the point; "" for NaN."""
    value = float(value)
    if not math.isfinite(value):
        return "" if math.isnan(value) else str(value)
    if value == int(value) and abs(value) < 1e9:
        return str(int(value))
    return f"{value:.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def counted(number: int, noun: str) -> str:
    """Return a number of things: ``1 pair``, ``2 pairs``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def interval_text(value: float, low: float, high: float) -> str:
    """Return ``value [low, high]`` with as many decimals as the width justifies; "-" for NaN."""
    if not math.isfinite(value):
        return "-"
    if not (math.isfinite(low) and math.isfinite(high)):
        return number(value)
    width = high - low
    # Two digits of the width: more would be noise.
    decimals = 4 if width <= 0 else min(max(1 - math.floor(math.log10(width)), 0), 6)
    return f"{value:.{decimals}f} [{low:.{decimals}f}, {high:.{decimals}f}]"


def p_text(value: float) -> str:
    """Return a p-value."""
    if math.isnan(value):
        return "-"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def wins_text(wins: int, ties: int, pairs: int) -> str:
    """Return in how many pairs of seeds one agent is above another, and in how many both are equal.

    Args:
        wins: Pairs in which the first is higher.
        ties: Pairs in which both are equal.
        pairs: All of them.
    """
    if ties == pairs:
        return f"equal in all {pairs}"
    higher = f"{wins} of {pairs}"
    return f"{higher}, equal in {ties}" if ties else higher
