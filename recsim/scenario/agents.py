"""The agents of a scenario, and the logs that they are fitted on."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, PositiveInt, PrivateAttr, model_validator

import agents
from recsim.contracts.kinds import AnyProblem
from recsim.errors import AgentError, ScenarioError, located
from recsim.scenario.keys import Keys, Label
from recsim.scenario.sources import DataSpec
from recsim.settings import validated

_OF_SIMULATED_LOGS = ("agent", "config", "users", "steps", "seed", "training_log")


class TrainingLogSpec(Keys):
    """What an agent is fitted on: a simulated log, a log on disk, or a share of ``data``.

    Attributes:
        agent: The agent that collects the simulated log.
        config: Settings of that agent.
        users: Simulated users; by default as many as the scenario has.
        steps: Slates per user, at most; by default as in the scenario.
        seed: Seed of the collection. By default every seed of the scenario collects its own log,
            so that the intervals include the variation of the training data.
        training_log: What the collecting agent is fitted on before it collects.
        data: A log on disk.
        share: In a log scenario, the share of rows, the earliest, that agents are fitted on; the
            estimates use the others.
    """

    agent: str = "random"
    config: dict[str, Any] = Field(default={})
    users: PositiveInt | None = None
    steps: PositiveInt | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    training_log: TrainingLogSpec | None = None
    data: DataSpec | None = None
    share: Annotated[float, Field(gt=0, lt=1)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        simulated = self.model_fields_set & {*_OF_SIMULATED_LOGS}
        if self.data is not None and (simulated or self.share is not None):
            raise ValueError(
                "'data' cannot be combined with other keys: the log is on disk already"
            )
        if self.share is not None and simulated:
            raise ValueError(
                "'share' cannot be combined with other keys: it takes rows of the scenario's 'data'"
            )
        if self.training_log is not None and self.training_log.share is not None:
            raise ValueError("training_log: 'share' needs a scenario with 'data'")
        return self

    @property
    def collector(self) -> AgentSpec:
        """The agent that collects a simulated log."""
        return AgentSpec.model_validate({"name": self.agent, "config": self.config})


class AgentSpec(Keys):
    """One agent.

    Attributes:
        name: Registered name.
        label: Name in tables and folders; by default the registered name.
        config: Its settings.
        training_log: What this agent is fitted on, in place of the scenario's training log.
        practice: Batches of simulated users that the agent learns from before it is measured.
    """

    name: str
    label: Label
    config: dict[str, Any] = Field(default={})
    training_log: TrainingLogSpec | None = None
    practice: Annotated[int, Field(ge=0)] = 0
    _given: Any = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _fill_label(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = {"name": value}
        if isinstance(value, dict) and "label" not in value:
            value = {**value, "label": value.get("name", "agent")}
        return value

    @classmethod
    def of(cls, label: str, agent: Any) -> Self:
        """Return the entry of an agent from Python.

        Args:
            label: Name in tables.
            agent: A registered name, a mapping with the keys of an entry, a class that follows the
                agent contract, or an instance; every trial works on a copy of an instance.

        Raises:
            ScenarioError: If the label or a key is wrong.
        """
        keys: Any = {"name": agent}
        given = None
        if isinstance(agent, Mapping):
            keys = agent
        elif not isinstance(agent, str):
            given = agent
            keys = {"name": (agent if inspect.isclass(agent) else type(agent)).__name__}
        where = f"agents: {label}"
        spec = validated(cls, {"label": label, **keys}, where, error=ScenarioError)
        spec._given = given
        return spec

    def check_practice(self, agent: Any) -> None:
        """Refuse ``practice`` for an agent that would learn nothing from it.

        Args:
            agent: The agent, as `build` returns it.

        Raises:
            AgentError: If the agent has no ``observe``, or says that it does not learn online.
        """
        learns = getattr(agent, "learns_online", hasattr(agent, "observe"))
        if self.practice and not learns:
            raise AgentError(
                f"agents: {self.label}: 'practice' has no effect: {self.name!r} does not learn "
                "online. Remove it."
            )

    @property
    def definition(self) -> Any:
        """The class of the agent, or an instance that was given from Python."""
        return agents.load(self.name) if self._given is None else self._given

    def build_for_log(self, problem: AnyProblem, seed: int) -> Any:
        """Build an agent that is to be evaluated on a log.

        Raises:
            UserError: As `build`, and if the agent needs the state of simulated users.
        """
        agent = self.build(problem, seed)
        refuse_privileged(agent, f"agents: {self.label}: {self.name!r}")
        return agent

    def build(self, problem: AnyProblem, seed: int) -> Any:
        """Build the agent.

        Raises:
            UserError: If its name or a setting is wrong, or it cannot work on this problem.
        """
        with located(f"agents: {self.label}"):
            given: Any = self._given
            if given is None or inspect.isclass(given):
                return agents.make(given or self.name, problem, seed=seed, **self.config)
            agents.check_instance(given, problem)
            return copy.deepcopy(given)


def refuse_privileged(agent: Any, title: str) -> None:
    """Refuse an agent that cannot be evaluated on a log.

    Raises:
        AgentError: If the agent needs the state of simulated users; the message begins with the
            title.
    """
    if agent.privileged:
        raise AgentError(
            f"{title} cannot be evaluated on a log: it needs the state of simulated users."
        )
