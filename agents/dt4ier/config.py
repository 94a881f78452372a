"""Settings of the model, its training and its prompts."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from recsim.contracts.slates import AgentConfig


class ModelConfig(AgentConfig):
    """Architecture of the network.

    Attributes:
        rewards: 2: the short and the long reward; 1: the long reward alone, as in DT4Rec.
        rtg: ``on``: condition on the returns-to-go; ``zero``: replace them by 0, which is behaviour
            cloning.
        reward_encoder: ``buckets``: soft buckets; ``linear``: a linear map and tanh.
        embed_dim: Dimension D of all vectors.
        layers: Number of transformer blocks.
        heads: Number of attention heads; must divide ``embed_dim``.
        context: Number of time steps T that the transformer sees.
        history: Number of clicked items H that form the state.
        user_features: Whether the state includes the user's features, if there are any.
        buckets: Number of soft buckets of the reward encoder.
        dropout: Dropout of the transformer.
        list_dropout: Dropout between the two layers of the recurrent networks.
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
    """Training of the network.

    Attributes:
        alpha: Weight of the contrastive term; 0 disables it.
        low_reward: A session is a negative example if all of its rewards are below this fraction of
            the largest in the log.
        balance: Whether the two returns are weighted per user; otherwise both weights are equal.
        balance_penalty: Weight of the gap between the weighted returns, in [0, 1).
        balance_steps: Gradient steps of the balancer.
        scale: Divisor of the returns-to-go: ``q95``, their 95th percentile, or ``max``, their
            maximum.
        steps: Gradient steps.
        epochs: Passes over the log, instead of ``steps``.
        batch_size: Windows per step.
        learning_rate: Learning rate of AdamW, reached after ``warmup``.
        warmup: Fraction of the steps during which the learning rate rises.
        weight_decay: Weight decay, on the weights of linear layers only.
        clip: Largest norm of the gradient.
        held_out: Fraction of users held out from training; their cross-entropy is reported.
        max_logits: Largest number of item scores in memory at once; larger batches are split.
        mixed_precision: Whether to train in bfloat16 where that is safe.
        compile: Whether to compile the transformer with ``torch.compile`` for training.
        checkpoint: File to which training is saved and from which it resumes; ``{seed}`` in the
            name is replaced by the seed.
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
    """All settings of the agent: `ModelConfig`, `TrainingConfig` and the following.

    Attributes:
        short: The immediate reward: ``click`` for clicks per item shown, or a named reward.
        long: The long-term reward, likewise.
        prompt: Target return as a fraction of the 95th percentile of the returns in the log; or a
            pair, for the short and the long reward.
        temperature: 0: show the most probable items; otherwise items are sampled after the scores
            are divided by the temperature.
        device: Device of the computations: ``cpu``, ``cuda`` ...
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
        """Reject a bad prompt with one message that describes both accepted forms."""
        parts = list(value) if isinstance(value, list | tuple) else [value]
        numbers = all(
            isinstance(p, int | float) and not isinstance(p, bool) and 0 <= p < math.inf
            for p in parts
        )
        if not numbers or len(parts) != (2 if isinstance(value, list | tuple) else 1):
            raise ValueError("must be a non-negative number, or a list of two: [short, long]")
        return value

    @model_validator(mode="after")
    def _a_pair_is_for_two_rewards(self) -> Self:
        if self.rewards == 1 and isinstance(self.prompt, tuple):
            raise ValueError("'prompt' must be a single number if 'rewards' is 1")
        return self

    @property
    def reward_names(self) -> tuple[str, ...]:
        """Names of the rewards that are used, in order."""
        return (self.short, self.long) if self.rewards == 2 else (self.long,)
