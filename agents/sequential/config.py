"""Settings of the next-item recommenders."""

from __future__ import annotations

from typing import Literal, Self, TypeVar

from pydantic import Field, PositiveInt, model_validator

from recsim.contracts.slates import AgentConfig

Events = Literal["clicked", "shown"]
Config = TypeVar("Config", bound="SequentialConfig")


class SequentialConfig(AgentConfig):
    """What the three have in common.

    Attributes:
        events: Which items make a user's sequence: those ``clicked``, or all that were ``shown``.
        exclude_seen: Whether items of the observed sequence come after all others.
        dim: D, length of item vectors and states.
        layers: Blocks of the transformer, or layers of the recurrent network.
        dropout: Share of entries dropped in training.
        max_length: L, events in a window; acting looks back on L - 1.
        steps: Gradient steps at most.
        batch_size: Windows per step.
        learning_rate: Of Adam.
        held_out: Share of users by whom it is judged when to stop; 0 takes all steps.
        evaluate_every: Steps between looks at the held-out users.
        patience: Looks without improvement after which training stops.
        device: Where torch computes: ``cpu``, ``cuda`` ...
    """

    events: Events = "clicked"
    exclude_seen: bool = False
    dim: PositiveInt = 64
    layers: PositiveInt = 2
    dropout: float = Field(default=0.2, ge=0, lt=1)
    max_length: int = Field(default=50, ge=2)
    steps: PositiveInt = 2000
    batch_size: PositiveInt = 128
    learning_rate: float = Field(default=1e-3, gt=0, allow_inf_nan=False)
    held_out: float = Field(default=0.1, ge=0, lt=1)
    evaluate_every: PositiveInt = 50
    patience: PositiveInt = 10
    device: str = "cpu"


class TransformerConfig(SequentialConfig):
    """With attention.

    Attributes:
        heads: Attention heads; they share ``dim`` equally.
    """

    heads: PositiveInt = 2

    @model_validator(mode="after")
    def _heads_share_equally(self) -> Self:
        if self.dim % self.heads:
            raise ValueError(f"'heads' must divide 'dim', but {self.heads} heads share {self.dim}")
        return self


class SASRecConfig(TransformerConfig):
    """Settings of `SASRecAgent`, with those of `TransformerConfig`.

    Attributes:
        loss: ``bce`` against sampled negatives, or ``cross_entropy`` over the whole catalogue.
        negatives: Items drawn for each event; for ``bce``.
    """

    loss: Literal["bce", "cross_entropy"] = "bce"
    negatives: PositiveInt = 1

    @model_validator(mode="after")
    def _negatives_are_used(self) -> Self:
        return _check_negatives(self, self.loss)


class BERT4RecConfig(TransformerConfig):
    """Settings of `BERT4RecAgent`, with those of `TransformerConfig`.

    Attributes:
        mask_share: Chance that an event is masked.
        next_share: Share of windows that are cut at a random place and have only their last event
            masked, as in acting.
    """

    mask_share: float = Field(default=0.2, gt=0, le=1)
    next_share: float = Field(default=0.5, ge=0, le=1)


class GRU4RecConfig(SequentialConfig):
    """Settings of `GRU4RecAgent`, with those of `SequentialConfig`.

    Attributes:
        loss: ``cross_entropy`` over the whole catalogue, or ``bpr`` or ``top1_max`` against sampled
            negatives.
        negatives: Items drawn for each event; for ``bpr`` and ``top1_max``.
    """

    layers: PositiveInt = 1
    loss: Literal["cross_entropy", "bpr", "top1_max"] = "cross_entropy"
    negatives: PositiveInt = 32

    @model_validator(mode="after")
    def _negatives_are_used(self) -> Self:
        return _check_negatives(self, self.loss)


def _check_negatives(config: Config, loss: str) -> Config:
    if loss == "cross_entropy" and "negatives" in config.model_fields_set:
        raise ValueError("'negatives' has no effect on 'cross_entropy', which is over all items")
    return config
