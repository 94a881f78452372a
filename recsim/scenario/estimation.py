"""How values are estimated from a log, and how estimators are judged: keys of a scenario."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    field_validator,
    model_validator,
)

from recsim.estimators import LoggingSettings, RewardModel
from recsim.estimators.impressions.clipping import ClipRule
from recsim.estimators.intervals import IntervalKind

__all__ = ["BenchmarkSpec", "EstimationSpec", "LoggingSpec"]

# Keys of a benchmark that belong to simulated users.
USERS_ONLY = ("env", "users")

Above = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]


class LoggingSpec(BaseModel):
    """What is known of the policy that made the log, beside its propensities; one of two.

    Attributes:
        agent: An agent that stands for it, and needs no log itself. It tells the probability of
            every action, and that of the logged ones where the log has none.
        config: Its settings.
        estimate: How its probabilities are estimated from the log, in place of the logged ones; see
            `recsim.estimators.impressions.propensities`. Further keys are those of
            `LoggingSettings`.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    agent: str | None = None
    config: dict[str, Any] = {}
    estimate: str | None = None

    @property
    def settings(self) -> LoggingSettings | None:
        """How probabilities are estimated, if they are."""
        if self.estimate is None:
            return None
        return LoggingSettings.of({"estimate": self.estimate, **(self.__pydantic_extra__ or {})})

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.agent is None) == (self.estimate is None):
            raise ValueError("give exactly one of 'agent' and 'estimate'")
        if self.estimate is None and self.__pydantic_extra__:
            key = next(iter(self.__pydantic_extra__))
            raise ValueError(f"{key!r} has no effect without 'estimate': remove it")
        if self.estimate is not None and self.config:
            raise ValueError("'config' has no effect without 'agent': remove it")
        return self


class EstimationSpec(BaseModel):
    """How values are estimated from a log.

    Attributes:
        estimators: Off-policy estimators.
        clip: Largest weight that clipped estimators keep; or the rule that chooses it on the log,
            ``slope`` or ``mse``.
        tau: The same for ``switch_dr`` and ``switch``.
        shrinkage: The same for ``dros``.
        subgaussian: The same for ``sub_gaussian``.
        interval: Kind of the intervals.
        bound: Width of the range of a term, which ``bernstein`` and ``hoeffding`` need.
        reward_model: Reward model of the estimators that ask one: a name, or its settings.
        logging: What is known of the logging policy.
        draws: Slates drawn per row to count the propensities of agents that do not know them; 0 to
            refuse such agents.
        smoothing: Draws added for every candidate.
    """

    estimators: Annotated[tuple[str, ...], Field(min_length=1, strict=False)] = (
        "ips",
        "snips",
        "clipped_ips",
    )
    clip: Above | ClipRule = 10.0
    tau: NonNegative | ClipRule = 10.0
    shrinkage: NonNegative | ClipRule = 400.0
    subgaussian: Annotated[float, Field(ge=0, le=1)] | ClipRule = 0.1
    interval: IntervalKind = "bootstrap"
    bound: Above | None = None
    reward_model: RewardModel = RewardModel()
    logging: LoggingSpec | None = None
    draws: Annotated[int, Field(ge=0)] = 0
    smoothing: NonNegative = 0.0

    @property
    def limits(self) -> dict[str, Any]:
        """Parameters of the estimators, as keyword arguments of `evaluate`."""
        names = ("clip", "tau", "shrinkage", "subgaussian")
        return {name: getattr(self, name) for name in names} | {"model": self.reward_model}

    @field_validator("reward_model", mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("logging", mode="before")
    @classmethod
    def _estimate_alone(cls, value: Any) -> Any:
        return {"estimate": value} if isinstance(value, str) else value


class BenchmarkSpec(BaseModel):
    """Many logs of a problem whose value is known, to judge estimators by.

    Attributes:
        source: ``users``: the first slate, of one item, of simulated users. ``digits``: handwritten
            digits, whose label is to be guessed. See `recsim.trials.logged_bandits`.
        env: Arguments of ``SlateRec-v0``, for ``users``.
        users: Simulated users.
        agent: Who makes the logs; must know its propensities.
        config: Its settings.
        training: Rows of a uniform log that this agent and the evaluated ones are fitted on.
        rounds: Rows of each log.
        logs: Logs for each seed of the scenario.
        intervals: Kinds of intervals that are judged.
        seed: Seed of the users and of the training log, the same for all seeds of the scenario.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    source: Literal["users", "digits"] = "users"
    env: dict[str, Any] = {}
    users: Annotated[PositiveInt, Field(le=100_000)] = 500
    agent: str = "softmax"
    config: dict[str, Any] = {}
    training: PositiveInt = 5000
    rounds: PositiveInt = 1000
    logs: PositiveInt = 200
    intervals: Annotated[
        tuple[Literal["bootstrap", "t"], ...], Field(min_length=1, strict=False)
    ] = ("bootstrap", "t")
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _users_only(self) -> Self:
        if self.source == "digits" and self.model_fields_set & set(USERS_ONLY):
            raise ValueError("'env' and 'users' have no effect with source 'digits': remove them")
        return self

    def resolved(self) -> dict[str, Any]:
        """Return the keys that have an effect, as plain data."""
        unused = set(USERS_ONLY) if self.source == "digits" else set()
        return self.model_dump(mode="json", exclude=unused)
