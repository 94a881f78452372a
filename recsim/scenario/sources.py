"""Sources of a scenario: an environment with simulated users, or a log."""

from __future__ import annotations

import itertools
import re
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr, field_validator

from recsim.log import SlateLog


class _Model(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, strict=True)


class EnvSpec(_Model):
    """The environment; keys beyond ``id`` are arguments of the environment.

    Attributes:
        id: A registered Gymnasium id with a vector entry point.
    """

    id: str = "SlateRec-v0"

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of the environment."""
        return dict(self.__pydantic_extra__ or {})


class DataSpec(_Model):
    """A log; keys beyond those below are options of the reader.

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

    _log: Any = PrivateAttr(default=None)

    @classmethod
    def of(cls, log: SlateLog) -> Self:
        """Return the source that is a log in memory."""
        spec = cls(reader="saved", path="")
        spec._log = log
        return spec

    @property
    def log(self) -> SlateLog | None:
        """The log, if it is in memory."""
        log: SlateLog | None = self._log
        return log

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


def combinations(data: DataSpec) -> dict[str, dict[str, Any]]:
    """Return the reader options of every combination of ``each``, by a name fit for a folder."""
    named: dict[str, dict[str, Any]] = {}
    for values in itertools.product(*data.each.values()):
        name = "-".join(re.sub(r"[^A-Za-z0-9_.+]", "_", str(value)) for value in values)
        name = name.lstrip(".") or "all"
        if name in named:
            name = f"{name}-{len(named)}"
        named[name] = dict(zip(data.each, values, strict=True))
    return named
