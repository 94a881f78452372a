"""Settings of the agent `clone`."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from agents.shared.early_stopping import EarlyStoppingConfig
from agents.slate_policy.rows import Network
from recsim.contracts.slates import OnlyWith


class CloneConfig(EarlyStoppingConfig):
    """Settings of `CloneAgent`, with those of `EarlyStoppingConfig`.

    Attributes:
        keep: Share of the users whose slates are imitated, those with the highest total of
            ``target``; 1 for all. Totals are comparable only between users who could be observed
            equally long.
        weights: ``none``: all rows count the same; ``awr`` and ``crr``: rows after which the user
            earned more than expected count more.
        beta: With ``awr``: temperature of the weights, in standard deviations of the advantage.
        gamma: With ``awr`` and ``crr``: discount per slate of the return-to-go.
        target: The reward by which users or rows are preferred: ``click``, a named reward, or
            ``reward`` for the scalar one.
        network: ``linear``: scores linear in the user's features; ``mlp``: a network that also
            reads the history, the time and the last rewards, and the features of the items.
        temperature: 0 shows the best slate; otherwise slates are drawn by Plackett-Luce from the
            scores over the temperature, and 1 is as the log has them.
        history: With ``mlp``: number of past slates that are read; the environment must show as
            many.
        hidden: With ``mlp``: width of the layers.
        dim: With ``mlp``: length of query and item vectors.
        item_dim: With ``mlp``: length of the vector learned for each item beside its features.
        steps: Largest number of gradient steps.
        learning_rate: Learning rate of AdamW; by default 0.05 for ``linear``, 0.003 for ``mlp``.
    """

    only_with: ClassVar[OnlyWith] = {
        "beta": ("weights", ("awr",)),
        "gamma": ("weights", ("awr", "crr")),
        **{key: ("network", ("mlp",)) for key in ("history", "hidden", "dim", "item_dim")},
    }

    keep: float = Field(default=1.0, gt=0, le=1)
    weights: Literal["none", "awr", "crr"] = "none"
    beta: float = Field(default=0.5, gt=0, allow_inf_nan=False)
    gamma: float = Field(default=1.0, ge=0, le=1)
    target: str = "reward"
    network: Network = "linear"
    temperature: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    history: PositiveInt = 5
    hidden: PositiveInt = 64
    dim: PositiveInt = 32
    item_dim: NonNegativeInt = 8
    steps: PositiveInt = 300

    @model_validator(mode="before")
    @classmethod
    def _learning_rate_of_the_network(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        linear = value.get("network", "linear") == "linear"
        return {"learning_rate": 0.05 if linear else 0.003, **value}

    @property
    def prefers(self) -> bool:
        """Whether some users or rows are preferred, so that the target has an effect."""
        return self.keep < 1 or self.weights != "none"
