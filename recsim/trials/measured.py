"""Kinds of trials that give named metrics: tables over seeds, and comparisons paired by seed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from recsim.contracts.reads import reads_text, seen_by
from recsim.contracts.slates import FitReport, loss_rows
from recsim.errors import ScenarioError, did_you_mean
from recsim.metrics.metric import Metric, added_metrics, metric_of
from recsim.metrics.model_error import model_error_text
from recsim.report.intervals import (
    doubt_notes,
    few_seeds,
    metric_cells,
    pair_cells,
    pair_rows,
    resolution,
    undefined_notes,
)
from recsim.report.summary import Note, Summary, Table
from recsim.report.words import counted
from recsim.scenario.keys import distinct
from recsim.scenario.schema import Scenario
from recsim.scenario.trial import Results, Trial, TrialResult
from recsim.trials.over_seeds import (
    UserSums,
    compared_pairs,
    comparisons_table,
    metrics_table,
    seeds_table,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class Measured(Scenario):
    """A kind of trial whose result holds ``metrics``, numbers by name.

    Class attributes:
        declared: The metrics, in the order in which they are shown.

    Attributes:
        metrics: Columns of the printed table; the files hold all metrics.
        baseline: Label of the agent that the others are compared with; by default the first.
        pairs: Whether each agent is compared with the ``baseline``, or ``all`` with all.
    """

    declared: ClassVar[tuple[Metric, ...]]

    metrics: Annotated[tuple[str, ...], Field(min_length=1, strict=False)] | None = None
    baseline: str | None = None
    pairs: Literal["baseline", "all"] = "baseline"

    @model_validator(mode="after")
    def _check_baseline(self) -> Self:
        labels = [agent.label for agent in self.agents]
        if self.pairs == "all" and len(labels) == 1:
            raise ValueError("'pairs: all' has no effect with one agent: remove it")
        if self.baseline is None:
            return self
        if self.baseline not in labels:
            near = did_you_mean(self.baseline, labels)
            raise ValueError(f"'baseline': no agent has the label {self.baseline!r}.{near}")
        if self.pairs == "all":
            raise ValueError("'baseline' has no effect with 'pairs: all': remove one of them")
        return self

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

    def derived(self, seeds: pd.DataFrame) -> pd.DataFrame:
        """Return the table of seeds with the metrics that compare agents, if the kind has any."""
        return seeds

    def hidden_metrics(self, results: Results) -> frozenset[str]:
        """Return metrics that are not printed here unless the scenario names them."""
        return frozenset()

    def further_tables(self, results: Results, names: Sequence[str]) -> list[Table]:
        """Return tables after those of metrics and differences.

        Args:
            results: The finished trials.
            names: The metrics that are printed.
        """
        return []

    def explained(self, names: Sequence[str], seeds: pd.DataFrame, results: Results) -> list[str]:
        """Return sentences on metrics that are easily misread.

        Args:
            names: The metrics that are printed.
            seeds: From `derived`.
            results: The finished trials.
        """
        return []

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
        users: pd.DataFrame | None = None,
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
            users: Sums by user, where every seed has the same users.
            **numbers: Further numbers.
        """
        seen = {} if agent is None else {"seen": seen_by(agent)}
        added = {m.name: m.compute(played) for m in added_metrics(self.name_of_kind) if m.compute}
        head: dict[str, Any] = {"agent": trial.agent, "seed": trial.seed}
        return TrialResult(
            head | {"metrics": {**metrics, **added}, **numbers} | seen | fit_numbers(fitted),
            curves,
            {} if agent is None else agent.state_dict(),
            users,
        )

    def summarise(self, results: Results) -> Summary:
        """Return the table of metrics, the paired comparisons and the pictures."""
        own = seeds_table(self, results)
        seeds, users = self.derived(own), UserSums(self, results)
        table = metrics_table(seeds, self.level, users)
        # Derived metrics are differences of agents already.
        paired = comparisons_table(self.compared, own, self.level, users)
        names = self.shown_metrics(list(seeds.columns[2:]))
        if self.metrics is None:
            hidden = self.hidden_metrics(results)
            names = [name for name in names if name not in hidden]
        tables = [
            Table("seeds", seeds, file="seeds.csv"),
            Table("metrics", table, file="summary.csv", in_json=True),
            Table("comparisons", paired, in_json=True),
        ]
        if seeds.empty:
            return Summary(tables)
        few = few_seeds(int(seeds.groupby("agent").size().min()))
        texts = [
            *self.explained(names, seeds, results),
            model_error_text(seeds),
            seen_text(self, results),
        ]
        of_results = [*self.notes(results), *map(Note, texts), Note(few, "note")]
        tables += self._shown(table, names, any(map(users.has, names)), of_results)
        if len(paired):
            compared = [name for name in names if name in own]
            tables += self._shown_pairs(paired, compared, any(map(users.has, names)))
        tables += self.further_tables(results, names)
        tables.append(
            Table(
                "units",
                self._units(names),
                title="What the metrics are counted in, and which values are better.",
                left=3,
                report=True,
            )
        )
        figures = {**self.figures(results, seeds, table), **self._losses_figure(results)}
        return Summary(tables, {name: partial(_noted, draw, few) for name, draw in figures.items()})

    @property
    def compared(self) -> list[tuple[str, str]]:
        """The pairs of agents that are compared."""
        labels = [agent.label for agent in self.agents]
        return compared_pairs(labels, self.baseline, self.pairs == "all")

    def _shown(
        self,
        table: pd.DataFrame,
        names: Sequence[str],
        crossed: bool,
        notes: Sequence[Note],
    ) -> list[Table]:
        """Return the table of means, and that of interquartile means."""
        level = f"{self.level:.0%}"
        over = f"seeds and users [{level} interval]" if crossed else f"seeds [{level} t interval]"
        notes = [*notes, *undefined_notes(table, names), *doubt_notes(table, names, self.level)]
        means = Table(
            "main",
            metric_cells(table, names),
            title=f"{self.name}: mean over {over}",
            notes=[note for note in notes if note.text],
            console=True,
            report=True,
        )
        if crossed:
            return [means]
        middle = Table(
            "iqm",
            metric_cells(table, names, "iqm", "iqm_"),
            title=f"Interquartile mean over seeds [{level} Tukey-McLaughlin interval]",
            report=True,
        )
        return [means, middle]

    def _shown_pairs(
        self, paired: pd.DataFrame, names: Sequence[str], crossed: bool
    ) -> list[Table]:
        """Return the table of differences, short for the console and long for the report."""
        shown = paired[paired["metric"].isin(names)]
        by = "seed and user" if crossed else "seed"
        count = len(self.compared)
        of_all = f"all {count} pairs" if count > 1 else "1 pair"
        of_pairs = of_all if self.pairs == "all" else counted(count, "comparison")
        alpha = 1 - self.level
        title = f"Differences, paired by {by} [{self.level:.0%} interval]"
        notes = [Note(resolution(shown, names, self.level, crossed=crossed))]
        notes += undefined_notes(shown, names) + doubt_notes(shown, names, self.level)
        notes = [note for note in notes if note.text]
        return [
            Table(
                "paired",
                pair_cells(shown, names, alpha),
                title=f"{title}; * p < {alpha:.2g} after Holm's correction ({of_pairs})",
                notes=notes,
                console=True,
            ),
            Table(
                "differences",
                pair_rows(shown),
                title=f"{title}; Holm's correction is for {of_pairs}.",
                notes=notes,
                left=2,
                report=True,
            ),
        ]

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
            level=self.level,
            title=self.name,
        )

    def _losses_figure(self, results: Results) -> dict[str, Callable[[], Figure]]:
        """Return a function that draws the losses of training, if agents report some."""
        from recsim.report import plots

        fits: dict[str, list[Any]] = {}
        for trial in self.finished(results):
            rows = results.result(trial).get("fit", {}).get("losses", [])
            if any(values for _, values in loss_rows(rows)):
                fits.setdefault(trial.agent, []).append(rows)
        return {"losses": partial(plots.losses, fits, title=self.name)} if fits else {}

    def _units(self, names: Sequence[str]) -> pd.DataFrame:
        """Return what is declared of metrics, one row each."""
        import pandas as pd

        declared = self._all_metrics()
        metrics = [metric_of(name, declared) for name in names]
        rows = [[name, m.unit, m.better or "-"] for name, m in zip(names, metrics, strict=True)]
        return pd.DataFrame(rows, columns=["metric", "unit", "better"])

    def _all_metrics(self) -> tuple[Metric, ...]:
        return (*self.declared, *added_metrics(self.name_of_kind))


def seen_text(scenario: Scenario, results: Results) -> str:
    """Return a sentence on what the agents of the finished trials see; "" if none says."""
    contents = {trial.agent: results.result(trial) for trial in scenario.finished(results)}
    return reads_text({label: c["seen"] for label, c in contents.items() if "seen" in c})


def fit_numbers(fitted: FitReport | None) -> dict[str, Any]:
    """Return what training did, as plain data; nothing without training."""
    return {} if fitted is None else {"fit": {"rows": fitted.rows, "losses": fitted.losses}}


def _noted(draw: Callable[[], Figure], note: str) -> Figure:
    """Return a picture with a note at its foot."""
    from recsim.report import plots

    figure = draw()
    if note:
        plots.add_note(figure, note)
    return figure
