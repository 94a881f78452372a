"""Numbers and warnings in words, the same on the console and in the report."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

__all__ = [
    "INTERVAL_WORDS",
    "estimator_text",
    "interval_text",
    "number",
    "p_text",
    "policy_texts",
    "seeds_note",
    "shows_case",
    "warnings_of",
    "wins_text",
]


INTERVAL_WORDS = {
    "bootstrap": "bootstrap",
    "t": "Student-t",
    "bernstein": "empirical Bernstein",
    "hoeffding": "Hoeffding",
}


def number(value: Any, digits: int = 4) -> str:
    """Return a number with four significant digits, at least all before the point; "" for NaN."""
    value = float(value)
    if not math.isfinite(value):
        return "" if math.isnan(value) else str(value)
    if value == int(value) and abs(value) < 1e9:
        return str(int(value))
    return f"{value:.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


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


def estimator_text(row: Any) -> str:
    """Return the name of an estimator with its parameter, and how that was chosen."""
    inside = [str(row[key]) for key in ("parameter", "rule") if row.get(key)]
    return f"{row['estimator']} ({', '.join(inside)})" if inside else str(row["estimator"])


def p_text(value: float) -> str:
    """Return a p-value."""
    if math.isnan(value):
        return "-"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def wins_text(wins: float, ties: int, pairs: int) -> str:
    """Return in how many pairs of seeds one agent is above another, and in how many both are equal.

    Args:
        wins: Share of the pairs, ties counting half; see `recsim.statistics.Comparison`.
        ties: Pairs in which both are equal.
        pairs: All of them.
    """
    if math.isnan(wins):
        return "-"
    if ties == pairs:
        return f"equal in all {pairs}"
    higher = f"{round(wins * pairs - ties / 2)} of {pairs}"
    return f"{higher}, equal in {ties}" if ties else higher


def seeds_note(seeds: int) -> str:
    """Return what to think of intervals over so few seeds; "" where there are more than three."""
    if seeds == 1:
        return "With one seed nothing is known of the spread: there are no intervals."
    if seeds < 4:
        return (
            f"With {seeds} seeds an interval is hardly more than the lowest and the highest value: "
            "use ten or more for a claim."
        )
    return ""


def shows_case(values: pd.DataFrame) -> bool:
    """Return whether estimates must say which log they are of: not where there is only one."""
    return set(values["case"]) != {"all"}


def policy_texts(values: pd.DataFrame) -> list[str]:
    """Return whose value each estimate is, with the seed where there are several."""
    several = values.loc[values["seed"] != "", "seed"].nunique() > 1
    words = {"logged": "(as logged)", "reference": "(reference)"}
    return [
        f"{words.get(agent, agent)}{f', seed {seed}' if several and seed != '' else ''}"
        for agent, seed in zip(values["agent"].astype(str), values["seed"], strict=True)
    ]


def warnings_of(values: pd.DataFrame) -> list[str]:
    """Return the warnings of all estimates, each with what it speaks of, without repetition."""
    several = shows_case(values)
    texts = [
        ", ".join([*([row["case"]] if several else []), policy, f"{row['estimator']}: {text}"])
        for policy, (_, row) in zip(policy_texts(values), values.iterrows(), strict=True)
        for text in row["warnings"]
    ]
    return list(dict.fromkeys(texts))
