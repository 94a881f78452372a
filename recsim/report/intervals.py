"""Tables over seeds for people: cells, and what limits their intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from recsim.metrics.seeds import FEW_SEEDS, detectable, seeds_needed
from recsim.report.summary import Note
from recsim.report.words import interval_text, number, p_text, wins_text

if TYPE_CHECKING:
    import pandas as pd

_DOUBTS = {
    "skewed": "Skewed over seeds",
    "equal": "The same number in at least half of the seeds",
}


def few_seeds(seeds: int) -> str:
    """Return what limits intervals over few seeds; "" for ten or more."""
    if seeds == 1:
        return "One seed: the spread over seeds is unknown."
    if seeds < FEW_SEEDS:
        return (
            f"Only {seeds} seeds: an interval holds if results are near normal, which so few "
            "cannot show; use ten or more for a claim."
        )
    return ""


def doubt_notes(table: pd.DataFrame, names: Sequence[str], level: float) -> list[Note]:
    """Return a note on each kind of results whose t intervals may not cover.

    Args:
        table: From `recsim.trials.over_seeds.metrics_table` or ``comparisons_table``.
        names: The metrics that are shown.
        level: Nominal coverage.
    """
    notes = []
    for doubt, words in _DOUBTS.items():
        rows = table[(table["doubt"] == doubt) & table["metric"].isin(names)]
        if rows.empty:
            continue
        where = "; ".join(
            f"{_words(str(metric))} of {', '.join(group.apply(_whose, axis=1))}"
            for metric, group in rows.groupby("metric", sort=False)
        )
        notes.append(
            Note(
                f"{words}: {where}. Their intervals may cover less than {level:.0%}: see "
                "docs/intervals.md.",
                "note",
            )
        )
    return notes


def undefined_notes(table: pd.DataFrame, names: Sequence[str]) -> list[Note]:
    """Return a note on results that some seeds do not have.

    Args:
        table: From `recsim.trials.over_seeds.metrics_table` or ``comparisons_table``.
        names: The metrics that are shown.
    """
    if table.empty:
        return []
    counted = "pairs" if "pairs" in table else "seeds"
    whose = ["agent", "baseline"] if "baseline" in table else ["agent"]
    table = table.assign(every=table.groupby(whose)[counted].transform("max"))
    rows = table[(table[counted] < table["every"]) & table["metric"].isin(names)]
    texts = [
        f"{_words(row['metric'])} of {_whose(row)} ({row[counted]} of {row['every']} seeds)"
        for _, row in rows.iterrows()
    ]
    if not texts:
        return []
    return [Note(f"Undefined in some seeds, which are left out: {'; '.join(texts)}.", "note")]


def metric_cells(
    table: pd.DataFrame, names: Sequence[str], value: str = "mean", ends: str = ""
) -> pd.DataFrame:
    """Return one row per agent: its seeds, and each metric with its interval.

    Args:
        table: From `recsim.trials.over_seeds.metrics_table`.
        names: The metrics.
        value: Column of the values.
        ends: Prefix of the columns of the ends.
    """
    import pandas as pd

    columns = [value, f"{ends}low", f"{ends}high"]
    rows = []
    for agent, group in table.groupby("agent", sort=False):
        by_metric = group.set_index("metric")
        cells = [
            f"{number(by_metric.loc[name, value])} (all equal)"
            if by_metric.loc[name, "doubt"] == "constant"
            else interval_text(*by_metric.loc[name, columns])
            for name in names
        ]
        rows.append([str(agent), str(group["seeds"].max()), *cells])
    return pd.DataFrame(rows, columns=["agent", "seeds", *map(_words, names)])


def pair_cells(paired: pd.DataFrame, names: Sequence[str], alpha: float) -> pd.DataFrame:
    """Return one row per pair of agents: the difference in each metric with its interval.

    Args:
        paired: From `recsim.trials.over_seeds.comparisons_table`.
        names: The metrics.
        alpha: A difference whose adjusted p-value is below it is marked with ``*``.
    """
    import pandas as pd

    rows = []
    for pair, group in paired.groupby(["agent", "baseline"], sort=False):
        by_metric = group.set_index("metric")
        cells = []
        for name in names:
            row = by_metric.loc[name] if name in by_metric.index else None
            cells.append("-" if row is None else _difference(row, alpha))
        rows.append([f"{pair[0]} - {pair[1]}", *cells])
    return pd.DataFrame(rows, columns=["difference", *map(_words, names)])


def pair_rows(paired: pd.DataFrame) -> pd.DataFrame:
    """Return one row per pair and metric, with p-values.

    Args:
        paired: From `recsim.trials.over_seeds.comparisons_table`.
    """
    import pandas as pd

    rows = [
        [
            f"{row['agent']} - {row['baseline']}",
            row["metric"],
            interval_text(row["difference"], row["low"], row["high"]),
            "-" if math.isnan(row["difference"]) else wins_text(*row[["wins", "ties", "pairs"]]),
            p_text(row["p_value"]),
            p_text(row["p_holm"]),
        ]
        for _, row in paired.iterrows()
    ]
    heads = ["difference", "metric", "value", "higher in", "p (t test)", "p (Holm)"]
    return pd.DataFrame(rows, columns=heads)


def resolution(
    paired: pd.DataFrame,
    names: Sequence[str],
    level: float,
    *,
    crossed: bool = False,
    power: float = 0.8,
) -> str:
    """Return which differences the seeds tell apart from zero, and what half of them would need.

    Args:
        paired: From `recsim.trials.over_seeds.comparisons_table`.
        names: The metrics.
        level: Nominal coverage.
        crossed: Whether every seed has the same users.
        power: Probability that a t test finds such a difference.

    Returns:
        A sentence; "" where the spread of the differences is unknown. The difference of a metric is
        the median over the pairs.
    """
    found = {}
    for name in names:
        rows = paired[(paired["metric"] == name) & (paired["error"] > 0)]
        sizes = [detectable(row["error"], row["df"], level, power) for _, row in rows.iterrows()]
        if sizes and math.isfinite(median := statistics.median(sizes)):
            found[name] = median
    if not found:
        return ""
    seeds = int(paired["pairs"].max())
    sizes_text = ", ".join(f"{number(size, 2)} in {_words(name)}" for name, size in found.items())
    half = "about four times the seeds and users"
    if not crossed:
        target = detectable(1 / math.sqrt(seeds), seeds - 1, level, power) / 2
        half = (
            f"about {seeds_needed(1.0, target, level, power)} seeds, or four times the users where "
            "seeds differ by their users only"
        )
    count = f"{seeds} seeds tell" if seeds > 1 else "One seed tells"
    return (
        f"{count} apart ({power:.0%} power, median pair) differences of {sizes_text}. Half of that "
        f"needs {half}."
    )


def _difference(row: Any, alpha: float) -> str:
    text = interval_text(row["difference"], row["low"], row["high"])
    if row["doubt"] == "constant":
        return f"{number(row['difference'])} (all equal)"
    return f"{text} *" if row["p_holm"] < alpha else text


def _whose(row: Any) -> str:
    return f"{row['agent']} - {row['baseline']}" if "baseline" in row.index else str(row["agent"])


def _words(name: str) -> str:
    return name.replace("_", " ")
