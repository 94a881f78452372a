"""What all scenarios have in common; each kind of question adds keys of its own.

The kinds are the subclasses of `Scenario` in `recsim.trials`; `recsim.scenario.kinds` chooses the
one that a scenario belongs to. The schema is strict: an unknown key, a wrong type, or a key that
has no effect is a mistake, never ignored.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from recsim.errors import listed
from recsim.report.summary import Summary
from recsim.scenario.agents import AgentSpec, TrainingLogSpec
from recsim.scenario.keys import Keys, Label, Seeds, distinct
from recsim.scenario.trial import Results, Trial, TrialResult

# Keys that do not change a number.
_TEXTS = ("output", "description", "question", "track")


class Scenario(Keys, ABC):
    """One question about several agents, answered with several seeds.

    A kind of question is a subclass: its fields are its keys of the scenario, its methods check a
    scenario, run one trial and summarise the finished ones. Another package adds a kind by the
    entry-point group ``recsim.trials``; a scenario chooses it by ``kind: its_name``.

    Class attributes:
        name_of_kind: Name of the kind.
        agent_keys: Optional keys of `AgentSpec` that have an effect in this kind.
        bootstrap_key: What asks for bootstrap intervals; empty if the kind has none.

    Attributes:
        kind: Name of the kind; derived from the other keys if left out.
        name: Names the folder of its runs.
        description: One line, shown by ``--list``.
        question: What it answers.
        agents: The agents that are compared.
        seeds: Seeds; ``3`` means 0, 1, 2.
        level: Nominal coverage of intervals.
        output: Where run folders go.
        track: Where trials are logged beside the run folder's own files: ``jsonl``,
            ``tensorboard``.
    """

    name_of_kind: ClassVar[str]
    agent_keys: ClassVar[frozenset[str]] = frozenset()
    bootstrap_key: ClassVar[str] = ""

    kind: str = ""
    name: Label
    description: Annotated[str, Field(min_length=1)]
    question: str = ""
    agents: Annotated[tuple[AgentSpec, ...], Field(min_length=1, strict=False)]
    seeds: Seeds = tuple(range(10))
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    output: str = "runs"
    track: Annotated[tuple[Literal["jsonl", "tensorboard"], ...], Field(strict=False)] = ()

    @classmethod
    def claims(cls, content: dict[str, Any]) -> bool:
        """Return whether a scenario that does not name its kind is of this kind, by its keys."""
        return False

    @abstractmethod
    def check(self) -> None:
        """Refuse a scenario that could not run.

        A scenario that passes names environments, readers, estimators, metrics and agents that
        exist, with settings that they accept on the problem at hand, and files that can be read.

        Raises:
            UserError: Says which key is wrong, and what would be right.
        """

    @abstractmethod
    def run(self, trial: Trial) -> TrialResult:
        """Compute one trial, a function of the scenario and the trial alone."""

    @abstractmethod
    def summarise(self, results: Results) -> Summary:
        """Return tables and pictures of the finished trials, in the order of the scenario.

        There may be no finished trial.
        """

    def cases(self) -> dict[str, dict[str, Any]]:
        """Return the cases by the names of their folders; agents and seeds have a trial of each."""
        return {"": {}}

    def trials(self) -> list[Trial]:
        """Return every trial, in the order of the scenario."""
        return [
            Trial(agent.label, seed, case)
            for case in self.cases()
            for agent in self.agents
            for seed in self.seeds
        ]

    def finished(self, results: Results) -> list[Trial]:
        """Return the finished trials, in the order of the scenario."""
        return [trial for trial in self.trials() if results.has(trial)]

    def agent(self, label: str) -> AgentSpec:
        """Return the agent with a label."""
        return next(agent for agent in self.agents if agent.label == label)

    def resolved(self) -> dict[str, Any]:
        """Return every key, defaults included, as plain data; a scenario again, and an equal one.

        Keys without effect in this scenario are left out.
        """
        content = without_none(self.model_dump(mode="json"))
        for agent in content["agents"]:
            if not agent["practice"]:
                agent.pop("practice")
        if not content["track"]:
            content.pop("track")
        for holder in (content, *content["agents"]):
            spec = holder.get("training_log")
            while spec:
                if "data" in spec or "share" in spec:
                    for key in ("agent", "config"):
                        spec.pop(key)
                spec = spec.get("training_log")
        return content

    def digest(self) -> str:
        """Return eight hexadecimal digits that stand for what is computed."""
        content = {key: value for key, value in self.resolved().items() if key not in _TEXTS}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def differences(self, other: Scenario) -> list[str]:
        """Return the key paths whose values change what is computed and differ."""
        mine, theirs = flatten(self.resolved()), flatten(other.resolved())
        return [
            key
            for key in dict.fromkeys([*mine, *theirs])
            if mine.get(key) != theirs.get(key) and key not in _TEXTS
        ]

    @model_validator(mode="before")
    @classmethod
    def _fill_kind(cls, value: Any) -> Any:
        return {**value, "kind": cls.name_of_kind} if isinstance(value, dict) else value

    @model_validator(mode="before")
    @classmethod
    def _no_bootstrap(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "bootstrap" not in value:
            return value
        given = value["bootstrap"] if isinstance(value["bootstrap"], dict) else {}
        keys = ("level", "samples") if cls.bootstrap_key else ("level",)
        new = [cls.bootstrap_key] * bool(cls.bootstrap_key)
        new += [f"{key}: {given[key]}" for key in keys if key in given]
        instead = f"write {listed(map(repr, new))} in its place" if new else "remove it"
        why = "" if cls.bootstrap_key else ": intervals over seeds are not resampled"
        raise ValueError(f"the block 'bootstrap' was removed{why}; {instead}")

    @field_validator("description")
    @classmethod
    def _one_line(cls, text: str) -> str:
        text = text.strip()
        if "\n" in text:
            raise ValueError("must be one line")
        return text

    @field_validator("track")
    @classmethod
    def _trackers_differ(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return distinct(values)

    @field_validator("seeds")
    @classmethod
    def _no_repeats(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        return distinct(values)

    @field_validator("agents")
    @classmethod
    def _check_agents(cls, agents: tuple[AgentSpec, ...]) -> tuple[AgentSpec, ...]:
        # Compared without case: labels name folders, and some file systems ignore case.
        labels = [agent.label.lower() for agent in agents]
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(f"two agents are labelled {label!r}: give each its own 'label'")
        for agent in agents:
            for key, given in (("training_log", agent.training_log), ("practice", agent.practice)):
                if given and key not in cls.agent_keys:
                    raise ValueError(
                        f"agent {agent.label!r}: {key!r} has no effect in a scenario of kind "
                        f"{cls.name_of_kind!r}: remove it"
                    )
        return agents


def training_log_of(scenario: Any, agent: AgentSpec) -> TrainingLogSpec | None:
    """Return what an agent is fitted on: its own training log, or that of the scenario."""
    return agent.training_log or scenario.training_log


def without_none(content: dict[str, Any]) -> dict[str, Any]:
    """Drop unset optional keys of the schema, but not what a user gave inside free-form options."""
    cleaned = {key: value for key, value in content.items() if value is not None}
    free = {"config", "env", "data", "each", "reference", "options", "user_model"}
    for key, value in cleaned.items():
        if isinstance(value, dict) and key not in free:
            cleaned[key] = without_none(value)
        elif key == "agents":
            cleaned[key] = [without_none(agent) for agent in value]
    return cleaned


def flatten(content: Any, prefix: str = "") -> dict[str, Any]:
    """Return ``{"a.b": value}`` of nested mappings."""
    if not isinstance(content, dict) or not content:
        return {prefix: content}
    flat: dict[str, Any] = {}
    for key, entry in content.items():
        flat |= flatten(entry, f"{prefix}.{key}" if prefix else str(key))
    return flat
