"""Settings of ``LearnedRec-v0``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import model_validator

from envs.learned.config import UserModelConfig
from envs.slates.settings import Limit, SlateSettings


class LearnedRecSettings(SlateSettings):
    """Settings of ``LearnedRec-v0``; the defaults of slates and rewards are those of the log.

    Attributes:
        model: Folder of a saved user model. With a log, the model is saved there if there is none.
        reader: Name of the reader of the log.
        path: Path of the log.
        options: Further settings of the reader.
        fit: How the model is fitted to the log.
        device: Torch device of the networks; None for that of ``fit`` or of the saved model.
        max_steps: Slates after which an episode is truncated; None or 0 for no limit.
    """

    env_id: ClassVar[str] = "LearnedRec-v0"

    model: str | None = None
    reader: str | None = None
    path: str | None = None
    options: Mapping[str, Any] | None = None
    fit: UserModelConfig | None = None
    device: str | None = None
    max_steps: Limit | None = 60

    @property
    def source_keys(self) -> list[str]:
        """Which settings that say where the model comes from are given."""
        keys = ("model", "reader", "path", "options", "fit", "device")
        return [key for key in keys if getattr(self, key) is not None]

    @model_validator(mode="after")
    def _log_is_complete(self) -> Self:
        if (self.reader is None) != (self.path is None):
            raise ValueError("a log needs both reader and path")
        changes_fit = self.fit is not None and self.fit.model_fields_set
        if self.reader is None and (self.options or changes_fit):
            raise ValueError("options and fit belong to a log: give reader and path too")
        return self
