"""What would a policy have earned on a log that another policy collected?"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from recsim.contracts.reads import seen_by
from recsim.contracts.slates import Agent
from recsim.errors import AgentError, EstimationError, located
from recsim.estimators import (
    Intervals,
    PolicyValue,
    RewardModel,
    SampledPolicy,
    evaluate,
    make_estimator,
)
from recsim.estimators.impressions.clipping import check_rule
from recsim.estimators.impressions.estimators import LIMIT_OF
from recsim.estimators.intervals import check_intervals
from recsim.estimators.policies import (
    MOST_CANDIDATES,
    Policy,
    action_probabilities,
    knows_actions,
)
from recsim.estimators.tally import with_warnings
from recsim.log import SlateLog
from recsim.report.summary import Note, Summary, Table
from recsim.report.words import interval_text, number
from recsim.scenario.agents import AgentSpec, TrainingLogSpec
from recsim.scenario.data import check_same_problem, forget_logs, read_data
from recsim.scenario.estimation import EstimationSpec
from recsim.scenario.keys import Seeds
from recsim.scenario.schema import training_log_of
from recsim.scenario.sources import DataSpec, combinations
from recsim.scenario.trial import Results, Trial, TrialResult
from recsim.trials.logging_policies import logging_of, mean_of, rows_from
from recsim.trials.measured import fit_numbers, seen_text
from recsim.trials.seeds import TrialSeeds

if TYPE_CHECKING:
    import pandas as pd

# Rows of the table beside those of the agents: the mean reward of the log itself, and of the log
# that the evaluated policy collected.
RESERVED_LABELS = ("logged", "reference")

_INTERVALS = {
    "hall": "Hall",
    "t": "Student-t",
    "bca": "BCa bootstrap",
    "bootstrap": "bootstrap",
    "bernstein": "empirical Bernstein",
    "hoeffding": "Hoeffding",
}

Row = dict[str, Any]


class Logs(EstimationSpec):
    """Agents are evaluated on one or several logs by off-policy estimators.

    The keys that say how values are estimated are those of `EstimationSpec`.

    Attributes:
        data: The logs.
        training_log: What agents that need a log are fitted on.
        seeds: Seeds of the agents and of the intervals.
    """

    name_of_kind: ClassVar[str] = "logs"
    agent_keys: ClassVar[frozenset[str]] = frozenset({"training_log"})
    bootstrap_key: ClassVar[str] = "interval: bootstrap"

    data: DataSpec
    training_log: TrainingLogSpec | None = None
    seeds: Seeds = (0,)

    @classmethod
    def claims(cls, content: dict[str, Any]) -> bool:
        """Return whether the scenario has ``data`` and no other source."""
        others = ("env", "benchmark", "holdout")
        return content.get("data") is not None and all(content.get(k) is None for k in others)

    @model_validator(mode="after")
    def _rows_and_labels(self) -> Self:
        for agent in self.agents:
            if agent.label.lower() in RESERVED_LABELS:
                raise ValueError(f"label {agent.label!r} is reserved for a row of the log")
            if agent.training_log is not None and agent.training_log.share is not None:
                raise ValueError(
                    f"agent {agent.label!r}: 'share' belongs to the scenario's own training_log, "
                    "so that all agents are evaluated on the same rows"
                )
        for spec in (self.training_log, *(agent.training_log for agent in self.agents)):
            if spec is not None and spec.data is None and spec.share is None:
                raise ValueError(
                    "training_log: a scenario with 'data' has no simulated users: "
                    "give 'share' or 'data'"
                )
        return self

    def cases(self) -> dict[str, dict[str, Any]]:
        """Return the reader options of every log, by a name fit for a folder."""
        return combinations(self.data)

    def check(self) -> None:
        """Read every log, build every agent, and compute its propensities of the first rows."""
        forget_logs()
        self._check_estimation()
        for options in self.cases().values():
            log = read_data(self.data, options)
            if self.data.reference is not None:
                with located("reference"):
                    other = read_data(self.data, options | self.data.reference)
                    check_same_problem(other.problem, log.problem)
            sample = log.select(slice(0, 2))
            with located("data"):
                known = logging_of(log, self.logging)
                rows = known.log.select(slice(0, 2))
                evaluate(rows, _any_policy, ("ips",), logging=known.policy)
            for spec in self.agents:
                self._check_agent(spec, log, sample, options)

    def run(self, trial: Trial) -> TrialResult:
        """Estimate the value of an agent on one of the logs."""
        seeds = TrialSeeds.of(trial.seed)
        options = self.cases()[trial.case]
        spec = self.agent(trial.agent)
        log = read_data(self.data, options)
        training, evaluated = self._split(training_log_of(self, spec), log, options)
        agent: Agent = spec.build(log.problem, seeds.agent)
        fitted = None if training is None else agent.fit(training)
        known = logging_of(evaluated, self.logging)
        policy = self._policy(agent, evaluated)
        values = evaluate(
            known.log,
            policy,
            self.estimators,
            **self.limits,
            **self._intervals(seeds.bootstrap),
            logging=known.policy,
            overlap=knows_actions(policy) or log.problem.num_candidates <= MOST_CANDIDATES,
        )
        values = with_warnings(values, known.doubts)
        # Their intervals do not depend on the trial, so all trials report the same numbers.
        means = {"logged": evaluated}
        if self.data.reference is not None:
            means["reference"] = read_data(self.data, options | self.data.reference)
        intervals = Intervals.of(None, self._intervals(0))
        of_logs = {name: mean_of(part, intervals) for name, part in means.items()}
        numbers = {
            "agent": trial.agent,
            "seed": trial.seed,
            "case": trial.case,
            "values": [_row(trial.agent, trial.seed, value) for value in values],
            "log": [
                _row(name, "", value) | {"estimator": "mean"} for name, value in of_logs.items()
            ],
        }
        numbers |= {"seen": seen_by(agent)} | fit_numbers(fitted)
        return TrialResult(numbers, state=agent.state_dict())

    def summarise(self, results: Results) -> Summary:
        """Return one row per estimate, and per mean reward of the logs themselves."""
        from recsim.report import plots

        values = values_table(self, results)
        raw = Table("values", values, file="summary.csv", in_json=True)
        if values.empty:
            return Summary([raw])
        level, kind = f"{self.level:.0%}", _INTERVALS[self.interval]
        warnings, seen = _warnings(values), seen_text(self, results)
        marks = "; ! marks a warning below" if warnings else ""
        shown = Table(
            "estimates",
            _cells(values),
            title=f"{self.name}: mean reward [{level} {kind} interval]{marks}",
            notes=[Note(seen)] * bool(seen) + [Note(text, "warning") for text in warnings],
            left=3 if _several_logs(values) else 2,
            grouped=_several_logs(values),
            console=True,
            report=True,
        )
        draw = partial(plots.estimates, values, title=self.name)
        return Summary([raw, shown], {"estimates": draw})

    def _intervals(self, seed: int) -> dict[str, Any]:
        return {
            "interval": self.interval,
            "bound": self.bound,
            "level": self.level,
            "samples": self.samples,
            "seed": seed,
        }

    def _check_estimation(self) -> None:
        """Refuse estimators, rules, intervals and reward models that do not exist or fit."""
        with located("estimators"):
            built = [make_estimator(name) for name in self.estimators]
            needs = frozenset[str]().union(*(estimator.needs for estimator in built))
            if "actions" in needs and self.logging is None:
                raise EstimationError(
                    "'switch' needs the probability of every action under the logging policy: add "
                    "e.g. 'logging: frequencies', or the agent that made the log."
                )
        for name in self.estimators:
            key = LIMIT_OF.get(name)
            if key is not None and isinstance(rule := getattr(self, key), str):
                with located(key):
                    check_rule(name, rule)
        with located("interval"):
            check_intervals(self, built)
        RewardModel.of(self.reward_model)
        if self.logging is not None:
            _ = self.logging.settings

    def _check_agent(
        self, spec: AgentSpec, log: SlateLog, sample: SlateLog, options: Mapping[str, Any]
    ) -> None:
        agent = spec.build_for_log(log.problem, seed=0)
        training = training_log_of(self, spec)
        if training is not None:
            with located("training_log"):
                fitted_on, evaluated = self._split(training, log, options)
                assert fitted_on is not None
                if not len(fitted_on) or not len(evaluated):
                    raise AgentError(f"share: {len(log)} rows are too few to be divided.")
                check_same_problem(fitted_on.problem, log.problem)
        elif agent.needs_log:
            raise AgentError(
                f"agents: {spec.label}: {spec.name!r} must be fitted on a log: "
                "add e.g. 'training_log: {share: 0.5}'."
            )
        else:
            with located(f"agents: {spec.label}"):
                policy = self._policy(agent, sample)
                needs = {name: make_estimator(name).needs for name in self.estimators}
                direct = [name for name, wanted in needs.items() if wanted <= {"policy"}]
                known = replace(sample, propensity=np.ones(sample.slate.shape))
                evaluate(known, policy, direct or ("ips",))
                if len(direct) < len(needs):
                    action_probabilities(policy, sample.observations(), log.problem.slate_size)

    def _policy(self, agent: Agent, log: SlateLog) -> Policy:
        """Return the agent, or draws of it if it does not know its propensities."""
        if self.draws:
            obs = log.observations(np.arange(min(len(log), 1)))
            if agent.propensities(obs, log.slate[:1]) is None:
                return SampledPolicy(agent, self.draws, self.smoothing)
        return agent

    def _split(
        self, training: TrainingLogSpec | None, log: SlateLog, options: Mapping[str, Any]
    ) -> tuple[SlateLog | None, SlateLog]:
        """Return what the agent is fitted on, if anything, and what it is evaluated on."""
        evaluated = log
        # The scenario's share is set aside for every agent: all are evaluated on the same rows.
        share = self.training_log.share if self.training_log is not None else None
        if share is not None:
            cut = int(np.floor(share * len(log)))
            evaluated = rows_from(log, cut)
        if training is None:
            return None, evaluated
        if training.data is None:
            return log.select(slice(0, cut)), evaluated
        own = training.data
        # A training log from the same files has the reader options of the case, and its own.
        same = own.reader == self.data.reader and own.path == self.data.path
        return read_data(own, {**options, **own.options} if same else None), evaluated


def values_table(scenario: Logs, results: Results) -> pd.DataFrame:
    """Return one row per estimate of a log scenario, and per reference.

    The rows of an agent are one per estimator; ``logged`` is the mean reward of the evaluated
    log itself, ``reference`` that of the log of the evaluated policy, where one is given.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    finished = scenario.finished(results)
    for case, group in itertools.groupby(finished, key=lambda trial: trial.case):
        contents = [results.result(trial) for trial in group]
        rows += [{"case": case, **row} for content in contents for row in content["values"]]
        # Every trial reports the means of its case's logs; they are the same in all.
        rows += [{"case": case, **row} for row in contents[0]["log"]]
    return pd.DataFrame(rows, columns=None if rows else ["case", "agent", "seed", "warnings"])


def _row(agent: str, seed: int | str, value: PolicyValue) -> Row:
    content = value.to_dict()
    del content["level"]
    return {"agent": agent, "seed": seed, **content, "warnings": list(value.warnings)}


def _any_policy(obs: Mapping[str, Any], items: NDArray[Any]) -> NDArray[Any]:
    """Stand for a policy while only the log is checked."""
    return np.ones(items.shape)


def _cells(values: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    several = _several_logs(values)
    rows = [
        [
            *([str(row["case"])] if several else []),
            policy,
            _estimator_text(row) + (" !" if row["warnings"] else ""),
            interval_text(row["value"], row["low"], row["high"]),
            number(row["ess"]),
            number(row["effective_terms"]),
            number(row["n"]),
            number(row["max_weight"]),
            "" if pd.isna(row["clip"]) else f"{row['clipped_share']:.2%}",
            "" if pd.isna(row["unsupported"]) else number(row["unsupported"]),
        ]
        for policy, (_, row) in zip(_policy_texts(values), values.iterrows(), strict=True)
    ]
    heads = ["policy", "estimator", "value", "effective sample", "effective terms", "impressions"]
    heads = [*(["log"] if several else []), *heads, "largest weight", "clipped", "unsupported"]
    return pd.DataFrame(rows, columns=heads)


def _several_logs(values: pd.DataFrame) -> bool:
    return set(values["case"]) != {"all"}


def _estimator_text(row: Any) -> str:
    """Return the name of an estimator with its parameter, and how that was chosen."""
    inside = [str(row[key]) for key in ("parameter", "rule") if row.get(key)]
    return f"{row['estimator']} ({', '.join(inside)})" if inside else str(row["estimator"])


def _policy_texts(values: pd.DataFrame) -> list[str]:
    """Return whose value each estimate is, with the seed where there are several."""
    several = values.loc[values["seed"] != "", "seed"].nunique() > 1
    words = {"logged": "(as logged)", "reference": "(reference)"}
    return [
        f"{words.get(agent, agent)}{f', seed {seed}' if several and seed != '' else ''}"
        for agent, seed in zip(values["agent"].astype(str), values["seed"], strict=True)
    ]


def _warnings(values: pd.DataFrame) -> list[str]:
    """Return the warnings of all estimates, each with its estimate, without repetition."""
    several = _several_logs(values)
    texts = [
        ", ".join([*([row["case"]] if several else []), policy, f"{row['estimator']}: {text}"])
        for policy, (_, row) in zip(_policy_texts(values), values.iterrows(), strict=True)
        for text in row["warnings"]
    ]
    return list(dict.fromkeys(texts))
