"""The report of a run: one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from recsim.estimators.accuracy import misses
from recsim.files import write_atomically
from recsim.metrics.model_error import model_error_text
from recsim.report import plots
from recsim.report.accuracy import (
    ACCURACY_HEADS,
    accuracy_caption,
    accuracy_cells,
    accuracy_figure,
)
from recsim.report.tables import (
    benchmark_table,
    comparisons,
    front_metrics,
    held_out_text,
    main_metrics,
    seeds_table,
    summary_table,
    trials,
    values_table,
)
from recsim.report.words import (
    INTERVAL_WORDS,
    estimator_text,
    interval_text,
    number,
    p_text,
    policy_texts,
    seeds_note,
    shows_case,
    warnings_of,
    wins_text,
)
from recsim.runs.folder import RunFolder

__all__ = ["write_report"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; }
h1 { margin-bottom: 0; } .question { color: #555; font-size: 1.1rem; margin-top: .2rem; }
table { border-collapse: collapse; margin: 1rem 0; } caption { text-align: left; color: #555; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #ddd; text-align: right;
         font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; } small { color: #777; white-space: nowrap; }
img { max-width: 100%; } .warning { background: #fff4e0; padding: .5rem 1rem; margin: .5rem 0; }
pre { background: #f6f6f6; padding: 1rem; overflow: auto; font-size: 13px; }
"""


def write_report(run: RunFolder) -> list[Path]:
    """Draw the pictures of a run and write its report; return the files."""
    done = any(run.has(trial) for trial in trials(run.scenario))
    pictures: list[Path] = []
    body = ["<p>No trial has finished.</p>"]
    if done:
        kinds = {
            "env": _simulation,
            "data": _log,
            "benchmark": _benchmark,
            "holdout": _holdout,
        }
        pictures, body = kinds[run.scenario.kind](run)
    report = run.path / "report.html"
    write_atomically(report, _page(run, body, pictures))
    return [*pictures, report]


def _simulation(run: RunFolder) -> tuple[list[Path], list[str]]:
    scenario = run.scenario
    seeds = seeds_table(run)
    table = summary_table(run, seeds)
    level = scenario.bootstrap.level
    curves = {
        agent.label: [
            run.curves(trial)
            for trial in trials(scenario)
            if trial.agent == agent.label and run.has(trial)
        ]
        for agent in scenario.agents
    }
    figures = {
        "curves.png": plots.reward_curves(
            {label: group for label, group in curves.items() if group},
            level=level,
            title=scenario.name,
        ),
    }
    if "early_reward_per_step" in seeds:  # else there is no reward that comes later
        figures["front.png"] = plots.front(
            seeds,
            table,
            *front_metrics(scenario, list(seeds.columns[2:])),
            level=level,
            title=scenario.name,
        )
    return _save(run, figures), _metrics(run, seeds, table)


def _holdout(run: RunFolder) -> tuple[list[Path], list[str]]:
    seeds = seeds_table(run)
    table = summary_table(run, seeds)
    names = main_metrics(run.scenario, list(seeds.columns[2:]))
    figure = plots.metrics(
        table, names, level=run.scenario.bootstrap.level, title=run.scenario.name
    )
    body = [*_metrics(run, seeds, table), f"<p>{html.escape(held_out_text(run))}</p>"]
    return _save(run, {"metrics.png": figure}), body


def _metrics(run: RunFolder, seeds: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    """Return the main metrics of every agent, and how they compare with the first agent's."""
    names = main_metrics(run.scenario, list(seeds.columns[2:]))
    level = run.scenario.bootstrap.level
    body = [
        _table(
            ["agent", "seeds", *names],
            _metric_rows(table, names),
            f"Interquartile mean over seeds, with the {level:.0%} bootstrap interval.",
        )
    ]
    error = model_error_text(seeds)
    if error:
        body.append(f"<p>{html.escape(error)}</p>")
    note = seeds_note(int(table["seeds"].min()))
    if note:
        body.append(f'<p class="warning">{html.escape(note)}</p>')
    paired = comparisons(run, seeds)
    if len(paired):
        rows = [
            [
                f"{row['agent']} against {row['baseline']}",
                row["metric"],
                interval_text(row["difference"], row["low"], row["high"]),
                wins_text(row["wins"], row["ties"], row["pairs"]),
                p_text(row["p_value"]),
            ]
            for _, row in paired[paired["metric"].isin(names)].iterrows()
        ]
        body.append(
            _table(
                ["difference", "metric", "value", "higher in", "p (sign flips)"],
                rows,
                "Against the first agent, seed by seed. With few seeds p cannot be small.",
            )
        )
    return body


def _log(run: RunFolder) -> tuple[list[Path], list[str]]:
    values = values_table(run)
    several = shows_case(values)
    pictures = _save(run, {"estimates.png": plots.estimates(values, title=run.scenario.name)})
    rows = [
        [
            f"{row['case']}: {policy}" if several else policy,
            estimator_text(row) + (" !" if row["warnings"] else ""),
            interval_text(row["value"], row["low"], row["high"]),
            number(row["ess"]),
            number(row["max_weight"]),
            "" if pd.isna(row["clip"]) else f"{row['clipped_share']:.2%}",
            "" if pd.isna(row["unsupported"]) else number(row["unsupported"]),
            number(row["n"]),
        ]
        for policy, (_, row) in zip(policy_texts(values), values.iterrows(), strict=True)
    ]
    heads = [
        "policy",
        "estimator",
        "value",
        "effective sample",
        "largest weight",
        "clipped",
        "unsupported",
        "impressions",
    ]
    level = run.scenario.bootstrap.level
    kind = INTERVAL_WORDS[run.scenario.interval]
    caption = f"Mean reward, with the {level:.0%} {kind} interval."
    if any(values["warnings"].map(len)):
        caption += " Warnings below speak of the values marked with !."
    body = [_table(heads, rows, caption)]
    body += [f'<p class="warning">{html.escape(text)}</p>' for text in warnings_of(values)]
    return pictures, body


def _benchmark(run: RunFolder) -> tuple[list[Path], list[str]]:
    table, level = benchmark_table(run), run.scenario.bootstrap.level
    pictures = _save(
        run, {"accuracy.png": accuracy_figure(table, level=level, title=run.scenario.name)}
    )
    body = [_table(ACCURACY_HEADS, accuracy_cells(table), accuracy_caption(level))]
    body += [f'<p class="warning">{html.escape(text)}</p>' for text in misses(table, level)]
    return pictures, body


def _save(run: RunFolder, figures: dict[str, Figure]) -> list[Path]:
    for name, figure in figures.items():
        plots.save(figure, run.path / name)
    return [run.path / name for name in figures]


def _metric_rows(table: pd.DataFrame, names: Sequence[str]) -> list[list[str]]:
    rows = []
    for agent, group in table.groupby("agent", sort=False):
        of = group.set_index("metric")
        cells = [interval_text(*of.loc[name, ["iqm", "low", "high"]]) for name in names]
        rows.append([str(agent), str(group["seeds"].iloc[0]), *cells])
    return rows


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>\n"
        for row in rows
    )
    return (
        f"<table><caption>{html.escape(caption)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"
    )


def _page(run: RunFolder, body: Sequence[str], pictures: Sequence[Path]) -> str:
    scenario = run.scenario
    images = [
        f'<p><img alt="{path.stem}" src="data:image/png;base64,'
        f'{base64.b64encode(path.read_bytes()).decode()}"></p>'
        for path in pictures
    ]
    missing = [str(trial) for trial in trials(scenario) if not run.has(trial)]
    warnings = [f'<p class="warning">Not finished: {html.escape(name)}.</p>' for name in missing]
    versions = ", ".join(f"{name} {version}" for name, version in run.info["versions"].items())
    settings = (run.path / "scenario.yaml").read_text(encoding="utf-8")
    question = scenario.question or scenario.description
    return "\n".join(
        [
            "<!DOCTYPE html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{scenario.name}</title>',
            f"<style>{_STYLE}</style></head><body>",
            f"<h1>{scenario.name}</h1>",
            f'<p class="question">{html.escape(question)}</p>',
            *warnings,
            *body,
            *images,
            "<details><summary>Settings</summary>",
            f"<pre>{html.escape(settings)}</pre></details>",
            f"<p><small>digest {run.info['digest']}; {html.escape(versions)}</small></p>",
            "</body></html>",
            "",
        ]
    )
