"""What would a policy have earned on a log that another policy collected?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from recsim.contracts.reads import seen_by
from recsim.contracts.slates import Agent
from recsim.errors import AgentError, EstimationError, did_you_mean, located
from recsim.estimators import (
    Intervals,
    RewardModel,
    SampledPolicy,
    evaluate,
    evaluate_difference,
    make_estimator,
)
from recsim.estimators.estimator import PREDICTED
from recsim.estimators.impressions.clipping import check_rule
from recsim.estimators.impressions.estimators import LIMIT_OF
from recsim.estimators.intervals import check_intervals
from recsim.estimators.overlap import can_count
from recsim.estimators.policies import Policy, action_probabilities
from recsim.estimators.tally import with_warnings
from recsim.estimators.targets import policy_of
from recsim.log import SlateLog
from recsim.report.summary import Note, Summary, Table
from recsim.scenario.agents import AgentSpec, TrainingLogSpec
from recsim.scenario.data import check_same_problem, forget_logs, read_data
from recsim.scenario.estimation import EstimationSpec
from recsim.scenario.keys import Label, Seeds, distinct
from recsim.scenario.schema import training_log_of
from recsim.scenario.sources import DataSpec, combinations
from recsim.scenario.trial import Results, Trial, TrialResult
from recsim.trials.log_tables import (
    difference_cells,
    difference_row,
    differences_table,
    several_logs,
    value_cells,
    value_row,
    values_table,
    warnings_of,
)
from recsim.trials.logging_policies import logging_of, mean_of, rows_from
from recsim.trials.measured import fit_numbers, seen_text
from recsim.trials.seeds import TrialSeeds

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


class Logs(EstimationSpec):
    """Agents are evaluated on one or several logs by off-policy estimators.

    The keys that say how values are estimated are those of `EstimationSpec`.

    Attributes:
        data: The logs.
        agents: The agents that are evaluated.
        policies: Policies whose probabilities stand in the log, by the names that the reader gave
            them (``target_propensity``).
        baseline: One of the policies or agents; the others are compared with it. By default with
            the log itself.
        training_log: What agents that need a log are fitted on.
        seeds: Seeds of the agents and of the intervals.
    """

    name_of_kind: ClassVar[str] = "logs"
    agent_keys: ClassVar[frozenset[str]] = frozenset({"training_log"})
    bootstrap_key: ClassVar[str] = "interval: bootstrap"

    data: DataSpec
    agents: Annotated[tuple[AgentSpec, ...], Field(strict=False)] = ()
    policies: Annotated[tuple[Label, ...], Field(strict=False)] = ()
    baseline: str | None = None
    training_log: TrainingLogSpec | None = None
    seeds: Seeds = (0,)

    @classmethod
    def claims(cls, content: dict[str, Any]) -> bool:
        """Return whether the scenario has ``data`` and no other source."""
        others = ("env", "benchmark", "holdout")
        return content.get("data") is not None and all(content.get(k) is None for k in others)

    @model_validator(mode="after")
    def _rows_and_labels(self) -> Self:
        labels = [*(agent.label for agent in self.agents), *self.policies]
        if not labels:
            raise ValueError("give 'agents', or 'policies' whose probabilities stand in the log")
        for label in labels:
            if label.lower() in RESERVED_LABELS:
                raise ValueError(f"label {label!r} is reserved for a row of the log")
        distinct(tuple(label.lower() for label in labels))
        if self.baseline is not None and self.baseline not in labels:
            near = did_you_mean(self.baseline, labels)
            raise ValueError(
                f"baseline {self.baseline!r} is none of the agents and policies.{near}"
            )
        if self.baseline is not None and not self._has_differences:
            raise ValueError(
                f"'baseline' has no effect with the interval {self.interval!r}, which differences "
                "cannot have; remove one of them"
            )
        for agent in self.agents:
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

    @property
    def _has_differences(self) -> bool:
        return self.interval not in ("bernstein", "hoeffding")

    def trials(self) -> list[Trial]:
        """Return every trial; a policy of the log has no seed, and so one trial per log."""
        trials = super().trials()
        for place, case in enumerate(self.cases(), start=1):
            own = [Trial(name, self.seeds[0], case) for name in self.policies]
            end = place * (len(self.agents) * len(self.seeds) + len(own)) - len(own)
            trials[end:end] = own
        return trials

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
            for name in self.policies:
                with located(f"policies: {name}"):
                    self._check_policy(name, sample)
            for spec in self.agents:
                self._check_agent(spec, log, sample, options)

    def run(self, trial: Trial) -> TrialResult:
        """Estimate the value of an agent on one of the logs."""
        seeds = TrialSeeds.of(trial.seed)
        options = self.cases()[trial.case]
        log = read_data(self.data, options)
        policy, evaluated, about, state = self._policy_of(trial, log, options)
        known = logging_of(evaluated, self.logging)
        settings: dict[str, Any] = {
            **self.limits,
            **self._intervals(seeds.bootstrap),
            "logging": known.policy,
            "overlap": can_count(policy, log.problem.num_candidates),
        }
        other, found = None, []
        if self._has_differences:
            if self.baseline not in (None, trial.agent):
                baseline = Trial(str(self.baseline), trial.seed, trial.case)
                other = self._policy_of(baseline, log, options)[0]
            found = evaluate_difference(known.log, policy, other, self.estimators, **settings)
            values = [difference.first for difference in found]
        else:
            values = evaluate(known.log, policy, self.estimators, **settings)
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
            "values": [value_row(trial.agent, trial.seed, value) for value in values],
            "differences": [
                difference_row(
                    trial.agent,
                    trial.seed,
                    "logged" if other is None else str(self.baseline),
                    difference,
                )
                for difference in found
            ],
            "log": [
                value_row(name, "", value) | {"estimator": "mean"}
                for name, value in of_logs.items()
            ],
        }
        return TrialResult(numbers | about, state=state)

    def _policy_of(
        self, trial: Trial, log: SlateLog, options: Mapping[str, Any]
    ) -> tuple[Policy, SlateLog, dict[str, Any], Mapping[str, Any]]:
        """Return the policy, what it is evaluated on, numbers about it, and its state to save."""
        if trial.agent in self.policies:
            return policy_of(trial.agent), self._split(None, log, options)[1], {}, {}
        spec = self.agent(trial.agent)
        training, evaluated = self._split(training_log_of(self, spec), log, options)
        agent: Agent = spec.build(log.problem, TrialSeeds.of(trial.seed).agent)
        fitted = None if training is None else agent.fit(training)
        about = {"seen": seen_by(agent)} | fit_numbers(fitted)
        return self._policy(agent, evaluated), evaluated, about, agent.state_dict()

    def summarise(self, results: Results) -> Summary:
        """Return one row per estimate, and per mean reward of the logs themselves."""
        from recsim.report import plots

        values = values_table(self, results)
        raw = Table("values", values, file="summary.csv", in_json=True)
        if values.empty:
            return Summary([raw])
        level, kind = f"{self.level:.0%}", _INTERVALS[self.interval]
        warnings, seen = warnings_of(values), seen_text(self, results)
        marks = "; ! marks a warning below" if warnings else ""
        shown = Table(
            "estimates",
            value_cells(values),
            title=f"{self.name}: mean reward [{level} {kind} interval]{marks}",
            notes=[Note(seen)] * bool(seen) + [Note(text, "warning") for text in warnings],
            left=3 if several_logs(values) else 2,
            grouped=several_logs(values),
            console=True,
            report=True,
        )
        draw = partial(plots.estimates, values, title=self.name)
        return Summary([raw, shown, *self._differences(results)], {"estimates": draw})

    def _differences(self, results: Results) -> list[Table]:
        """Return the differences from the baseline and the log, for programs and for people."""
        found = differences_table(self, results)
        if found.empty:
            return []
        level, kind = f"{self.level:.0%}", _INTERVALS[self.interval]
        note = Note(
            "The same impressions under both policies. The last column: how many would tell the "
            "difference from 0, if it is as estimated."
        )
        shown = Table(
            "differences",
            difference_cells(found),
            title=f"{self.name}: differences [{level} {kind} interval]",
            notes=[note],
            left=3 if several_logs(found) else 2,
            grouped=several_logs(found),
            console=True,
            report=True,
        )
        return [Table("comparisons", found, file="differences.csv", in_json=True), shown]

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

    def _check_policy(self, name: str, sample: SlateLog) -> None:
        """Refuse a policy whose probabilities are not in the log, or not enough for this."""
        if name not in sample.target_propensities:
            known = list(sample.target_propensities)
            near = did_you_mean(name, known) if known else " It has those of no policy."
            raise EstimationError(f"the log has no probabilities of {name!r}.{near}")
        needs = {e: make_estimator(e).needs & (PREDICTED | {"actions"}) for e in self.estimators}
        modelled = [e for e, wanted in needs.items() if wanted]
        if modelled:
            raise EstimationError(
                f"{modelled[0]!r} needs the probability of every candidate, and of a policy of the "
                "log only those of the items shown are known. Leave it out of 'estimators'."
            )

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


def _any_policy(obs: Mapping[str, Any], items: NDArray[Any]) -> NDArray[Any]:
    """Stand for a policy while only the log is checked."""
    return np.ones(items.shape)
