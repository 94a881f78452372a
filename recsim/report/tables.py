"""From the finished trials of a run folder to its tables.

Everything is read back from the folder and kept in the order of the scenario, so that the tables
do not depend on how many workers there were or how often the run was interrupted.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from recsim.estimators.accuracy import accuracy_table
from recsim.files import csv_text, plain, write_atomically
from recsim.metrics.model_error import PREFIX
from recsim.runs.folder import RunFolder, Trial
from recsim.scenario.schema import DataSpec, Scenario
from recsim.statistics import bootstrap, paired_comparison

__all__ = [
    "benchmark_table",
    "cases",
    "comparisons",
    "front_metrics",
    "held_out_text",
    "lower_is_better",
    "main_metrics",
    "seeds_table",
    "summary_table",
    "trials",
    "values_table",
    "write_summary",
]

# Of all other metrics, more is better, or it depends.
_LOWER_IS_BETTER = frozenset(
    {
        "al",
        "average_turns",
        "base_al",
        "churned_share",
        "gini",
        "lost",
        "regret_per_step",
        "regret_per_user",
    }
)

_MAIN_METRICS = (
    "early_reward_per_step",
    "reward_per_user",
    "return_per_user",
    "churned_share",
    "regret_per_step",
    "last_round_reward_per_step",
    "success_rate",
    "average_turns",
    "hdcg",
    "questions",
    "recommendations",
    "items_shown",
    "sr_final@1",
    "base_sr_final@1",
    "gain",
    "sr_first@10",
    "al",
    "mrr",
    "justification_f1",
)


def cases(data: DataSpec) -> dict[str, dict[str, Any]]:
    """Return the reader options of every combination of ``each``, by a name fit for a folder."""
    found: dict[str, dict[str, Any]] = {}
    for values in itertools.product(*data.each.values()):
        name = "-".join(re.sub(r"[^A-Za-z0-9_.+]", "_", str(value)) for value in values)
        name = name.lstrip(".") or "all"
        if name in found:
            name = f"{name}-{len(found)}"
        found[name] = dict(zip(data.each, values, strict=True))
    return found


def trials(scenario: Scenario) -> list[Trial]:
    """Return every trial of a scenario, in its order."""
    names = [""] if scenario.data is None else list(cases(scenario.data))
    return [
        Trial(agent.label, seed, case)
        for case in names
        for agent in scenario.agents
        for seed in scenario.seeds
    ]


def lower_is_better(metric: str) -> bool:
    """Return whether a small value of a metric is a good one."""
    return re.sub("^(first|last)_round_|@.*", "", metric) in _LOWER_IS_BETTER


def main_metrics(scenario: Scenario, known: Sequence[str]) -> list[str]:
    """Return the metrics to print: those that the scenario names, or the usual ones.

    A named one that no agent has, such as that of rankings that none makes, is left out.
    """
    if scenario.metrics is not None:
        return [name for name in scenario.metrics if name in known]
    if scenario.holdout is not None:
        k = scenario.holdout.cutoffs[-1]
        smaller = {f"{name}@{c}" for name in ("hit_rate", "ndcg", "precision") for c in range(k)}
        return [name for name in known if name not in smaller and not name.startswith(PREFIX)]
    # Whoever cannot return cannot stay away either.
    silent = set() if "return_per_user" in known else {"churned_share"}
    return [name for name in _MAIN_METRICS if name in known and name not in silent]


def front_metrics(scenario: Scenario, known: Sequence[str]) -> tuple[str, str]:
    """Return the immediate and the long-term metric that are drawn against each other."""
    if scenario.front is not None:
        return scenario.front
    if "last_round_reward_per_step" in known:
        return "first_round_reward_per_step", "last_round_reward_per_step"
    long_term = "return_per_user" if "return_per_user" in known else "reward_per_user"
    return "early_reward_per_step", long_term


def seeds_table(run: RunFolder) -> pd.DataFrame:
    """Return one row per finished trial: ``agent``, ``seed`` and a column per metric."""
    rows = [
        {"agent": trial.agent, "seed": trial.seed, **run.result(trial)["metrics"]}
        for trial in trials(run.scenario)
        if run.has(trial)
    ]
    return pd.DataFrame(rows, columns=None if rows else ["agent", "seed"])


def summary_table(run: RunFolder, seeds: pd.DataFrame) -> pd.DataFrame:
    """Return one row per agent and metric, over the finished seeds.

    Columns: ``agent``, ``metric``, ``seeds`` (how many), ``iqm`` with its bootstrap interval
    ``low`` ... ``high``, ``mean``, ``std`` (of the sample), ``min``, ``max``.
    """
    spec = run.scenario.bootstrap
    rows = []
    for agent, group in seeds.groupby("agent", sort=False):
        for metric in group.columns[2:]:
            scores = group[metric].to_numpy(dtype=np.float64)
            interval = bootstrap(scores, samples=spec.samples, level=spec.level)
            rows.append(
                {
                    "agent": agent,
                    "metric": metric,
                    "seeds": len(scores),
                    "iqm": interval.value,
                    "low": interval.low,
                    "high": interval.high,
                    "mean": scores.mean(),
                    "std": scores.std(ddof=1) if len(scores) > 1 else math.nan,
                    "min": scores.min(),
                    "max": scores.max(),
                }
            )
    columns = ["agent", "metric", "seeds", "iqm", "low", "high", "mean", "std", "min", "max"]
    return pd.DataFrame(rows, columns=columns)


def comparisons(run: RunFolder, seeds: pd.DataFrame) -> pd.DataFrame:
    """Return each agent against the first one of the scenario, paired by seed.

    Columns: ``agent``, ``baseline``, ``metric``, ``pairs``, ``difference`` (interquartile mean of
    agent minus baseline) with ``low`` ... ``high``, ``wins`` (share of seeds in which the agent
    is higher, ties count half), ``ties`` (seeds in which both are equal), ``p_value`` (two-sided
    sign-flip test).
    """
    spec = run.scenario.bootstrap
    baseline, *others = [agent.label for agent in run.scenario.agents]
    indexed = {str(name): group.set_index("seed") for name, group in seeds.groupby("agent")}
    rows = []
    for agent in others:
        if agent not in indexed or baseline not in indexed:
            continue
        mine, theirs = indexed[agent].align(indexed[baseline], join="inner", axis=0)
        if mine.empty:
            continue
        for metric in mine.columns[1:]:
            if str(metric).startswith(PREFIX):  # no agent's doing
                continue
            result = paired_comparison(
                mine[metric].to_numpy(dtype=np.float64),
                theirs[metric].to_numpy(dtype=np.float64),
                samples=spec.samples,
                level=spec.level,
            )
            rows.append(
                {
                    "agent": agent,
                    "baseline": baseline,
                    "metric": metric,
                    "pairs": result.pairs,
                    "difference": result.difference.value,
                    "low": result.difference.low,
                    "high": result.difference.high,
                    "wins": result.wins,
                    "ties": result.ties,
                    "p_value": result.p_value,
                }
            )
    return pd.DataFrame(rows)


def values_table(run: RunFolder) -> pd.DataFrame:
    """Return one row per estimate of a log scenario, and per reference.

    The rows of an agent are one per estimator; ``logged`` is the mean reward of the evaluated
    log itself, ``reference`` that of the log of the evaluated policy, where one is given.
    """
    rows: list[dict[str, Any]] = []
    finished = [trial for trial in trials(run.scenario) if run.has(trial)]
    for case, group in itertools.groupby(finished, key=lambda trial: trial.case):
        results = [run.result(trial) for trial in group]
        rows += [{"case": case, **row} for result in results for row in result["values"]]
        # Every trial reports the means of its case's logs; they are the same in all.
        rows += [{"case": case, **row} for row in results[0]["log"]]
    return pd.DataFrame(rows, columns=None if rows else ["case", "agent", "seed", "warnings"])


def benchmark_table(run: RunFolder) -> pd.DataFrame:
    """Return `recsim.estimators.accuracy.accuracy_table` over the finished trials."""
    rows = [
        row
        for trial in trials(run.scenario)
        if run.has(trial)
        for row in run.result(trial)["accuracy"]
    ]
    return accuracy_table(rows, level=run.scenario.bootstrap.level)


def held_out_text(run: RunFolder) -> str:
    """Say what became of the rows of a log, where that is told, and how much is held out."""
    results = [run.result(trial) for trial in trials(run.scenario) if run.has(trial)]
    told = ", ".join(f"{count:,} {name}" for name, count in results[0]["log"].items())
    held_out = []
    for name in ("users", "sessions"):
        counts = sorted({result["held_out"][name] for result in results})
        ends = (counts[0], counts[-1])[: len(counts)]
        held_out.append(f"{' to '.join(f'{count:,}' for count in ends)} {name}")
    log = f"Read from the log: {told}. " if told else ""
    return f"{log}Held out: {' with '.join(held_out)}."


def write_summary(run: RunFolder) -> None:
    """Write ``summary.csv``, ``summary.json`` and, with metrics per seed, ``seeds.csv``."""
    missing = [str(trial) for trial in trials(run.scenario) if not run.has(trial)]
    content: dict[str, Any] = {
        **run.info,
        "missing": missing,
        "level": run.scenario.bootstrap.level,
    }
    if run.scenario.kind in {"env", "holdout"}:
        seeds = seeds_table(run)
        table = summary_table(run, seeds)
        write_atomically(run.path / "seeds.csv", csv_text(seeds))
        content["metrics"] = table.to_dict(orient="records")
        content["comparisons"] = comparisons(run, seeds).to_dict(orient="records")
    elif run.scenario.benchmark is not None:
        table = benchmark_table(run)
        content["accuracy"] = table.to_dict(orient="records")
    else:
        values = values_table(run)
        content["values"] = values.to_dict(orient="records")
        table = values.assign(warnings=[" | ".join(texts) for texts in values["warnings"]])
    write_atomically(run.path / "summary.csv", csv_text(table))
    write_atomically(
        run.path / "summary.json", json.dumps(plain(content), indent=2, allow_nan=False) + "\n"
    )
