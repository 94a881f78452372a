"""Settings of the next-item recommenders."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from agents.shared.event_lists import Events
from recsim.contracts.slates import AgentConfig, OnlyWith

Loss = Literal["auto", "cross_entropy", "sampled", "gbce", "bce"]
RecurrentLoss = Literal["auto", "cross_entropy", "sampled", "gbce", "bce", "bpr", "top1_max"]


Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class SequentialConfig(AgentConfig):
    """Settings that the three agents share.

    Attributes:
        events: The items of a user's sequence: those ``clicked``, or all that were ``shown``.
        exclude_seen: Whether items of the observed sequence are ranked below all others.
        dim: D, length of item vectors and states.
        layers: Blocks of the transformer, or layers of the recurrent network.
        dropout: Fraction of entries dropped in training.
        max_length: L, events from which the next one is predicted.
        init_std: Standard deviation of initial parameters; 0.02 is usual with ``dim`` of 128 or
            more.
        item_bias: Whether items have a bias, which begins at the logarithm of their popularity.
        loss: ``cross_entropy`` over the whole catalogue; ``sampled``, a softmax over the next item
            and corrected negatives; ``gbce`` or ``bce`` with uniform negatives. ``auto`` is
            ``cross_entropy`` if the scores of a batch are at most ten million numbers, else
            ``sampled``.
        negatives: Negatives; for ``sampled`` they are shared by all events of a batch.
        calibration: For ``gbce``: t, from 0 (``bce``) to 1.
        steps: Largest number of gradient steps.
        batch_size: Windows per step.
        learning_rate: Highest learning rate of Adam.
        warm_up: Steps in which the learning rate rises to its highest value, at most a tenth of
            ``steps``; from there it falls linearly to 5 %.
        average: Decay of the exponential moving average of parameters that is used in place of the
            last ones; 0 for none.
        held_out: What early stopping is judged on if no validation log is given: ``last``, the
            last event of up to 4,000 users, or a fraction of the users; with 0, all steps are
            taken.
        evaluate_every: Steps between two evaluations.
        patience: Evaluations without improvement after which training stops.
        temperature: Slates are drawn by Plackett-Luce from scores over this temperature; with 0
            each user gets the items with the highest scores.
        entropy: In place of a temperature: for each user the one at which the entropy of the first
            item is this share of the largest possible.
        device: Where torch computes: ``cpu``, ``cuda`` ...
    """

    only_with: ClassVar[OnlyWith] = {
        "negatives": ("loss", ("auto", "sampled", "gbce", "bce")),
        "calibration": ("loss", ("gbce",)),
    }

    events: Events = "clicked"
    exclude_seen: bool = False
    dim: PositiveInt = 64
    layers: PositiveInt = 2
    dropout: float = Field(default=0.4, ge=0, lt=1)
    max_length: int = Field(default=50, ge=2)
    init_std: float = Field(default=0.05, gt=0, allow_inf_nan=False)
    item_bias: bool = True
    loss: Loss = "auto"
    negatives: PositiveInt = 512
    calibration: float = Field(default=0.75, ge=0, le=1)
    steps: PositiveInt = 1500
    batch_size: PositiveInt = 32
    learning_rate: float = Field(default=4e-3, gt=0, allow_inf_nan=False)
    warm_up: NonNegativeInt = 50
    average: float = Field(default=0.0, ge=0, lt=1)
    held_out: Literal["last"] | Annotated[float, Field(ge=0, lt=1)] = "last"
    evaluate_every: PositiveInt = 150
    patience: PositiveInt = 8
    temperature: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    entropy: float | None = Field(default=None, gt=0, lt=1)
    device: str = "cpu"

    @model_validator(mode="after")
    def _one_temperature(self) -> Self:
        if self.entropy is not None and "temperature" in self.model_fields_set:
            raise ValueError("'entropy' sets the temperature: remove 'temperature'")
        return self


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

    All but the settings of `TransformerConfig` are additions from later papers, see
    `agents.sequential.additions`; each is off by default.

    Attributes:
        reasoning: Further steps of the encoder before the prediction (ReaRec): ``none``, ``erl``
            or ``prl``.
        reasoning_steps: K; with 0 the agent predicts as without reasoning.
        reasoning_weight: For ``erl``: weight of the divergence between steps.
        contrast: A contrastive loss beside: ``none``, ``meta`` (MCLRec) or ``intent`` (ICSRec).
        contrast_weights: Weights of its two parts: for ``meta`` of the contrast of states and of
            learned views, by default 0.03 and 0.1; for ``intent`` of the coarse and the fine
            contrast, by default 0.3 and 0.1.
        clusters: For ``intent``: C, number of centres.
        long_query: Lq, events whose mean is the query in a second stack of blocks (MQSA); 0 for
            none.
        distil_transitions: Weight of the distillation of counted transitions (TED); 0 for none.
        item_inputs: What the vectors of items depend on: ``id``, ``metadata`` (M2TRec) or ``both``.
        category_weight: For ``metadata`` and ``both``: weight of predicting the next item's group.
        attention_table: Whether the first block attends by vectors of its own (DARE).
    """

    only_with: ClassVar[OnlyWith] = {
        **TransformerConfig.only_with,
        "reasoning_steps": ("reasoning", ("erl", "prl")),
        "reasoning_weight": ("reasoning", ("erl",)),
        "contrast_weights": ("contrast", ("meta", "intent")),
        "clusters": ("contrast", ("intent",)),
        "category_weight": ("item_inputs", ("metadata", "both")),
    }

    reasoning: Literal["none", "erl", "prl"] = "none"
    reasoning_steps: Annotated[int, Field(ge=0, le=8)] = 2
    reasoning_weight: float = Field(default=0.05, ge=0, allow_inf_nan=False)
    contrast: Literal["none", "meta", "intent"] = "none"
    contrast_weights: Annotated[tuple[Weight, Weight], Field(strict=False)] | None = None
    clusters: PositiveInt = 256
    long_query: NonNegativeInt = 0
    distil_transitions: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    item_inputs: Literal["id", "metadata", "both"] = "id"
    category_weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    attention_table: bool = False

    @model_validator(mode="after")
    def _one_encoder(self) -> Self:
        changed = [
            name
            for name, on in (
                ("reasoning", self.reasoning != "none"),
                ("long_query", self.long_query > 0),
                ("attention_table", self.attention_table),
            )
            if on
        ]
        if len(changed) > 1:
            raise ValueError(
                f"{' and '.join(changed)} cannot be combined: each changes how the encoder reads "
                "a sequence"
            )
        return self


class BERT4RecConfig(TransformerConfig):
    """Settings of `BERT4RecAgent`, with those of `TransformerConfig`.

    Attributes:
        mask_share: Probability that an event is masked.
        next_share: Fraction of windows in which only the last event is masked, as in acting.
    """

    dropout: float = Field(default=0.2, ge=0, lt=1)
    steps: PositiveInt = 3500
    patience: PositiveInt = 20
    mask_share: float = Field(default=0.5, gt=0, le=1)
    next_share: float = Field(default=0.25, ge=0, le=1)


class GRU4RecConfig(SequentialConfig):
    """Settings of `GRU4RecAgent`, with those of `SequentialConfig`.

    Attributes:
        hidden: Length of the recurrent state, which is mapped to ``dim``.
        loss: As above, or ``bpr`` or ``top1_max`` with uniform negatives.
    """

    only_with: ClassVar[OnlyWith] = {
        "negatives": ("loss", ("auto", "sampled", "gbce", "bce", "bpr", "top1_max")),
        "calibration": ("loss", ("gbce",)),
    }

    layers: PositiveInt = 1
    dropout: float = Field(default=0.3, ge=0, lt=1)
    hidden: PositiveInt = 128
    loss: RecurrentLoss = "auto"  # type: ignore[assignment]  # a wider choice
