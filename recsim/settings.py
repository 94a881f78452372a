"""Settings that a person writes, checked against a pydantic model."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic_core import ErrorDetails

from recsim.errors import UserError, did_you_mean

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], settings: Any, where: str) -> Model:
    """Build ``model`` from ``settings``.

    Args:
        model: What the settings should be.
        settings: Nested mappings, as read from YAML or given as keywords.
        where: What is being set, for the message, e.g. ``"world"``.

    Raises:
        UserError: Every mistake, with its key path and a near match for an unknown key.
    """
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        raise UserError(
            "\n".join(
                f"{'.'.join([where, *map(str, fault['loc'])])}: {explain(fault, model)}"
                for fault in faults
            )
        ) from None


def keywords(
    function: Callable[..., Any], given: Any, where: str, barred: Sequence[str] = ()
) -> dict[str, Any]:
    """Return keyword arguments for a function, if they are of its names and types.

    Args:
        function: What is to be called; its parameters are annotated.
        given: Its arguments by name.
        where: What is being set, for the message.
        barred: Arguments that are none of theirs.

    Raises:
        UserError: The function has no such argument, or one is of another type.
    """
    types = typing.get_type_hints(function)
    fields: dict[str, Any] = {
        name: (types[name], ... if one.default is one.empty else one.default)
        for name, one in inspect.signature(function).parameters.items()
        if name not in barred
    }
    config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    checked = validated(create_model(where, __config__=config, **fields), given, where)
    return {name: getattr(checked, name) for name in checked.model_fields_set}


def explain(fault: ErrorDetails, model: type[BaseModel]) -> str:
    """Say what is wrong with one setting and what would be right.

    Args:
        fault: What pydantic found.
        model: The model that was to be built.
    """
    kind = fault["type"]
    if kind == "extra_forbidden":
        *place, key = fault["loc"]
        return f"unknown key.{did_you_mean(str(key), _keys_at(model, place))}"
    if kind == "missing":
        return "is missing."
    if kind == "union_tag_invalid":
        told = fault["ctx"]
        key, known = (
            told["discriminator"].strip("'"),
            re.findall("'([^']*)'", told["expected_tags"]),
        )
        return f"unknown {key} {told['tag']!r}.{did_you_mean(told['tag'], known)}"
    if kind == "value_error":
        return f"{fault['ctx']['error']}."
    return f"{_wanted(fault)}, not {fault['input']!r}."


def _wanted(fault: ErrorDetails) -> str:
    """What would be right, in the words of YAML."""
    kind = fault["type"]
    if kind == "string_pattern_mismatch":
        return "must be letters, digits, '.', '_', '+' or '-', as it names a folder"
    if kind == "tuple_type":
        return "must be a list"
    if kind in {"too_short", "too_long"}:
        bound = fault["ctx"].get("min_length", fault["ctx"].get("max_length"))
        return f"must list {'at least' if kind == 'too_short' else 'at most'} {bound}"
    if kind in {"model_type", "dict_type"}:
        return "must be a block of 'key: value' lines"
    return fault["msg"].replace("Input should", "must")


def _keys_at(model: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    """Keys that are known at a place; the tag of a union is a step of its own."""
    candidates = [model]
    for step in place:
        if isinstance(step, int):  # of a list, whose entries are all alike
            continue
        fields = [m.model_fields[step] for m in candidates if step in m.model_fields]
        if fields:
            candidates = [m for field in fields for m in _models(field.annotation)]
        else:
            candidates = [m for m in candidates if _tag(m) == step]
    return sorted({key for m in candidates for key in m.model_fields})


def _tag(model: type[BaseModel]) -> Any:
    kind = model.model_fields.get("kind")
    return kind.default if kind else None


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Every model inside ``X``, ``X | None``, ``tuple[X, ...]`` or ``Annotated[X | Y, ...]``."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models(part)]
