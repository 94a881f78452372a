"""Base class of the parts of a world."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from recsim.settings import limited


class Part(BaseModel):
    """A part of a world: its parameters, and the formula that uses them.

    Parts are frozen; unknown parameters are errors.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _within_float32(cls, value: Any) -> Any:
        return limited(value)
