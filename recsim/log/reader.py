"""What every reader is: settings that can be checked, and a method that reads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from recsim.errors import UserError, did_you_mean
from recsim.log.slate_log import SlateLog


class Reader(BaseModel):
    """A log somewhere else; its fields say where and how to read it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @abstractmethod
    def read(self) -> SlateLog:
        """Read the whole log and check it.

        Raises:
            UserError: If a file is missing or a row is malformed.
        """


def configure(kind: type[Reader], name: str, options: Mapping[str, Any]) -> Reader:
    """Build a reader from its options.

    Args:
        kind: The reader's class.
        name: Its registered name, for messages.
        options: Its settings.

    Raises:
        UserError: If an option is unknown, missing or wrong.
    """
    try:
        return kind(**options)
    except ValidationError as error:
        faults = [
            _explain(kind, fault["type"], fault["loc"], fault["msg"], fault["input"])
            for fault in error.errors(include_url=False)
        ]
        raise UserError(f"Reader {name!r}: " + " ".join(faults)) from None


def _explain(
    kind: type[Reader], fault: str, location: tuple[int | str, ...], message: str, value: Any
) -> str:
    key = ".".join(map(str, location))
    if fault == "extra_forbidden":
        known = _fields_at(kind, location[:-1])
        return f"unknown option {key!r}.{did_you_mean(str(location[-1]), known)}"
    if fault == "missing":
        return f"option {key!r} is missing."
    if not key:
        return f"{message.removeprefix('Value error, ')}."
    return f"option {key!r}: {message[0].lower()}{message[1:]}, not {value!r}."


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the options that may stand at a place inside the reader's options."""
    for step in location:
        field = model.model_fields.get(str(step))
        if field is None:
            continue  # a place in a list, or the branch of a union
        kinds = (field.annotation, *get_args(field.annotation))
        nested = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        if nested:
            model = nested[0]
    return list(model.model_fields)
