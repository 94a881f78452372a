"""Kinds of trials that give named metrics: tables over seeds, and comparisons paired by seed."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from recsim.contracts.slates import FitReport
from recsim.errors import ScenarioError, did_you_mean
from recsim.metrics.metric import Metric, added_metrics, metric_of
from recsim.metrics.model_error import PREFIX, model_error_text
from recsim.report.summary import Note, Summary, Table
from recsim.report.words import interval_text, p_text, seeds_note, wins_text
from recsim.scenario.keys import distinct
from recsim.scenario.schema import BootstrapSpec, Scenario
from recsim.scenario.trial import Results, Trial, TrialResult
from recsim.statistics import bootstrap, paired_comparison

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_STATISTICS = ["agent", "metric", "seeds", "iqm", "low", "high", "mean", "std", "min", "max"]


class Measured(Scenario):
    """A kind of trial whose result holds ``metrics``, numbers by name.

    Class attributes:
        declared: The metrics, in the order in which they are shown.

    Attributes:
        metrics: Columns of the printed table; the files hold all metrics.
    """

    declared: ClassVar[tuple[Metric, ...]]

    metrics: Annotated[tuple[str, ...], Field(min_length=1, strict=False)] | None = None

    @field_validator("metrics")
    @classmethod
    def _metrics_differ(cls, values: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return values and distinct(values)

    @abstractmethod
    def figures(
        self, results: Results, seeds: pd.DataFrame, table: pd.DataFrame
    ) -> Mapping[str, Callable[[], Figure]]:
        """Return a function that draws each picture, by file name.

        Args:
            results: The finished trials.
            seeds: From `seeds_table`.
            table: From `metrics_table`.
        """

    def notes(self, results: Results) -> list[Note]:
        """Return notes to print below the table."""
        return []

    def lower_is_better(self, name: str) -> bool:
        """Return whether small values of a metric are good."""
        return metric_of(name, self._all_metrics()).better == "low"

    def shown_metrics(self, known: Sequence[str]) -> list[str]:
        """Return the metrics to print: those that the scenario names, or the usual ones.

        Named metrics that no agent has are left out, such as those of rankings if no agent ranks.
        """
        if self.metrics is not None:
            return [name for name in self.metrics if name in known]
        return [name for name in self.usual_metrics(known) if name in known]

    def usual_metrics(self, known: Sequence[str]) -> list[str]:
        """Return the metrics to print where the scenario names none."""
        return [name for metric in self._all_metrics() if metric.shown for name in metric.names]

    def check_metrics(self, key: str, names: Iterable[str], known: Sequence[str]) -> None:
        """Refuse names of metrics that trials of this scenario do not give.

        Raises:
            ScenarioError: Names the nearest one that they do.
        """
        known = [*known, *(metric.name for metric in added_metrics(self.name_of_kind))]
        for name in names:
            if name not in known:
                raise ScenarioError(f"{key}: unknown metric {name!r}.{did_you_mean(name, known)}")

    def measured(
        self,
        trial: Trial,
        metrics: Mapping[str, float],
        played: Any = None,
        agent: Any = None,
        fitted: FitReport | None = None,
        *,
        curves: pd.DataFrame | None = None,
        **numbers: Any,
    ) -> TrialResult:
        """Return the result of a trial.

        Args:
            trial: Which one.
            metrics: Numbers by name.
            played: What metrics of other packages are computed from.
            agent: The agent after the trial, whose state is kept; None for none.
            fitted: What its training did, if there was any.
            curves: Curves over time.
            **numbers: Further numbers.
        """
        added = {m.name: m.compute(played) for m in added_metrics(self.name_of_kind) if m.compute}
        head: dict[str, Any] = {"agent": trial.agent, "seed": trial.seed}
        return TrialResult(
            head | {"metrics": {**metrics, **added}, **numbers} | fit_numbers(fitted),
            curves,
            {} if agent is None else agent.state_dict(),
        )

    def summarise(self, results: Results) -> Summary:
        """Return the table of metrics, the paired comparisons and the pictures."""
        seeds = seeds_table(self, results)
        table = metrics_table(seeds, self.bootstrap)
        paired = comparisons_table(self, seeds)
        names = self.shown_metrics(list(seeds.columns[2:]))
        tables = [
            Table("seeds", seeds, file="seeds.csv"),
            Table("metrics", table, file="summary.csv", in_json=True),
            Table("comparisons", paired, in_json=True),
        ]
        if seeds.empty:
            return Summary(tables)
        level = f"{self.bootstrap.level:.0%}"
        tables.append(
            Table(
                "main",
                _cells(table, names),
                title=f"{self.name}: interquartile mean over seeds [{level} bootstrap interval]",
                notes=[*self.notes(results), *_limits(seeds, table)],
                console=True,
                report=True,
            )
        )
        if len(paired):
            tables.append(
                Table(
                    "differences",
                    _differences(paired[paired["metric"].isin(names)]),
                    title="Differences from the first agent, paired by seed. With few seeds p "
                    "cannot be small.",
                    report=True,
                )
            )
        tables.append(
            Table(
                "units",
                self._units(names),
                title="What the metrics are counted in, and which values are better.",
                left=3,
                report=True,
            )
        )
        return Summary(tables, self.figures(results, seeds, table))

    def curves_figure(
        self, results: Results, panels: Sequence[tuple[str, str]]
    ) -> Callable[[], Figure]:
        """Return a function that draws the curves of all agents."""
        from recsim.report import plots

        curves = {
            agent.label: [
                results.curves(trial)
                for trial in self.finished(results)
                if trial.agent == agent.label
            ]
            for agent in self.agents
        }
        return partial(
            plots.reward_curves,
            {label: group for label, group in curves.items() if group},
            panels,
            level=self.bootstrap.level,
            title=self.name,
        )

    def _units(self, names: Sequence[str]) -> pd.DataFrame:
        """Return what is declared of metrics, one row each."""
        import pandas as pd

        declared = self._all_metrics()
        metrics = [metric_of(name, declared) for name in names]
        rows = [[name, m.unit, m.better or "-"] for name, m in zip(names, metrics, strict=True)]
        return pd.DataFrame(rows, columns=["metric", "unit", "better"])

    def _all_metrics(self) -> tuple[Metric, ...]:
        return (*self.declared, *added_metrics(self.name_of_kind))


def fit_numbers(fitted: FitReport | None) -> dict[str, Any]:
    """Return what training did, as plain data; nothing without training."""
    return {} if fitted is None else {"fit": {"rows": fitted.rows, "losses": fitted.losses}}


def seeds_table(scenario: Scenario, results: Results) -> pd.DataFrame:
    """Return one row per finished trial: ``agent``, ``seed`` and a column per metric."""
    import pandas as pd

    rows = [
        {"agent": trial.agent, "seed": trial.seed, **results.result(trial)["metrics"]}
        for trial in scenario.finished(results)
    ]
    return pd.DataFrame(rows, columns=None if rows else ["agent", "seed"])


def metrics_table(seeds: pd.DataFrame, spec: BootstrapSpec) -> pd.DataFrame:
    """Return one row per agent and metric.

    Columns: ``agent``, ``metric``, ``seeds`` (how many), ``iqm`` with its bootstrap interval
    ``low`` ... ``high``, ``mean``, ``std`` (of the sample), ``min``, ``max``.
    """
    import pandas as pd

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
    return pd.DataFrame(rows, columns=_STATISTICS)


def comparisons_table(scenario: Scenario, seeds: pd.DataFrame) -> pd.DataFrame:
    """Return each agent against the first one of the scenario, paired by seed.

    Columns: ``agent``, ``baseline``, ``metric``, ``pairs``, ``difference`` (interquartile mean of
    agent minus baseline) with ``low`` ... ``high``, ``wins`` (share of seeds in which the agent
    is higher, ties count half), ``ties`` (seeds in which both are equal), ``p_value`` (two-sided
    sign-flip test).
    """
    import pandas as pd

    spec = scenario.bootstrap
    baseline, *others = [agent.label for agent in scenario.agents]
    indexed = {str(name): group.set_index("seed") for name, group in seeds.groupby("agent")}
    rows = []
    for agent in others:
        if agent not in indexed or baseline not in indexed:
            continue
        mine, theirs = indexed[agent].align(indexed[baseline], join="inner", axis=0)
        if mine.empty:
            continue
        for metric in mine.columns[1:]:
            if str(metric).startswith(PREFIX):  # errors of the user model do not depend on agents
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


def _limits(seeds: pd.DataFrame, table: pd.DataFrame) -> list[Note]:
    """Return the error of the model of users, if there is one, and a note where seeds are few."""
    notes = [Note(model_error_text(seeds)), Note(seeds_note(int(table["seeds"].min())), "note")]
    return [note for note in notes if note.text]


def _cells(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for agent, group in table.groupby("agent", sort=False):
        by_metric = group.set_index("metric")
        cells = [interval_text(*by_metric.loc[name, ["iqm", "low", "high"]]) for name in names]
        rows.append([str(agent), str(group["seeds"].iloc[0]), *cells])
    heads = ["agent", "seeds", *(name.replace("_", " ") for name in names)]
    return pd.DataFrame(rows, columns=heads)


def _differences(paired: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    rows = [
        [
            f"{row['agent']} against {row['baseline']}",
            row["metric"],
            interval_text(row["difference"], row["low"], row["high"]),
            wins_text(row["wins"], row["ties"], row["pairs"]),
            p_text(row["p_value"]),
        ]
        for _, row in paired.iterrows()
    ]
    return pd.DataFrame(
        rows, columns=["difference", "metric", "value", "higher in", "p (sign flips)"]
    )
