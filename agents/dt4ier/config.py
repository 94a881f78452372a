"""Settings of the model, of its training and of how it is prompted."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from recsim.contracts.slates import AgentConfig


class ModelConfig(AgentConfig):
    """What the network is made of.

    Attributes:
        rewards: 2: the short and the long reward; 1: the long one alone, as in DT4Rec.
        rtg: ``on``: the returns-to-go are read; ``zero``: they are 0, which is behaviour cloning.
        reward_encoder: ``buckets``: soft buckets; ``linear``: a linear map and tanh.
        embed_dim: Length D of all vectors.
        layers: Transformer blocks.
        heads: Attention heads; must divide ``embed_dim``.
        context: Time steps T that the transformer sees.
        history: Clicked items H that make the state.
        user_features: Whether the state also tells the user's features, if there are any.
        buckets: Soft buckets of the reward encoder.
        dropout: In the transformer.
        list_dropout: Between the two layers of the recurrent networks.
    """

    rewards: Literal[1, 2] = 2
    rtg: Literal["on", "zero"] = "on"
    reward_encoder: Literal["buckets", "linear"] = "buckets"
    embed_dim: PositiveInt = 64
    layers: PositiveInt = 2
    heads: PositiveInt = 4
    context: PositiveInt = 20
    history: PositiveInt = 30
    user_features: bool = True
    buckets: PositiveInt = 32
    dropout: float = Field(default=0.1, ge=0, lt=1)
    list_dropout: float = Field(default=0.2, ge=0, lt=1)

    @field_validator("rtg", mode="before")
    @classmethod
    def _yaml_reads_on_as_true(cls, value: Any) -> Any:
        return "on" if value is True else value

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.embed_dim % self.heads:
            raise ValueError(f"'heads' must divide 'embed_dim' {self.embed_dim}")
        return self


class TrainingConfig(AgentConfig):
    """How the network is trained.

    Attributes:
        alpha: Weight of the contrastive term; 0 leaves it out.
        low_reward: A session is a negative example if its rewards are below this share of the
            largest of the log.
        balance: Whether returns are weighted for each user; otherwise all weights are equal.
        balance_penalty: Weight of the gap between the weighted returns, in [0, 1).
        balance_steps: Gradient steps of the balancer.
        scale: What returns-to-go are divided by: their 95th percentile, or their largest.
        steps: Gradient steps.
        epochs: Passes over the log, in place of ``steps``.
        batch_size: Windows per step.
        learning_rate: Of AdamW, reached after ``warmup``.
        warmup: Share of the steps in which the learning rate rises.
        weight_decay: On the weights of linear layers.
        clip: Bound of the gradient's norm.
        held_out: Share of users who are not trained on, and whose cross-entropy is reported.
        max_logits: Scores of items held at a time; a batch that needs more is done in parts.
        mixed_precision: Whether training computes in bfloat16 where that is safe.
        compile: Whether ``torch.compile`` compiles the transformer for the training.
        checkpoint: File that training is saved to and goes on from; ``{seed}`` in it stands for the
            seed.
        checkpoint_every: Steps between two checkpoints.
    """

    alpha: float = Field(default=0.1, ge=0, allow_inf_nan=False)
    low_reward: float = Field(default=0.6, ge=0, le=1)
    balance: bool = True
    balance_penalty: float = Field(default=0.5, ge=0, lt=1)
    balance_steps: PositiveInt = 500
    scale: Literal["q95", "max"] = "q95"
    steps: PositiveInt = 1000
    epochs: PositiveFloat | None = None
    batch_size: PositiveInt = 64
    learning_rate: float = Field(default=1e-3, gt=0, allow_inf_nan=False)
    warmup: float = Field(default=0.05, ge=0, le=1)
    weight_decay: float = Field(default=0.1, ge=0, allow_inf_nan=False)
    clip: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    held_out: float = Field(default=0.0, ge=0, lt=1)
    max_logits: PositiveInt = 2**26
    mixed_precision: bool = False
    compile: bool = False
    checkpoint: str | None = None
    checkpoint_every: PositiveInt = 500


class FitConfig(ModelConfig, TrainingConfig):
    """Model and training together."""


class DT4IERConfig(FitConfig):
    """All settings of the agent: `ModelConfig`, `TrainingConfig` and these.

    Attributes:
        short: The immediate reward: ``click`` for clicks per item shown, or a named reward.
        long: The long-term reward, likewise.
        prompt: Proportion p of the 95th percentile of the returns of the log that is asked for; or
            one for the short and one for the long reward.
        temperature: 0 for the most probable items; otherwise items are drawn, with scores divided
            by it.
        device: Where torch computes: ``cpu``, ``cuda`` ...
    """

    short: str = "click"
    long: str = "return"
    prompt: (
        Annotated[float, Field(ge=0, allow_inf_nan=False)]
        | Annotated[
            tuple[
                Annotated[float, Field(ge=0, allow_inf_nan=False)],
                Annotated[float, Field(ge=0, allow_inf_nan=False)],
            ],
            Field(strict=False),
        ]
    ) = 0.8
    temperature: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    device: str = "cpu"

    @field_validator("prompt", mode="before")
    @classmethod
    def _a_number_or_two(cls, value: Any) -> Any:
        """Say in one message what either of both forms would be."""
        parts = list(value) if isinstance(value, list | tuple) else [value]
        numbers = all(
            isinstance(p, int | float) and not isinstance(p, bool) and 0 <= p < math.inf
            for p in parts
        )
        if not numbers or len(parts) != (2 if isinstance(value, list | tuple) else 1):
            raise ValueError("must be a number from 0 on, or a list of two: [short, long]")
        return value

    @model_validator(mode="after")
    def _a_pair_is_for_two_rewards(self) -> Self:
        if self.rewards == 1 and isinstance(self.prompt, tuple):
            raise ValueError("'prompt' must be one number where 'rewards' is 1")
        return self

    @property
    def reward_names(self) -> tuple[str, ...]:
        """The rewards that are read, in order."""
        return (self.short, self.long) if self.rewards == 2 else (self.long,)
