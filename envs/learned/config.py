"""Settings of a user model that is fitted to a log."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from envs.world.part import Part


class UserModelConfig(Part):
    """How a user model is fitted.

    Attributes:
        choice: How a user picks from a slate: ``multinomial_logit`` (one click at most) or
            ``position_based`` (several); ``auto`` takes the first if no slate of several items was
            clicked more than once.
    """

    choice: Literal["auto", "multinomial_logit", "position_based"] = "auto"
    dim: int = Field(16, ge=1, description="length of the vectors of items")
    hidden: int = Field(32, ge=1, description="width of the hidden layers")
    history: int = Field(10, ge=1, description="slates that a user remembers")
    epochs: int = Field(30, ge=1, description="passes over the training users at most")
    patience: int = Field(3, ge=1, description="epochs without a lower held-out loss before an end")
    batch_size: int = Field(512, ge=1, description="rows per step at most; fewer for few rows")
    learning_rate: float = Field(0.01, gt=0)
    weight_decay: float = Field(1e-4, ge=0, description="of AdamW")
    smoothing: float = Field(10.0, gt=0, description="weight of the mean in means of an item")
    window: int = Field(7, ge=1, description="days after which a user who is away has left")
    calibration_share: float = Field(0.2, gt=0, lt=1, description="users for calibration")
    test_share: float = Field(0.2, gt=0, lt=1, description="users that only measure the errors")
    seed: int = Field(0, ge=0)
    device: str = "cpu"

    @model_validator(mode="after")
    def _somebody_is_left(self) -> UserModelConfig:
        if self.calibration_share + self.test_share >= 1:
            raise ValueError("calibration_share and test_share leave no users to fit to")
        return self
