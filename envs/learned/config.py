"""Settings of a user model that is fitted to a log."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from envs.world.part import Part


class UserModelConfig(Part):
    """How a user model is fitted.

    Attributes:
        choice: Choice model: ``multinomial_logit`` (at most one click per slate) or
            ``position_based`` (several); ``auto`` is the first if no slate of several items was
            clicked more than once.
    """

    choice: Literal["auto", "multinomial_logit", "position_based"] = "auto"
    dim: int = Field(16, ge=1, description="length of the item vectors")
    hidden: int = Field(32, ge=1, description="width of the hidden layers")
    history: int = Field(10, ge=1, description="last slates of a user that the model uses")
    epochs: int = Field(30, ge=1, description="most passes over the training rows")
    patience: int = Field(
        3, ge=1, description="epochs without a lower held-out loss before stopping"
    )
    batch_size: int = Field(512, ge=1, description="most rows per step; fewer if there are few")
    learning_rate: float = Field(0.01, gt=0)
    weight_decay: float = Field(1e-4, ge=0, description="weight decay of AdamW")
    smoothing: float = Field(
        10.0, gt=0, description="prior clicks or views at the overall mean, per item"
    )
    window: int = Field(7, ge=1, description="days after which an absent user has left")
    calibration_share: float = Field(
        0.2, gt=0, lt=1, description="fraction of users for calibration"
    )
    test_share: float = Field(0.2, gt=0, lt=1, description="fraction of users for measuring errors")
    seed: int = Field(0, ge=0)
    device: str = "cpu"

    @model_validator(mode="after")
    def _users_are_left_to_fit(self) -> UserModelConfig:
        if self.calibration_share + self.test_share >= 1:
            raise ValueError("calibration_share and test_share leave no users to fit to")
        return self
