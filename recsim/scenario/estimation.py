"""How values are estimated from a log: keys of a scenario."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from recsim.estimators import LoggingSettings, RewardModel
from recsim.estimators.impressions.clipping import ClipRule
from recsim.estimators.intervals import IntervalKind

__all__ = ["EstimationSpec", "LoggingSpec"]

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
