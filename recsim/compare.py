"""Compare agents in this process: the Python face of a scenario."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console

from recsim.errors import RunError, ScenarioError
from recsim.files import plain, with_nan
from recsim.log import SlateLog
from recsim.report.console import Reporter
from recsim.report.html import Page, write_report
from recsim.report.summary import Summary
from recsim.runs.executor import one_thread
from recsim.runs.folder import versions
from recsim.runs.tracking import Tracker, Tracking
from recsim.scenario.agents import AgentSpec
from recsim.scenario.kinds import parse_scenario
from recsim.scenario.schema import Scenario
from recsim.scenario.sources import DataSpec
from recsim.scenario.trial import Trial, TrialResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def compare(
    source: str | Mapping[str, Any] | SlateLog,
    agents: Iterable[Any] | Mapping[str, Any] = (),
    *,
    seeds: int | Iterable[int] | None = None,
    users: int | None = None,
    progress: bool | None = None,
    trackers: Sequence[Tracker] = (),
    **keys: Any,
) -> Comparison:
    """Compare agents among simulated users or on a log; everything runs in this process.

    The numbers are those that the same scenario gives on the command line.

    Args:
        source: The id of an environment, such as ``"SlateRec-v0"``; its settings, such as
            ``{"preset": "retention"}``; a whole scenario as a mapping; or a log.
        agents: Names, mappings with the keys of an entry of a scenario, classes that follow the
            agent contract, or instances, of which every trial uses a copy. A mapping gives their
            labels. May be left out where ``source`` is a scenario.
        seeds: Number of seeds, or the seeds themselves.
        users: Simulated users at a time.
        progress: Whether progress is shown on standard error; by default on a terminal only.
        trackers: Objects that finished trials are logged to; see `recsim.runs.tracking`.
        **keys: Further keys of a scenario, such as ``steps``, ``baseline``, ``training_log`` (also
            a log) or ``estimators``.

    Returns:
        Tables, curves and pictures.

    Raises:
        UserError: If the comparison cannot run; says which key is wrong.
    """
    if isinstance(seeds, Iterable) and not isinstance(seeds, str):
        seeds = list(seeds)
    keys |= {"seeds": plain(seeds), "users": plain(users)}
    content = _content(source) | {key: value for key, value in keys.items() if value is not None}
    entries = [AgentSpec.of(label, agent) for label, agent in _labelled(agents)]
    if entries:
        content["agents"] = entries
    training = content.get("training_log")
    if isinstance(training, SlateLog):
        content["training_log"] = {"data": DataSpec.of(training)}
    scenario = parse_scenario(content)
    scenario.check()
    results = _Memory()
    trials = scenario.trials()
    show = sys.stderr.isatty() if progress is None else progress
    console = Console(stderr=True, quiet=not show)
    tracking = Tracking(trackers, Console(stderr=True))
    tracking.start(scenario.name, scenario.resolved() if trackers else {})
    try:
        with Reporter(console, len(trials)) as reporter:
            for trial in trials:
                with one_thread():
                    result = scenario.run(trial)
                results.keep(trial, result)
                reporter.finished(trial)
                tracking.finished(trial, with_nan(dict(result.numbers)), result.curves)
    finally:
        tracking.finish()
    return Comparison(scenario, results)


class Comparison:
    """The result of `compare`.

    Attributes:
        scenario: What was run.
        summary: All tables and pictures.
    """

    def __init__(self, scenario: Scenario, results: _Memory) -> None:
        self.scenario = scenario
        self.summary: Summary = scenario.summarise(results)
        self._results = results

    @property
    def table(self) -> pd.DataFrame:
        """The numbers of ``summary.csv``: one row per agent and metric, or per estimate."""
        tables = self.summary.tables
        return next((t.data for t in tables if t.file == "summary.csv"), pd.DataFrame())

    @property
    def groups(self) -> pd.DataFrame:
        """The numbers of ``groups.csv``: as `table`, by ``group``; empty without ``by``."""
        return self._named("groups")

    @property
    def group_differences(self) -> pd.DataFrame:
        """The numbers of ``group_differences.csv``: as `differences`, by ``group``; or empty."""
        return self._named("group_differences")

    @property
    def differences(self) -> pd.DataFrame:
        """Differences of pairs of agents, paired by seed; for logs, from the same impressions."""
        return self._named("comparisons")

    @property
    def curves(self) -> pd.DataFrame:
        """The curves of all trials, one below the other, with ``agent`` and ``seed``; or empty."""
        frames = [
            curves.reset_index().assign(agent=trial.agent, seed=trial.seed)
            for trial, curves in self._results.all_curves().items()
        ]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def plot(self, name: str = "") -> Figure:
        """Draw a picture.

        Args:
            name: ``curves``, ``front``, ``metrics``, ``estimates`` or ``accuracy``, whichever this
                kind of trial has; by default the first.

        Raises:
            ScenarioError: If there is no such picture.
        """
        figures = self.summary.figures
        name = name or next(iter(figures), "")
        if name not in figures:
            known = ", ".join(figures) or "none"
            raise ScenarioError(f"no picture {name!r}; there are: {known}.")
        return figures[name]()

    def report(self, path: str | Path) -> Path:
        """Write an HTML report that needs nothing beside it, and return its path.

        Raises:
            RunError: If the file cannot be written.
        """
        scenario = self.scenario
        page = Page(
            title=scenario.name,
            question=scenario.question or scenario.description,
            versions=versions(),
        )
        path = Path(path)
        try:
            write_report(path, page, self.summary, pictures=False)
        except OSError as error:
            raise RunError(f"the report cannot be written to {path}: {error.strerror}.") from error
        return path

    def _named(self, name: str) -> pd.DataFrame:
        return next((t.data for t in self.summary.tables if t.name == name), pd.DataFrame())

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(agent.label for agent in self.scenario.agents)}>"


class _Memory:
    """Finished trials in memory."""

    def __init__(self) -> None:
        self._results: dict[Trial, TrialResult] = {}

    def keep(self, trial: Trial, result: TrialResult) -> None:
        """Keep the result of a trial, without its agent."""
        numbers = with_nan(dict(result.numbers))
        self._results[trial] = TrialResult(numbers, result.curves, users=result.users)

    def has(self, trial: Trial) -> bool:
        """Return whether a trial is finished."""
        return trial in self._results

    def result(self, trial: Trial) -> dict[str, Any]:
        """Return the numbers of a finished trial."""
        return dict(self._results[trial].numbers)

    def curves(self, trial: Trial) -> pd.DataFrame:
        """Return the curves of a finished trial."""
        curves = self._results[trial].curves
        assert curves is not None
        return curves

    def users(self, trial: Trial) -> pd.DataFrame | None:
        """Return the sums by user of a finished trial."""
        return self._results[trial].users

    def all_curves(self) -> dict[Trial, pd.DataFrame]:
        """Return the curves of every trial that has some."""
        return {
            t: result.curves for t, result in self._results.items() if result.curves is not None
        }


def _content(source: str | Mapping[str, Any] | SlateLog) -> dict[str, Any]:
    head = {"name": "comparison", "description": "A comparison from Python."}
    if isinstance(source, SlateLog):
        return head | {"data": DataSpec.of(source)}
    if isinstance(source, str):
        return head | {"env": {"id": source}}
    if isinstance(source, Mapping):
        sources = ("env", "data", "benchmark")
        whole = not source.keys().isdisjoint({"agents", "kind"}) or any(
            isinstance(source.get(key), Mapping) for key in sources
        )
        return head | (dict(source) if whole else {"env": dict(source)})
    raise ScenarioError(
        "compare takes the id of an environment, its settings, a scenario or a log, not "
        f"{type(source).__name__}."
        + (
            " Read the table with read_log('table', data=..., columns={...})."
            if hasattr(source, "__arrow_c_stream__")
            else ""
        )
    )


def _labelled(agents: Iterable[Any] | Mapping[str, Any]) -> list[tuple[str, Any]]:
    if isinstance(agents, Mapping):
        return list(agents.items())
    if isinstance(agents, str) or not isinstance(agents, Iterable):
        raise ScenarioError(f"agents must be a list, such as [{agents!r}].")
    return [(_label(agent), agent) for agent in agents]


def _label(agent: Any) -> str:
    if isinstance(agent, str):
        return agent
    if isinstance(agent, Mapping):
        return str(agent.get("label", agent.get("name", "agent")))
    return agent.__name__ if inspect.isclass(agent) else type(agent).__name__
