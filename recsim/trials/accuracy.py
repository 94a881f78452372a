"""How accurate are estimators, where the value is known?"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, PositiveInt, model_validator

import agents
from recsim.contracts.slates import Agent
from recsim.errors import located
from recsim.estimators import evaluate
from recsim.estimators.accuracy import COVERS, ErrorSums, accuracy_table, misses, seeds_of_logs
from recsim.report.summary import Note, Summary, Table
from recsim.report.words import interval_text, number
from recsim.scenario.agents import AgentSpec, refuse_privileged
from recsim.scenario.estimation import EstimationSpec
from recsim.scenario.keys import Keys, Seeds
from recsim.scenario.trial import Results, Trial, TrialResult
from recsim.trials.logged_bandits import LoggedBandit, digits, simulated_users
from recsim.trials.seeds import TrialSeeds

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEADS = (
    "policy (its value)",
    "estimator",
    "bias",
    "RMSE",
    "interval",
    "coverage",
    "mean width",
    "effective sample",
    "effective terms",
    "warned",
    "logs",
    "verdict",
)

# Keys of a benchmark that belong to simulated users.
_USERS_ONLY = ("env", "users")

_COLOURS = {"hall": "#0072B2", "t": "#D55E00", "bca": "#009E73", "bootstrap": "#CC79A7"}


class BenchmarkSpec(Keys):
    """Many logs of a problem whose value is known, to test estimators on.

    Attributes:
        source: ``users``: simulated users, who are shown one item once. ``digits``: handwritten
            digits, whose items are labels. See `recsim.trials.logged_bandits`.
        env: Arguments of ``SlateRec-v0``, for ``users``.
        users: Simulated users.
        agent: The agent that makes the logs; must give propensities.
        config: Its settings.
        training: Rows of a uniform log that this agent and the evaluated ones are fitted on.
        rounds: Rows of each log.
        logs: Logs for each seed of the scenario.
        intervals: Kinds of intervals whose coverage is measured.
        seed: Seed of the users and of the training log, the same for all seeds of the scenario.
    """

    source: Literal["users", "digits"] = "users"
    env: dict[str, Any] = Field(default={})
    users: Annotated[PositiveInt, Field(le=100_000)] = 500
    agent: str = "softmax"
    config: dict[str, Any] = Field(default={})
    training: PositiveInt = 5000
    rounds: PositiveInt = 1000
    logs: PositiveInt = 200
    intervals: Annotated[
        tuple[Literal["hall", "t", "bca", "bootstrap"], ...], Field(min_length=1, strict=False)
    ] = ("hall", "t")
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _users_only(self) -> Self:
        if self.source == "digits" and self.model_fields_set & set(_USERS_ONLY):
            raise ValueError("'env' and 'users' have no effect with source 'digits': remove them")
        return self

    def resolved(self) -> dict[str, Any]:
        """Return the keys that have an effect, as plain data."""
        unused = set(_USERS_ONLY) if self.source == "digits" else set()
        return self.model_dump(mode="json", exclude=unused)


class Accuracy(EstimationSpec):
    """Every agent's value is estimated on many logs, and compared with its exact value.

    The keys that say how values are estimated are those of `EstimationSpec`.

    Attributes:
        benchmark: The logs.
    """

    name_of_kind: ClassVar[str] = "accuracy"
    bootstrap_key: ClassVar[str] = "benchmark.intervals: [bootstrap]"

    benchmark: BenchmarkSpec
    seeds: Seeds = (0,)

    @classmethod
    def claims(cls, content: dict[str, Any]) -> bool:
        """Return whether the scenario has ``benchmark`` and no other source."""
        others = ("env", "data")
        return content.get("benchmark") is not None and all(content.get(k) is None for k in others)

    @property
    def interval_kinds(self) -> tuple[str, ...]:
        """Kinds of intervals that are computed."""
        return self.benchmark.intervals

    @property
    def without_effect(self) -> dict[str, str]:
        """Keys that have no effect; see `EstimationSpec`."""
        decided = dict.fromkeys(("logging", "interval", "bound"), "the benchmark decides it")
        draws = {key: "probabilities are exact" for key in ("draws", "smoothing")}
        return decided | draws | super().without_effect

    def resolved(self) -> dict[str, Any]:
        """Return every key that has an effect; see `Scenario.resolved`."""
        return super().resolved() | {"benchmark": self.benchmark.resolved()}

    def check(self) -> None:
        """Estimate every agent's value on one short log."""
        spec = self.benchmark
        small = spec.model_copy(
            update={
                "users": min(spec.users, 20),
                "training": min(spec.training, 200),
                "rounds": min(spec.rounds, 200),
                "logs": 1,
                "intervals": ("t",),
            }
        )
        quick = self.model_copy(update={"benchmark": small})
        for agent in self.agents:
            quick.run(Trial(agent.label, 0))

    def run(self, trial: Trial) -> TrialResult:
        """Sum the errors of every estimator and kind of interval over the logs of a seed."""
        seeds = TrialSeeds.of(trial.seed)
        spec = self.benchmark
        bandit = _bandit(json.dumps(spec.resolved()))
        logger, agent = self._policies(bandit, self.agent(trial.agent), seeds.agent)
        with located(f"agents: {trial.agent}"):
            value = bandit.value(agent)
        with located("benchmark"):
            shown = bandit.probabilities(logger)
        errors: dict[tuple[str, str], ErrorSums] = {}
        for seed in seeds_of_logs(seeds.log_users, spec.logs):
            log = bandit.log(shown, spec.rounds, seed)
            for interval in spec.intervals:
                estimates = evaluate(
                    log,
                    agent,
                    self.estimators,
                    **self.limits,
                    interval=interval,
                    level=self.level,
                    samples=self.samples,
                    seed=seed,
                    logging=logger,
                    overlap=False,
                )
                for estimate in estimates:
                    sums = errors.setdefault((estimate.estimator, interval), ErrorSums())
                    sums.add(estimate, value)
        rows = [
            {"policy": trial.agent, "value": value, "estimator": estimator, "interval": interval}
            | sums.sums
            for (estimator, interval), sums in errors.items()
        ]
        numbers = {"agent": trial.agent, "seed": trial.seed, "accuracy": rows}
        return TrialResult(numbers, state=agent.state_dict())

    def summarise(self, results: Results) -> Summary:
        """Return bias, error and coverage of every estimator, and which intervals do not cover."""
        rows = [row for t in self.finished(results) for row in results.result(t)["accuracy"]]
        level = self.level
        table = accuracy_table(rows, level=level)
        raw = Table("accuracy", table, file="summary.csv", in_json=True)
        if table.empty:
            return Summary([raw])
        shown = Table(
            "errors",
            _cells(table),
            title=f"{self.name}: estimates against the known value, with {level:.0%} intervals (in "
            "brackets: 95% intervals of bias and coverage themselves)",
            notes=[Note(text, "note") for text in misses(table, level)],
            left=2,
            grouped=True,
            console=True,
            report=True,
        )
        draw = functools.partial(accuracy_figure, table, level=level, title=self.name)
        return Summary([raw, shown], {"accuracy": draw})

    def _policies(self, bandit: LoggedBandit, chosen: AgentSpec, seed: int) -> tuple[Agent, Agent]:
        """Return the logging policy and the evaluated one, both fitted on the same uniform log."""
        spec = self.benchmark
        uniform = AgentSpec.model_validate("random").build(bandit.problem, seed=spec.seed)
        training = bandit.log(bandit.probabilities(uniform), spec.training, spec.seed)
        with located("benchmark"):
            logger = agents.make(spec.agent, bandit.problem, seed=spec.seed, **spec.config)
            refuse_privileged(logger, f"agent: {spec.agent!r}")
        agent = chosen.build_for_log(bandit.problem, seed=seed)
        logger.fit(training)
        agent.fit(training)
        return logger, agent


@functools.lru_cache(maxsize=2)
def _bandit(settings: str) -> LoggedBandit:
    spec = BenchmarkSpec.model_validate(json.loads(settings))
    if spec.source == "digits":
        return digits()
    with located("benchmark"):
        return simulated_users(spec.env, spec.users, spec.seed)


def _cells(table: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    rows = [
        [
            f"{row['policy']} ({number(row['value'])})",
            str(row["estimator"]),
            interval_text(row["bias"], row["bias_low"], row["bias_high"]),
            number(row["rmse"], 3),
            str(row["interval"]),
            interval_text(row["coverage"], row["coverage_low"], row["coverage_high"]),
            number(row["width"], 3),
            number(row["ess"]),
            number(row["effective_terms"]),
            f"{row['warned']:.0%}",
            str(row["logs"]),
            str(row["verdict"]),
        ]
        for _, row in table.iterrows()
    ]
    return pd.DataFrame(rows, columns=_HEADS)


def accuracy_figure(table: pd.DataFrame, *, level: float, title: str = "") -> Figure:
    """Draw bias and RMSE, and beside them coverage, one row of panels per policy.

    Args:
        table: From `recsim.estimators.accuracy.accuracy_table`.
        level: Nominal coverage.
        title: Written above.
    """
    from matplotlib.figure import Figure

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
    plot.set_xlabel("share of intervals that contain the value")
    plot.legend(loc="best")
