"""What a scenario may say: one question, where it is asked, who answers, how often.

A scenario asks either of simulated users (``env``) or of a log (``data``). The schema is strict:
an unknown key, a wrong type, or a key that has no effect is a mistake, never ignored.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    field_validator,
    model_validator,
)

from recsim.scenario.estimation import BenchmarkSpec, EstimationSpec
from recsim.scenario.sources import DataSpec, EnvSpec
from recsim.trials.holdout_spec import HoldoutSpec

__all__ = [
    "AgentSpec",
    "BootstrapSpec",
    "DataSpec",
    "EnvSpec",
    "Scenario",
    "TrainingLogSpec",
]

# Names and labels become folder names.
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$", max_length=80)]

# Rows that a log scenario adds beside those of its agents.
RESERVED_LABELS = ("logged", "reference")

# Every seed is a trial of every agent; more is a slip of the hand.
_MOST_SEEDS = 10_000

# Keys that have no effect, by the kind of scenario.
_SIMULATION_ONLY = ("users", "steps", "rounds", "refit", "axis", "learn", "metrics", "front")
_WITHOUT_EFFECT = {
    "env": tuple(EstimationSpec.model_fields),
    "data": _SIMULATION_ONLY,
    "benchmark": (*_SIMULATION_ONLY, "training_log", "logging", "interval", "bound"),
    "holdout": (
        *(key for key in _SIMULATION_ONLY if key != "metrics"),
        *("training_log", *EstimationSpec.model_fields),
    ),
}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TrainingLogSpec(_Model):
    """What an agent is fitted on: a simulated log, a log on disk, or a share of ``data``.

    Attributes:
        agent: Who collects the simulated log.
        config: Settings of that agent.
        users: Simulated users; by default as many as the scenario has.
        steps: Slates per user, at most; by default as in the scenario.
        seed: Seed of the collection. By default every seed of the scenario collects its own log,
            so that the intervals include the luck of the training data.
        data: A log on disk.
        share: In a log scenario, the share of rows, the earliest, that agents are fitted on; the
            estimates use the others.
    """

    agent: str = "random"
    config: dict[str, Any] = {}
    users: PositiveInt | None = None
    steps: PositiveInt | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    data: DataSpec | None = None
    share: Annotated[float, Field(gt=0, lt=1)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        simulated = self.model_fields_set & {"agent", "config", "users", "steps", "seed"}
        if self.data is not None and (simulated or self.share is not None):
            raise ValueError("'data' stands alone: a log on disk has no other settings")
        if self.share is not None and simulated:
            raise ValueError("'share' stands alone: it takes rows of the scenario's own data")
        return self


class AgentSpec(_Model):
    """One agent.

    Attributes:
        name: Registered name.
        label: Name in tables and folders; by default the registered name.
        config: Its settings.
        training_log: What this agent is fitted on, in place of the scenario's training log.
        practice: Cohorts of simulated users that it meets, learning, before it is measured.
    """

    name: str
    label: Label
    config: dict[str, Any] = {}
    training_log: TrainingLogSpec | None = None
    practice: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="before")
    @classmethod
    def _fill_label(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = {"name": value}
        if isinstance(value, dict) and "label" not in value:
            value = {**value, "label": value.get("name", "agent")}
        return value


class BootstrapSpec(_Model):
    """How intervals are drawn.

    Attributes:
        samples: Resamples.
        level: Nominal coverage.
    """

    samples: Annotated[int, Field(ge=100, le=1_000_000)] = 2000
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95


class Scenario(EstimationSpec, _Model):
    """A whole scenario; exactly one of ``env``, ``data`` and ``benchmark`` is given.

    The keys that say how values are estimated from a log are those of `EstimationSpec`.

    Attributes:
        name: Names the folder of its runs.
        description: One line, shown by ``--list``.
        question: What it answers.
        env: Simulated users.
        data: A log.
        holdout: How agents are judged by users of the log that they were not fitted on.
        benchmark: Many logs of a problem whose value is known.
        training_log: What agents that need a log are fitted on.
        agents: Who is compared; the first is the baseline of the comparisons.
        seeds: Seeds; ``3`` means 0, 1, 2.
        users: Simulated users at a time.
        steps: Slates per user, at most; the environment may stop earlier.
        rounds: Cohorts of users, one after the other.
        refit: Whether agents are fitted between rounds on everything logged so far.
        axis: What reward curves are drawn over; by default ``round`` if there are several.
        learn: Whether agents learn from the users they meet.
        metrics: Columns of the printed table; the files hold all metrics.
        front: The two metrics, immediate and long-term, drawn against each other.
        bootstrap: How intervals are drawn.
        output: Where run folders go.
    """

    name: Label
    description: Annotated[str, Field(min_length=1)]
    question: str = ""
    env: EnvSpec | None = None
    data: DataSpec | None = None
    holdout: HoldoutSpec | None = None
    benchmark: BenchmarkSpec | None = None
    training_log: TrainingLogSpec | None = None
    agents: Annotated[tuple[AgentSpec, ...], Field(min_length=1, strict=False)]
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1, strict=False)]
    users: PositiveInt = 256
    steps: PositiveInt = 1000
    rounds: PositiveInt = 1
    refit: bool = True
    axis: Literal["step", "day", "round"] = "step"
    learn: bool = True
    metrics: Annotated[tuple[str, ...], Field(min_length=1, strict=False)] | None = None
    front: Annotated[tuple[str, str], Field(strict=False)] | None = None
    bootstrap: BootstrapSpec = BootstrapSpec()
    output: str = "runs"

    @model_validator(mode="before")
    @classmethod
    def _default_seeds(cls, value: Any) -> Any:
        if isinstance(value, dict) and "seeds" not in value:
            several = value.get("env") is not None or value.get("holdout") is not None
            value = {**value, "seeds": 5 if several else 1}
        return value

    @model_validator(mode="before")
    @classmethod
    def _default_axis(cls, value: Any) -> Any:
        if isinstance(value, dict) and "axis" not in value and value.get("rounds", 1) != 1:
            value = {**value, "axis": "round"}
        return value

    @field_validator("description")
    @classmethod
    def _one_line(cls, text: str) -> str:
        text = text.strip()
        if "\n" in text:
            raise ValueError("must be one line")
        return text

    @field_validator("seeds", mode="before")
    @classmethod
    def _count_seeds(cls, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            if value < 1:
                raise ValueError("there must be at least one seed")
            if value > _MOST_SEEDS:
                raise ValueError(f"must be at most {_MOST_SEEDS} seeds, not {value}")
            return tuple(range(value))
        if isinstance(value, list | tuple):
            return value
        raise ValueError("must be a number of seeds or a list of seeds")

    @field_validator("seeds", "metrics", "estimators")
    @classmethod
    def _no_repeats(cls, values: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        if values and len(set(values)) < len(values):
            repeated = next(value for value in values if values.count(value) > 1)
            raise ValueError(f"lists {repeated!r} twice")
        return values

    @field_validator("agents")
    @classmethod
    def _labels_differ(cls, agents: tuple[AgentSpec, ...]) -> tuple[AgentSpec, ...]:
        # Compared without case: labels name folders, and some file systems ignore case.
        labels = [agent.label.lower() for agent in agents]
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(f"two agents are labelled {label!r}: give each its own 'label'")
        return agents

    @property
    def kind(self) -> str:
        """``env``, ``data`` or ``benchmark``, whichever is given, or ``holdout`` of ``data``."""
        return "holdout" if self.holdout is not None else self._places()[0]

    def _places(self) -> list[str]:
        places = ("env", "data", "benchmark")
        return [name for name in places if getattr(self, name) is not None]

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = self._places()
        if len(given) != 1:
            words = " and ".join(map(repr, given)) or "none"
            raise ValueError(
                "give exactly one of 'env' (simulated users), 'data' (a log) and 'benchmark' (many "
                f"logs, to judge estimators by), not {words}"
            )
        for key in _WITHOUT_EFFECT[self.kind]:
            if key in self.model_fields_set:
                raise ValueError(
                    f"{key!r} has no effect in a scenario with {self.kind!r}: remove it"
                )
        self._check_rounds()
        if self.holdout is not None:
            self._check_holdout()
        self._check_training_logs()
        if self.data is not None:
            for agent in self.agents:
                if agent.label.lower() in RESERVED_LABELS:
                    raise ValueError(f"label {agent.label!r} is taken by a row of the log itself")
        return self

    def _check_rounds(self) -> None:
        if self.rounds == 1 and "refit" in self.model_fields_set:
            raise ValueError("'refit' has no effect with one round: give 'rounds', or remove it")
        if self.rounds == 1 and self.axis == "round":
            raise ValueError("axis: 'round' needs 'rounds' of 2 or more")
        for agent in self.agents:
            if agent.practice and self.env is None:
                raise ValueError(
                    f"agent {agent.label!r}: 'practice' has no effect in a scenario with "
                    f"{self.kind!r}, which has no users to meet: remove it"
                )

    def _check_holdout(self) -> None:
        if self.data is None:
            raise ValueError("'holdout' needs a scenario with 'data': no simulated user is logged")
        for key in ("each", "reference"):
            if getattr(self.data, key):
                raise ValueError(f"'data.{key}' has no effect with 'holdout': remove it")
        for agent in self.agents:
            if agent.training_log is not None:
                raise ValueError(
                    f"agent {agent.label!r}: 'training_log' has no effect with 'holdout', whose "
                    "other users fit all agents: remove it"
                )

    def _check_training_logs(self) -> None:
        for agent in self.agents:
            spec = agent.training_log
            if spec is not None and self.benchmark is not None:
                raise ValueError(
                    f"agent {agent.label!r}: 'training_log' has no effect in a scenario with "
                    "'benchmark', whose own log fits all agents: remove it"
                )
            if spec is not None and spec.share is not None:
                raise ValueError(
                    f"agent {agent.label!r}: 'share' belongs to the scenario's own training_log, "
                    "so that all agents are judged on the same rows"
                )
        if self.env is not None and self.training_log and self.training_log.share is not None:
            raise ValueError("training_log: 'share' needs a scenario with 'data'")
        if self.data is not None:
            for spec in (self.training_log, *(agent.training_log for agent in self.agents)):
                if spec is not None and spec.data is None and spec.share is None:
                    raise ValueError(
                        "training_log: a scenario with 'data' has no users to simulate: "
                        "give 'share' or 'data'"
                    )

    def training_log_of(self, agent: AgentSpec) -> TrainingLogSpec | None:
        """Return what an agent is fitted on, or None."""
        return agent.training_log or self.training_log

    def resolved(self) -> dict[str, Any]:
        """Return everything that has an effect, defaults included, as plain data.

        The result is a scenario again, and an equal one.
        """
        content = _without_none(self.model_dump(mode="json", exclude_none=False))
        for key in _WITHOUT_EFFECT[self.kind]:
            content.pop(key, None)
        if self.rounds == 1:
            content.pop("rounds", None)
            content.pop("refit", None)
        for agent in content["agents"]:
            if not agent["practice"]:
                agent.pop("practice")
        if self.benchmark is not None:
            content["benchmark"] = self.benchmark.resolved()
        for spec in (
            content.get("training_log"),
            *(a.get("training_log") for a in content["agents"]),
        ):
            if spec and ("data" in spec or "share" in spec):
                for key in ("agent", "config"):
                    spec.pop(key)
        return content

    def digest(self) -> str:
        """Return eight hexadecimal digits that stand for what is computed.

        ``output``, ``description`` and ``question`` do not change a number and do not count.
        """
        content = self.resolved()
        for key in ("output", "description", "question"):
            content.pop(key, None)
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def _without_none(content: dict[str, Any]) -> dict[str, Any]:
    """Drop unset optional keys of the schema, but not what a user gave inside free-form options."""
    cleaned = {key: value for key, value in content.items() if value is not None}
    free = {"config", "env", "data", "each", "reference", "options"}
    for key, value in cleaned.items():
        if isinstance(value, dict) and key not in free:
            cleaned[key] = _without_none(value)
        elif key == "agents":
            cleaned[key] = [_without_none(agent) for agent in value]
    return cleaned
