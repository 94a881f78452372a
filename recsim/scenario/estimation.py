"""How values are estimated from a log: keys of a scenario."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    field_validator,
    model_validator,
)

from recsim.errors import did_you_mean, listed
from recsim.estimators import ESTIMATORS, Limits, LoggingSettings, RewardModel, make_estimator
from recsim.estimators.estimator import PREDICTED
from recsim.estimators.impressions.estimators import LIMIT_OF
from recsim.estimators.settings import RESAMPLING, IntervalChoice, check_samples
from recsim.scenario.keys import distinct
from recsim.scenario.schema import Scenario


class LoggingSpec(BaseModel):
    """The policy that made the log: an agent, or an estimate from the log.

    Attributes:
        agent: The agent, which must not need a log itself. It provides the probability of every
            action, and that of the logged ones where the log has no propensities.
        config: Its settings.
        weights: ``balanced`` for a log of several logging policies: propensities are those of their
            mixture, see `recsim.estimators.balanced`.
        estimate: Kind of the estimate, which replaces the logged propensities; see
            `recsim.estimators.impressions.propensities`. Further keys are those of
            `LoggingSettings`.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    agent: str | None = None
    config: dict[str, Any] = {}
    weights: Literal["balanced"] | None = None
    estimate: str | None = None

    @property
    def settings(self) -> LoggingSettings | None:
        """Settings of the estimate, if there is one."""
        if self.estimate is None:
            return None
        return LoggingSettings.of({"estimate": self.estimate, **(self.__pydantic_extra__ or {})})

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        further = self.__pydantic_extra__ or {}
        own, settings = LoggingSpec.model_fields, LoggingSettings.model_fields
        for key in further.keys() - settings.keys():
            raise ValueError(f"unknown key {key!r}.{did_you_mean(key, {*own, *settings})}")
        if [self.agent, self.estimate, self.weights].count(None) != 2:
            raise ValueError("give exactly one of 'agent', 'estimate' and 'weights'")
        if self.estimate is None and further:
            raise ValueError(f"{next(iter(further))!r} has no effect without 'estimate': remove it")
        if self.agent is None and self.config:
            raise ValueError("'config' has no effect without 'agent': remove it")
        return self


class EstimationSpec(Limits, IntervalChoice, Scenario):
    """A kind of scenario that estimates values from logs.

    The keys ``clip``, ``tau``, ``shrinkage`` and ``subgaussian`` are those of `Limits`,
    ``interval`` and ``bound`` those of `IntervalChoice`.

    Attributes:
        estimators: Off-policy estimators.
        reward_model: Reward model of the estimators that need one: a name, or its settings.
        logging: The policy that made the log, where it is known or estimated.
        samples: Resamples of bootstrap intervals.
        draws: Slates drawn per row to estimate the propensities of agents that do not know them; 0
            to refuse such agents.
        smoothing: Draws added for every candidate.
    """

    estimators: Annotated[tuple[str, ...], Field(min_length=1, strict=False)] = (
        "ips",
        "snips",
        "clipped_ips",
    )
    reward_model: RewardModel = RewardModel()
    logging: LoggingSpec | None = None
    samples: Annotated[int, Field(ge=100, le=1_000_000)] = 2000
    draws: Annotated[int, Field(ge=0)] = 0
    smoothing: NonNegativeFloat = 0.0

    @property
    def interval_kinds(self) -> tuple[str, ...]:
        """Kinds of intervals that are computed."""
        return (self.interval,)

    @property
    def without_effect(self) -> dict[str, str]:
        """Keys that have no effect beside the others, and what would use each."""
        unused = {}
        for key in Limits.model_fields:
            readers = [name for name, limit in LIMIT_OF.items() if limit == key]
            if not set(readers) & set(self.estimators):
                unused[key] = f"only the estimators {listed(readers)} read it"
        modelled = [name for name in ESTIMATORS if make_estimator(name).needs & PREDICTED]
        if not set(modelled) & set(self.estimators):
            unused["reward_model"] = f"only the estimators {listed(modelled)} use one"
        if not set(RESAMPLING) & set(self.interval_kinds):
            unused["samples"] = f"only the intervals {listed(RESAMPLING)} resample"
        if not self.draws:
            unused["smoothing"] = "it is added to 'draws', of which there are none"
        return unused

    def resolved(self) -> dict[str, Any]:
        """Return every key that has an effect; see `Scenario.resolved`."""
        content = super().resolved()
        return {key: value for key, value in content.items() if key not in self.without_effect}

    @property
    def limits(self) -> dict[str, Any]:
        """Limits and reward model of the estimators, as keyword arguments of `evaluate`."""
        limits = {name: getattr(self, name) for name in Limits.model_fields}
        return limits | {"model": self.reward_model}

    @model_validator(mode="after")
    def _every_key_has_an_effect(self) -> Self:
        if set(self.estimators) <= set(ESTIMATORS):
            for key, why in self.without_effect.items():
                if key in self.model_fields_set:
                    raise ValueError(f"{key!r} has no effect here: {why}; remove it")
        if "samples" not in self.without_effect:
            check_samples(self.samples, self.level)
        return self

    @field_validator("estimators")
    @classmethod
    def _estimators_differ(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return distinct(values)

    @field_validator("reward_model", mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("logging", mode="before")
    @classmethod
    def _estimate_alone(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value == "balanced":
            return {"weights": value}
        kinds = get_args(LoggingSettings.model_fields["estimate"].annotation)
        if value not in kinds:
            raise ValueError(f"unknown kind {value!r}.{did_you_mean(value, (*kinds, 'balanced'))}")
        return {"estimate": value}
