"""Tables over seeds: metrics with intervals, and pairs of agents compared on the same seeds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from recsim.arrays import Floats
from recsim.metrics.model_error import PREFIX
from recsim.metrics.seeds import doubt
from recsim.scenario.schema import Scenario
from recsim.scenario.trial import Results
from recsim.statistics import (
    Comparison,
    Interval,
    compared,
    crossed_interval,
    holm,
    iqm,
    iqm_interval,
    paired_comparison,
    paired_differences,
    ratio,
    t_interval,
)

if TYPE_CHECKING:
    import pandas as pd

_STATISTICS = [
    *("agent", "metric", "seeds", "mean", "low", "high", "iqm", "iqm_low", "iqm_high"),
    *("std", "min", "max", "doubt"),
]


class UserSums:
    """Sums by user of the finished trials, where every seed has the same users.

    Args:
        scenario: The scenario.
        results: Its finished trials.
    """

    def __init__(self, scenario: Scenario, results: Results) -> None:
        self._frames: dict[str, dict[int, pd.DataFrame]] = {}
        for trial in scenario.finished(results):
            frame = results.users(trial)
            if frame is not None:
                self._frames.setdefault(trial.agent, {})[trial.seed] = frame.set_index("user")
        every = [f.index.to_numpy() for frames in self._frames.values() for f in frames.values()]
        self._users = np.unique(np.concatenate(every)) if every else np.zeros(0)

    def has(self, metric: str) -> bool:
        """Return whether there are sums of a metric in all trials."""
        frames = [f for by_seed in self._frames.values() for f in by_seed.values()]
        return bool(frames) and all(metric in frame for frame in frames)

    def ratio(self, agent: str, metric: str, seeds: Sequence[int]) -> tuple[float, Floats]:
        """Return an agent's mean of a metric, and what each seed and user adds to its error.

        Args:
            agent: Label.
            metric: One that `has`.
            seeds: Finished seeds of the agent.

        Returns:
            As `recsim.statistics.ratio`.
        """
        sums, counts = [], []
        for seed in seeds:
            frame = self._frames[agent][seed].reindex(self._users, fill_value=0)
            own = f"{metric}.count"
            sums.append(frame[metric].to_numpy(dtype=np.float64))
            counts.append(frame[own if own in frame else "episodes"].to_numpy(dtype=np.float64))
        return ratio(np.stack(sums), np.stack(counts))  # (S, U)


def seeds_table(scenario: Scenario, results: Results) -> pd.DataFrame:
    """Return one row per finished trial: ``agent``, ``seed`` and a column per metric."""
    import pandas as pd

    rows = [
        {"agent": trial.agent, "seed": trial.seed, **results.result(trial)["metrics"]}
        for trial in scenario.finished(results)
    ]
    return pd.DataFrame(rows, columns=None if rows else ["agent", "seed"])


def metrics_table(seeds: pd.DataFrame, level: float, users: UserSums | None = None) -> pd.DataFrame:
    """Return one row per agent and metric.

    Args:
        seeds: From `seeds_table`.
        level: Nominal coverage of the intervals.
        users: Sums by user, where every seed has the same users.

    Returns:
        Columns: ``agent``, ``metric``, ``seeds`` (how many have the metric; those in which it is
        undefined, NaN, are left out); ``mean`` with its t interval ``low``
        ... ``high``, or, of metrics with sums by user, the mean over seeds and users with its
        two-way interval; ``iqm`` over seeds with the Tukey-McLaughlin interval ``iqm_low`` ...
        ``iqm_high``; ``std`` (of the sample), ``min``, ``max``; and ``doubt`` about the t
        interval, see `recsim.metrics.seeds.doubt`, or ``-``.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for agent, group in seeds.groupby("agent", sort=False):
        for metric in group.columns[2:]:
            results = group[metric].to_numpy(dtype=np.float64)
            (scores,) = _defined(results)
            if users is not None and users.has(metric):
                value, errors = users.ratio(str(agent), metric, list(group["seed"]))
                interval = crossed_interval(value, errors, level)
                doubted = _constant(value, errors)
            else:
                interval = t_interval(scores, level)
                doubted = doubt(scores) or "-"
            iqm_low, iqm_high = iqm_interval(scores, level)
            rows.append(
                {
                    "agent": agent,
                    "metric": metric,
                    "seeds": int(np.count_nonzero(~np.isnan(results))),
                    "mean": interval.value,
                    "low": interval.low,
                    "high": interval.high,
                    "iqm": iqm(scores),
                    "iqm_low": iqm_low,
                    "iqm_high": iqm_high,
                    "std": scores.std(ddof=1) if len(scores) > 1 else math.nan,
                    "min": scores.min(),
                    "max": scores.max(),
                    "doubt": doubted,
                }
            )
    return pd.DataFrame(rows, columns=_STATISTICS)


def comparisons_table(
    pairs: Sequence[tuple[str, str]],
    seeds: pd.DataFrame,
    level: float,
    users: UserSums | None = None,
) -> pd.DataFrame:
    """Return the differences of pairs of agents, paired by seed.

    Args:
        pairs: Labels of each agent and of the one that it is compared with.
        seeds: From `seeds_table`.
        level: Nominal coverage of the intervals.
        users: Sums by user, where every seed has the same users; differences are then paired by
            seed and user.

    Returns:
        Columns: ``agent``, ``baseline``, ``metric``, ``pairs`` (common seeds, without those in
        which the metric is undefined for one of the two); ``difference`` (mean
        of agent minus baseline) with its interval ``low`` ... ``high``, as in `metrics_table`;
        ``wins`` and ``ties`` (number of seeds in which the agent is higher, and in which both are
        equal); ``p_value`` of the t test of the interval; ``p_holm``, adjusted by
        Holm's method for all pairs of the metric; ``error`` and ``df`` (standard error of the
        difference and its degrees of freedom); and ``doubt`` about the t interval.
    """
    import pandas as pd

    indexed = {str(name): group.set_index("seed") for name, group in seeds.groupby("agent")}
    rows = []
    for agent, baseline in pairs:
        if agent not in indexed or baseline not in indexed:
            continue
        mine, theirs = indexed[agent].align(indexed[baseline], join="inner", axis=0)
        if mine.empty:
            continue
        for metric in map(str, mine.columns[1:]):
            if metric.startswith(PREFIX):  # errors of the user model do not depend on agents
                continue
            results = [f[metric].to_numpy(dtype=np.float64) for f in (mine, theirs)]
            first, second = _defined(*results)
            differences = paired_differences(first, second)
            if users is not None and users.has(metric):
                both = [users.ratio(name, metric, list(mine.index)) for name in (agent, baseline)]
                (a, z_a), (b, z_b) = both
                result = compared(differences, crossed_interval(a - b, z_a - z_b, level))
                doubted = _constant(a - b, z_a - z_b)
            else:
                result = paired_comparison(first, second, level=level)
                doubted = doubt(differences) or "-"
            pair = {"agent": agent, "baseline": baseline, "metric": metric}
            number = {"pairs": int(np.count_nonzero(~np.isnan(results).any(axis=0)))}
            rows.append({**pair, **_row(result), **number, "doubt": doubted})
    table = pd.DataFrame(rows)
    if len(table):
        adjusted = table.groupby("metric")["p_value"].transform(lambda p: holm(p.to_numpy()))
        table.insert(list(table.columns).index("p_value") + 1, "p_holm", adjusted)
    return table


def compared_pairs(
    labels: Sequence[str], baseline: str | None, every: bool
) -> list[tuple[str, str]]:
    """Return the pairs that are compared: each agent with the baseline, or all with all.

    Args:
        labels: The agents.
        baseline: The agent that the others are compared with; by default the first.
        every: Whether all pairs are compared.
    """
    if every:
        return [(later, earlier) for earlier, later in itertools.combinations(labels, 2)]
    base = baseline or labels[0]
    return [(label, base) for label in labels if label != base]


def _defined(*results: Floats) -> list[Floats]:
    """Return the results in the seeds in which all are numbers; in all seeds if there are none."""
    undefined = np.isnan(results).any(axis=0)
    return [of if undefined.all() else of[~undefined] for of in results]


def _constant(value: float, contributions: Floats) -> str:
    """Return ``constant``, as `doubt`, if no seed and user differs from the mean; else ``-``."""
    return "constant" if np.abs(contributions).max() <= 1e-12 * abs(value) else "-"


def _row(result: Comparison) -> Mapping[str, Any]:
    interval: Interval = result.difference
    content = asdict(interval)
    return {
        "pairs": result.pairs,
        "difference": interval.value,
        "low": interval.low,
        "high": interval.high,
        "wins": result.wins,
        "ties": result.ties,
        **{name: content[name] for name in ("p_value", "error", "df")},
    }
