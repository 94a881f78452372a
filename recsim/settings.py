"""Settings that a person writes, checked against a pydantic model."""

from __future__ import annotations

import typing
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

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
        faults = []
        for fault in error.errors(include_url=False):
            key = ".".join([where, *map(str, fault["loc"])])
            if fault["type"] == "extra_forbidden":
                known = _keys_at(model, fault["loc"][:-1])
                faults.append(f"{key}: unknown key.{did_you_mean(str(fault['loc'][-1]), known)}")
            elif fault["type"] == "value_error":
                faults.append(f"{key}: {fault['ctx']['error']}.")
            elif fault["type"] == "missing":
                faults.append(f"{key}: is missing.")
            else:
                message = fault["msg"].replace("Input should", "must")
                faults.append(f"{key}: {message}, not {fault['input']!r}.")
        raise UserError("\n".join(faults)) from None


def _keys_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Keys that are known at a place; the tag of a union is a step of its own."""
    candidates = [model]
    for step in location:
        fields = [m.model_fields[str(step)] for m in candidates if str(step) in m.model_fields]
        if fields:
            candidates = [m for field in fields for m in _models(field.annotation)]
        else:
            candidates = [m for m in candidates if _tag(m) == step] or candidates
    return sorted({key for m in candidates for key in m.model_fields})


def _tag(model: type[BaseModel]) -> Any:
    kind = model.model_fields.get("kind")
    return kind.default if kind else None


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Every model inside ``X``, ``X | None`` or ``Annotated[X | Y, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models(part)]
