"""Where a scenario takes place: among simulated users, or on a log."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

__all__ = ["DataSpec", "EnvSpec"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, strict=True)


class EnvSpec(_Model):
    """Where the users live; keys beyond ``id`` are arguments of the environment.

    Attributes:
        id: A registered Gymnasium id with a vector entry point.
    """

    id: str = "SlateRec-v0"

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of the environment."""
        return dict(self.__pydantic_extra__ or {})


class DataSpec(_Model):
    """Which log; keys beyond those below are options of the reader.

    Attributes:
        reader: Name of the reader.
        path: File or folder; relative to the working directory.
        each: Reader options with a list of values: one evaluation for every combination.
        reference: Reader options of a log collected by the evaluated policy itself, whose own
            mean reward is shown beside the estimates.
    """

    reader: str
    path: str
    each: dict[str, list[Any]] = {}
    reference: dict[str, Any] | None = None

    @property
    def options(self) -> dict[str, Any]:
        """Options of the reader."""
        return dict(self.__pydantic_extra__ or {})

    @field_validator("each")
    @classmethod
    def _each_has_values(cls, each: dict[str, list[Any]]) -> dict[str, list[Any]]:
        for key, values in each.items():
            if not values:
                raise ValueError(f"{key!r} lists no values")
            if len({str(value) for value in values}) < len(values):
                raise ValueError(f"{key!r} lists a value twice")
        return each
