"""The accuracy of estimators as cells of a table and as a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recsim.estimators.accuracy import COVERS
from recsim.report.words import interval_text, number

__all__ = ["ACCURACY_HEADS", "accuracy_caption", "accuracy_cells", "accuracy_figure"]

ACCURACY_HEADS = (
    "policy (its value)",
    "estimator",
    "bias",
    "RMSE",
    "interval",
    "coverage",
    "mean width",
    "effective sample",
    "warned",
    "logs",
    "verdict",
)

_COLOURS = {"bootstrap": "#0072B2", "t": "#D55E00"}


def accuracy_caption(level: float) -> str:
    """Say what the table shows."""
    return (
        f"estimates against the known value, with {level:.0%} intervals "
        "(in brackets: 95% intervals of bias and coverage themselves)"
    )


def accuracy_cells(table: pd.DataFrame) -> list[list[str]]:
    """Return the cells of an accuracy table in the order of `ACCURACY_HEADS`."""
    return [
        [
            f"{row['policy']} ({number(row['value'])})",
            str(row["estimator"]),
            interval_text(row["bias"], row["bias_low"], row["bias_high"]),
            number(row["rmse"], 3),
            str(row["interval"]),
            interval_text(row["coverage"], row["coverage_low"], row["coverage_high"]),
            number(row["width"], 3),
            number(row["ess"]),
            f"{row['warned']:.0%}",
            str(row["logs"]),
            str(row["verdict"]),
        ]
        for _, row in table.iterrows()
    ]


def accuracy_figure(table: pd.DataFrame, *, level: float, title: str = "") -> Figure:
    """Draw bias and RMSE, and beside them coverage, one row of panels per policy.

    Args:
        table: From `recsim.estimators.accuracy.accuracy_table`.
        level: Nominal coverage.
        title: Written above.
    """
    policies = list(table["policy"].unique())
    names = list(table["estimator"].unique())
    height = 1.2 + len(policies) * (0.8 + 0.3 * len(names))
    figure = Figure(figsize=(11, height), layout="constrained")
    axes = figure.subplots(len(policies), 2, squeeze=False, sharey="row")
    for (error, cover), policy in zip(axes, policies, strict=True):
        rows = table[table["policy"] == policy]
        _draw_errors(error, rows, names)
        _draw_coverage(cover, rows, names, level)
        error.set_title(f"{policy}: value {number(rows['value'].iloc[0])}")
        error.set_yticks(range(len(names)), names)
        error.invert_yaxis()
    figure.suptitle(title)
    return figure


def _draw_errors(plot: Axes, rows: pd.DataFrame, names: list[str]) -> None:
    once = rows.drop_duplicates("estimator").set_index("estimator").loc[names]
    heights = np.arange(len(names))
    plot.barh(heights, once["rmse"], color="0.85", label="RMSE")
    reach = np.stack([once["bias"] - once["bias_low"], once["bias_high"] - once["bias"]])
    style: dict[str, Any] = {"linestyle": "", "marker": "o", "color": "black", "capsize": 3}
    plot.errorbar(once["bias"], heights, xerr=reach, label="bias, 95% interval", **style)
    plot.axvline(0, color="0.4", linewidth=1)
    plot.set_xlabel("error of the estimate")
    plot.legend(loc="best")


def _draw_coverage(plot: Axes, rows: pd.DataFrame, names: list[str], level: float) -> None:
    plot.axvspan(level + COVERS[0], min(level + COVERS[1], 1), color="0.92", zorder=0)
    plot.axvline(level, color="0.4", linewidth=1)
    kinds = list(rows["interval"].unique())
    for shift, kind in enumerate(kinds):
        part = rows[rows["interval"] == kind].set_index("estimator").loc[names]
        heights = np.arange(len(names)) + 0.25 * (shift - (len(kinds) - 1) / 2)
        coverage = part["coverage"]
        reach = np.stack([coverage - part["coverage_low"], part["coverage_high"] - coverage])
        style: dict[str, Any] = {
            "linestyle": "",
            "marker": "o",
            "capsize": 3,
            "color": _COLOURS.get(kind),
        }
        plot.errorbar(coverage, heights, xerr=reach, label=kind, **style)
    plot.set_xlabel("share of intervals that hold the value")
    plot.legend(loc="best")
