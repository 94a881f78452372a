"""Pictures: reward curves, immediate against long-term reward, estimates with their intervals.

Each function takes tables and returns a matplotlib figure without a window.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from recsim.contracts.slates import loss_rows
from recsim.statistics import band

# Okabe and Ito's palette: distinct with any colour vision, and in print.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLES = ("-", "--", ":", "-.")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")

# Approximate sizes in a legend: letters per inch, width of a key in letters, and the height of a
# line in inches.
_LETTERS_PER_INCH = 11
_KEY = 7
_LINE = 0.22

# Below this share of the initial users a mean over active users is noise.
_FEW = 0.05

Look = dict[str, Any]


def looks(labels: Sequence[str]) -> dict[str, Look]:
    """Return colour, line style and marker of each label.

    No two of 28 labels share colour and line style, and no two of 49 colour and marker.
    """
    colours, markers = len(_COLOURS), len(_MARKERS)
    return {
        label: {
            "color": _COLOURS[i % colours],
            "linestyle": _STYLES[i // colours % len(_STYLES)],
            # One further with every round, or marker and colour would come back together.
            "marker": _MARKERS[(i + i // colours) % markers],
        }
        for i, label in enumerate(labels)
    }


def reward_curves(
    curves: Mapping[str, Sequence[pd.DataFrame]],
    panels: Sequence[tuple[str, str]],
    *,
    level: float = 0.95,
    title: str = "",
) -> Figure:
    """Draw reward, retention and immediate regret over time, with bands over the seeds.

    Args:
        curves: Per agent, the curves of each seed as `Rollout.curves` or
            `recsim.play.rounds.round_curves` gives them.
        panels: Column and heading of each panel; panels without data are left out.
        level: Coverage of the bands.
        title: Written above.
    """
    frames = [frame for group in curves.values() for frame in group]
    axis = str(frames[0].index.name)
    panels = [(name, heading) for name, heading in panels if _has(frames, name)]
    look = looks(list(curves))
    longest = max(len(frame) for frame in frames)
    figure, axes = _grid(len(panels), title)
    for plot, (name, heading) in zip(axes, panels, strict=True):
        for label, group in curves.items():
            table = aligned(group, name, longest)  # (S, L)
            _draw_band(plot, table, level, label, look[label])
        plot.set_title(heading)
        plot.set_xlabel(axis)
        plot.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
        plot.margins(x=0)
    _legend(figure, axes[0], _bands_in_words(curves, level))
    return figure


def front(
    seeds: pd.DataFrame,
    summary: pd.DataFrame,
    immediate: str,
    long_term: str,
    *,
    lower_is_better: Callable[[str], bool],
    level: float = 0.95,
    title: str = "",
) -> Figure:
    """Draw long-term against immediate reward: intervals, single seeds and the Pareto front.

    Args:
        seeds: One row per agent and seed, as `recsim.trials.over_seeds.seeds_table` gives it.
        summary: One row per agent and metric, as `recsim.trials.over_seeds.metrics_table` gives it.
        immediate: Metric of the horizontal axis.
        long_term: Metric of the vertical axis.
        lower_is_better: Whether small values of a metric are good.
        level: Coverage of the intervals.
        title: Written above.
    """
    labels = list(seeds["agent"].unique())
    look = looks(labels)
    figure, (plot,) = _grid(1, title)
    table = summary.set_index(["metric", "agent"])
    x, y = table.loc[immediate].loc[labels], table.loc[long_term].loc[labels]
    for label in labels:
        mine = seeds[seeds["agent"] == label]
        style = {"color": look[label]["color"], "marker": look[label]["marker"]}
        plot.plot(mine[immediate], mine[long_term], linestyle="", alpha=0.25, markersize=4, **style)
        plot.errorbar(
            x.loc[label, "mean"],
            y.loc[label, "mean"],
            xerr=_reach(x.loc[label]),
            yerr=_reach(y.loc[label]),
            capsize=3,
            markersize=8,
            label=label,
            linestyle="",
            **style,
        )
    points = np.column_stack([x["mean"], y["mean"]])  # (agents, 2)
    signs = [-1 if lower_is_better(metric) else 1 for metric in (immediate, long_term)]
    best = points[undominated(points * signs)]
    if len(best) > 1:
        best = best[np.argsort(best[:, 0])]
        plot.plot(best[:, 0], best[:, 1], color="0.6", linestyle="--", linewidth=1, zorder=0)
    plot.set_xlabel(f"immediate: {_words(immediate)}")
    plot.set_ylabel(f"long-term: {_words(long_term)}")
    words = ["small dots: single seeds", f"bars: {level:.0%} interval"]
    if len(best) > 1:
        words.append("dashed: Pareto front")
    _legend(figure, plot, "; ".join(words))
    return figure


def estimates(values: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw off-policy estimates with their intervals, one panel per log.

    A hollow marker is an estimate that carries a warning. The line and its band are the mean
    reward of the log that the evaluated policy collected itself, where there is one.

    Args:
        values: As `recsim.trials.log_tables.values_table` gives it.
        title: Written above.
    """
    groups = list(values.groupby("case", sort=False))
    figure, axes = _grid(len(groups), title, height=0.9 + 0.35 * len(values) / len(groups))
    for plot, (case, group) in zip(axes, groups, strict=True):
        lines = group[~group["agent"].isin(["reference"])]
        truth = group[group["agent"] == "reference"]
        look = looks([label for label in lines["agent"].unique() if label != "logged"])
        look["logged"] = {"color": "0.35", "marker": "o"}
        for _, row in truth.iterrows():
            plot.axvspan(row["low"], row["high"], color="0.9", zorder=0)
            plot.axvline(row["value"], color="0.4", linewidth=1, label="reference")
        several = lines.loc[lines["seed"] != "", "seed"].nunique() > 1
        names = []
        for height, (_, row) in enumerate(lines.iterrows()):
            style = look[row["agent"]]
            plot.errorbar(
                row["value"],
                height,
                xerr=_reach(row, "value"),
                capsize=3,
                color=style["color"],
                marker=style["marker"],
                markerfacecolor="white" if row["warnings"] else style["color"],
            )
            seed = f", seed {row['seed']}" if several and row["seed"] != "" else ""
            names.append(f"{row['agent']}: {_words(row['estimator'])}{seed}")
        plot.set_yticks(range(len(names)), names)
        plot.invert_yaxis()
        plot.set_title(str(case) if case != "all" else "")
        plot.set_xlabel("value: mean reward")
        if any(lines["warnings"].map(len)):
            hollow: Look = {"marker": "o", "color": "0.4", "markerfacecolor": "white"}
            plot.plot([], [], linestyle="", label="with a warning", **hollow)
        if plot.get_legend_handles_labels()[0]:
            plot.legend(loc="best")
    return figure


def metrics(
    table: pd.DataFrame, names: Sequence[str], *, level: float = 0.95, title: str = ""
) -> Figure:
    """Draw some metrics of all agents with their intervals, one panel per metric.

    Args:
        table: One row per agent and metric, as `recsim.trials.over_seeds.metrics_table` gives it.
        names: The metrics.
        level: Coverage of the intervals.
        title: Written above.
    """
    labels = list(table["agent"].unique())
    look = looks(labels)
    figure, axes = _grid(len(names), title, height=1.2 + 0.3 * len(labels))
    for plot, name in zip(axes, names, strict=True):
        rows = table[table["metric"] == name].set_index("agent")
        for height, label in enumerate(labels):
            style = {"color": look[label]["color"], "marker": look[label]["marker"]}
            row = rows.loc[label]
            plot.errorbar(row["mean"], height, xerr=_reach(row), capsize=3, **style)
        plot.set_yticks(range(len(labels)), labels)
        plot.set_ylim(len(labels) - 0.5, -0.5)
        plot.xaxis.set_major_locator(MaxNLocator(4))
        plot.set_title(_words(name))
        plot.set_xlabel(f"{level:.0%} interval" if rows["seeds"].min() > 1 else "")
    return figure


def losses(
    fits: Mapping[str, Sequence[Sequence[Mapping[str, float]]]], *, title: str = ""
) -> Figure:
    """Draw the losses of training, one panel per agent and a line per seed.

    Args:
        fits: Per agent, ``FitReport.losses`` of each seed.
        title: Written above.
    """
    figure, axes = _grid(len(fits), title)
    for plot, (label, seeds) in zip(axes, fits.items(), strict=True):
        lines: dict[str, list[list[tuple[int, float]]]] = {}
        for rows in seeds:
            own: dict[str, list[tuple[int, float]]] = {}
            for step, values in loss_rows(rows):
                for name, value in values.items():
                    if math.isfinite(value):
                        own.setdefault(name, []).append((step, value))
            for name, points in own.items():
                lines.setdefault(name, []).append(points)
        look = looks(list(lines))
        for name, of_seeds in lines.items():
            for number, points in enumerate(of_seeds):
                steps, values_of_seed = zip(*points, strict=True)
                plot.plot(
                    steps,
                    values_of_seed,
                    color=look[name]["color"],
                    linestyle=look[name]["linestyle"],
                    marker=look[name]["marker"] if len(points) == 1 else "",
                    alpha=0.6,
                    label="" if number else name,
                )
        plot.set_title(label)
        plot.set_xlabel("step of training")
        plot.legend(fontsize="small")
    return figure


def undominated(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which of the points ``(N, 2)`` no other equals or exceeds in both and beats in one."""
    at_least = (points[None] >= points[:, None]).all(axis=2)  # (N, N): other at least as good
    better = (points[None] > points[:, None]).any(axis=2)
    undone: NDArray[np.bool_] = ~np.any(at_least & better, axis=1)
    return undone


def aligned(group: Sequence[pd.DataFrame], name: str, longest: int = 0) -> NDArray[np.float64]:
    """Return one column of the curves of each seed as a table ``(S, L)``.

    A curve that ends because no user is active is continued: sums keep their last value. Any other
    curve is unknown after its end, so the table is as long as the shortest of those.

    Args:
        group: The curves of each seed.
        name: A column, or ``immediate`` for the reward per active user.
        longest: Length of the table if all curves end because no user is active.
    """
    lengths = [len(frame) for frame in group if frame["active"].iloc[-1] > 0]
    length = min(lengths) if lengths else max(longest, *(len(frame) for frame in group))
    table = np.empty((len(group), length))
    for row, frame in zip(table, group, strict=True):
        column = _column(frame, name)[:length]
        rest = {"immediate": math.nan, "active": 0.0}.get(
            name, column[-1] if name.startswith("cumulative") else 0.0
        )
        row[: len(column)], row[len(column) :] = column, rest
    return table


def add_note(figure: Figure, text: str) -> None:
    """Write a note at the foot of a figure."""
    width, height = figure.get_size_inches()
    note = textwrap.fill(text, int(width * _LETTERS_PER_INCH))
    figure.set_size_inches(width, height + _LINE * (note.count("\n") + 1))
    if figure.legends:  # outside the axes, where another text would overlap it
        title = figure.legends[0].get_title()
        title.set_text(f"{title.get_text()}\n{note}")
    else:
        figure.supxlabel(note, fontsize="small", color="0.3")


def png(figure: Figure) -> bytes:
    """Return a figure as PNG, the same bytes for the same picture."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    # Without a version in it, the file depends on the picture alone.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _column(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    column = np.asarray(frame["reward" if name == "immediate" else name], dtype=np.float64)
    if name != "immediate":
        return column
    active = np.asarray(frame["active"], dtype=np.float64)
    per_user = np.full(len(frame), math.nan)
    np.divide(column, active, out=per_user, where=active >= _FEW)
    return per_user


def _has(frames: Sequence[pd.DataFrame], name: str) -> bool:
    """Return whether a panel would show anything."""
    if name == "active":
        return any((frame[name] < 1).any() for frame in frames)
    return name == "immediate" or any(name in f and f[name].notna().any() for f in frames)


def _draw_band(
    plot: Axes, table: NDArray[np.float64], level: float, label: str, look: Look
) -> None:
    value, low, high = band(table, level=level)
    x = np.arange(len(value))
    plot.plot(x, value, label=label, color=look["color"], linestyle=look["linestyle"])
    if len(table) > 1:
        plot.fill_between(x, low, high, color=look["color"], alpha=0.2, linewidth=0)


def _grid(panels: int, title: str, height: float = 3.6) -> tuple[Figure, list[Axes]]:
    columns = 2 if panels == 4 else min(panels, 3)
    rows = -(-panels // columns)
    width = 6.5 if panels == 1 else 4.2 * columns
    figure = Figure(
        figsize=(width, (5.0 if panels == 1 and height == 3.6 else height) * rows + 0.6),
        dpi=110,
        layout="constrained",
    )
    axes = np.atleast_1d(np.asarray(figure.subplots(rows, columns, squeeze=False))).ravel()
    for spare in axes[panels:]:
        spare.remove()
    for plot in axes[:panels]:
        plot.spines[["top", "right"]].set_visible(False)
        plot.grid(alpha=0.25)
    if title:
        figure.suptitle(title)
    return figure, list(axes[:panels])


def _bands_in_words(curves: Mapping[str, Sequence[pd.DataFrame]], level: float) -> str:
    """Return a caption that explains lines and bands."""
    counts = sorted({len(group) for group in curves.values()})
    seeds = " to ".join(str(count) for count in (counts[0], counts[-1])[: len(counts)])
    if counts[-1] == 1:
        return "one seed each, so no bands"
    return f"lines: mean over {seeds} seeds; bands: {level:.0%} t interval over seeds at each point"


def _legend(figure: Figure, plot: Axes, caption: str) -> None:
    """Put the legend of a plot below all plots, with room of its own whatever the labels."""
    handles, labels = plot.get_legend_handles_labels()
    width, height = figure.get_size_inches()
    room = int(width * _LETTERS_PER_INCH)
    labels = [textwrap.fill(label, room - _KEY) for label in labels]
    longest = max(len(line) for label in labels for line in label.split("\n"))
    columns = max(1, min(len(labels), 6, room // (longest + _KEY)))
    # matplotlib fills columns from the top: their length is that of the first.
    lines = sum(label.count("\n") + 1 for label in labels[: -(-len(labels) // columns)])
    figure.set_size_inches(width, height + _LINE * (lines + 1))
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=columns,
        title=textwrap.fill(caption, room),
        title_fontsize="small",
    )


def _reach(row: Any, value: str = "mean") -> NDArray[np.float64] | None:
    """Return how far an interval reaches below and above its value, ``(2, 1)``; None if unknown."""
    ends = np.array([[row[value] - row["low"]], [row["high"] - row[value]]], dtype=np.float64)
    # An estimate need not lie inside a percentile interval.
    return np.maximum(ends, 0) if np.isfinite(ends).all() else None


def _words(name: str) -> str:
    return name.replace("_", " ")
