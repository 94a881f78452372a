"""Settings of the next-item recommenders."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from recsim.contracts.slates import AgentConfig, OnlyWith

Events = Literal["clicked", "shown"]


class SequentialConfig(AgentConfig):
    """Settings that the three agents share.

    Attributes:
        events: The items of a user's sequence: those ``clicked``, or all that were ``shown``.
        exclude_seen: Whether items of the observed sequence are ranked below all others.
        dim: D, length of item vectors and states.
        layers: Blocks of the transformer, or layers of the recurrent network.
        dropout: Fraction of entries dropped in training.
        max_length: L, events in a window; acting uses the last L - 1.
        steps: Largest number of gradient steps.
        batch_size: Windows per step.
        learning_rate: Learning rate of Adam.
        held_out: Fraction of users held out for early stopping; with 0, all steps are taken.
        evaluate_every: Steps between two evaluations on the held-out users.
        patience: Evaluations without improvement after which training stops.
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
    """Settings of the two agents with attention.

    Attributes:
        heads: Number of attention heads; must divide ``dim``.
    """

    heads: PositiveInt = 2

    @model_validator(mode="after")
    def _heads_divide_dim(self) -> Self:
        if self.dim % self.heads:
            raise ValueError(
                f"'heads' must divide 'dim': {self.dim} is not a multiple of {self.heads}"
            )
        return self


class SASRecConfig(TransformerConfig):
    """Settings of `SASRecAgent`, with those of `TransformerConfig`.

    Attributes:
        loss: ``bce`` with sampled negatives, or ``cross_entropy`` over the whole catalogue.
        negatives: For ``bce``: negatives sampled for each event.
    """

    only_with: ClassVar[OnlyWith] = {"negatives": ("loss", ("bce",))}

    loss: Literal["bce", "cross_entropy"] = "bce"
    negatives: PositiveInt = 1


class BERT4RecConfig(TransformerConfig):
    """Settings of `BERT4RecAgent`, with those of `TransformerConfig`.

    Attributes:
        mask_share: Probability that an event is masked.
        next_share: Fraction of windows that are cut at a random position, with only their last
            event masked, as in acting.
    """

    mask_share: float = Field(default=0.2, gt=0, le=1)
    next_share: float = Field(default=0.5, ge=0, le=1)


class GRU4RecConfig(SequentialConfig):
    """Settings of `GRU4RecAgent`, with those of `SequentialConfig`.

    Attributes:
        loss: ``cross_entropy`` over the whole catalogue, or ``bpr`` or ``top1_max`` with sampled
            negatives.
        negatives: For ``bpr`` and ``top1_max``: negatives sampled for each event.
    """

    only_with: ClassVar[OnlyWith] = {"negatives": ("loss", ("bpr", "top1_max"))}

    layers: PositiveInt = 1
    loss: Literal["cross_entropy", "bpr", "top1_max"] = "cross_entropy"
    negatives: PositiveInt = 32
