"""Settings that a person writes, checked against a pydantic model."""

from __future__ import annotations

import inspect
import math
import re
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, create_model
from pydantic_core import ErrorDetails

from recsim.errors import UserError, did_you_mean, nearest

Model = TypeVar("Model", bound=BaseModel)

# Worlds and agents compute in float32, whose largest number is 3.4e38: squares of what a setting is
# multiplied with, and their sums, must not exceed it either.
LARGEST = 1e15


def limited(value: Any) -> Any:
    """Return a setting whose numbers can be computed with in float32.

    Raises:
        ValueError: If a number in it is not finite, or larger than `LARGEST` in size; names its
            place in a list or mapping.
    """
    wrong = _beyond(value)
    if wrong is not None:
        place, number = wrong
        raise ValueError(
            f"{place + ': ' if place else ''}must be finite and at most {LARGEST:.0e} in "
            f"size, not {number!r}"
        )
    return value


RewardWeights = Annotated[dict[str, float], AfterValidator(limited)]


def whole_number(value: Any, name: str, error: type[UserError] = UserError) -> int:
    """Return a number, such as a seed, that must be whole and at least 0.

    Args:
        value: A Python or numpy number.
        name: What it is, for the message.
        error: Error to raise.

    Raises:
        UserError: If it is anything else; numbers in text and truth values are refused too.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < 0:
        raise error(f"{name} is {value!r}; it must be a whole number of at least 0.")
    return int(value)


def one_or_more(values: Any) -> tuple[Any, ...]:
    """Return what was given as a list; one name alone counts as a list of one."""
    alone = isinstance(values, str) or not isinstance(values, Iterable)
    return (values,) if alone else tuple(values)


def _beyond(value: Any) -> tuple[str, float] | None:
    """Return the first number of a setting that is not finite or too large, and its place."""
    if isinstance(value, float):
        return None if math.isfinite(value) and abs(value) <= LARGEST else ("", value)
    entries: list[tuple[Any, Any]] = []
    if isinstance(value, Mapping):
        entries = list(value.items())
    elif isinstance(value, list | tuple):
        entries = list(enumerate(value))
    for key, entry in entries:
        wrong = _beyond(entry)
        if wrong is not None:
            return (f"{key}.{wrong[0]}" if wrong[0] else str(key)), wrong[1]
    return None


def validated(
    model: type[Model],
    settings: Any,
    where: str,
    *,
    error: type[UserError] = UserError,
    also_known: Collection[str] = (),
) -> Model:
    """Build ``model`` from ``settings``.

    Args:
        model: The model that the settings must fit.
        settings: Nested mappings, as read from YAML or given as keywords.
        where: Prefix of the key paths in the message, e.g. ``"world"``.
        error: Error to raise.
        also_known: Keys that are read elsewhere; suggested where an unknown key is near to them.

    Raises:
        UserError: If anything is wrong. The message lists every fault with its key path, and the
            nearest known key for an unknown one.
    """
    try:
        return model.model_validate(settings)
    except ValidationError as failure:
        faults = failure.errors(include_url=False)
        raise error(
            "\n".join(
                f"{'.'.join([where, *map(str, fault['loc'])])}: {explain(fault, model, also_known)}"
                for fault in faults
            )
        ) from None


def keywords(
    function: Callable[..., Any], given: Any, where: str, barred: Collection[str] = ()
) -> dict[str, Any]:
    """Return keyword arguments for a function after checking their names and types.

    Args:
        function: The function to be called; its parameters are annotated.
        given: Its arguments by name.
        where: Prefix of the key paths in the message.
        barred: Parameters that callers may not set.

    Raises:
        UserError: If the function has no such parameter, or a value has another type.
    """
    model = signature_model([function], where, barred)
    assert model is not None
    checked = validated(model, given, where)
    return {name: getattr(checked, name) for name in checked.model_fields_set}


def signature_model(
    functions: Sequence[Callable[..., Any]], name: str, barred: Collection[str] = ()
) -> type[BaseModel] | None:
    """Return a model whose fields are the parameters of some functions.

    Args:
        functions: Functions or classes. A later one counts only where those before it take any
            keyword (``**kwargs``), and then adds its parameters to theirs.
        name: Name of the model.
        barred: Parameters that are left out.

    Returns:
        The model, or None if the last function takes any keyword too.
    """
    fields: dict[str, Any] = {}
    for function in functions:
        # The hints of a class stand on its constructor.
        called = function.__init__ if isinstance(function, type) else function  # type: ignore[misc]
        try:
            hints = typing.get_type_hints(called)
        except (NameError, TypeError):
            hints = {}
        takes_any = False
        for one in inspect.signature(function).parameters.values():
            if one.kind is one.VAR_KEYWORD:
                takes_any = True
            elif one.name not in barred:
                default = ... if one.default is one.empty else one.default
                fields.setdefault(one.name, (hints.get(one.name, Any), default))
        if not takes_any:
            config = ConfigDict(
                extra="forbid", strict=True, allow_inf_nan=False, arbitrary_types_allowed=True
            )
            model: type[BaseModel] = create_model(name, __config__=config, **fields)
            return model
    return None


def explain(fault: ErrorDetails, model: type[BaseModel], also_known: Collection[str] = ()) -> str:
    """Say what is wrong with one setting and what would be right.

    Args:
        fault: One error that pydantic reports.
        model: The model that was to be built.
        also_known: Further keys to suggest in place of an unknown one at the top.
    """
    kind = fault["type"]
    if kind == "extra_forbidden":
        *place, key = fault["loc"]
        known = _keys_at(model, place) + ([] if place else sorted(also_known))
        return f"unknown key.{did_you_mean(str(key), known)}"
    if kind == "missing":
        return "is missing."
    if kind == "union_tag_invalid":
        context = fault["ctx"]
        key = context["discriminator"].strip("'")
        tags = re.findall("'([^']*)'", context["expected_tags"])
        return f"unknown {key} {context['tag']!r}.{did_you_mean(context['tag'], tags)}"
    if kind == "value_error":
        text = str(fault["ctx"]["error"])
        return text if text.endswith((".", "?")) else f"{text}."
    near = ""
    if kind == "literal_error" and isinstance(fault["input"], str):
        near = nearest(fault["input"], re.findall("'([^']*)'", fault["ctx"]["expected"]))
    return f"{_expected(fault)}, not {fault['input']!r}.{near}"


def _expected(fault: ErrorDetails) -> str:
    """Return what would be right, in the terms of a YAML file."""
    kind = fault["type"]
    if kind == "string_pattern_mismatch":
        return "must be letters, digits, '.', '_', '+' or '-', as it names a folder"
    if kind == "string_type":
        return "must be text"
    if kind == "tuple_type":
        return "must be a list"
    if kind in {"too_short", "too_long"}:
        bound = fault["ctx"].get("min_length", fault["ctx"].get("max_length"))
        return f"must list {'at least' if kind == 'too_short' else 'at most'} {bound}"
    if kind in {"model_type", "dict_type", "mapping_type"}:
        return "must be a block of 'key: value' lines"
    return fault["msg"].replace("Input should", "must")


def _keys_at(model: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    """Return the keys that are known at a place; the tag of a union is a step of the path."""
    candidates = [model]
    for step in place:
        if isinstance(step, int):  # an index into a list, whose entries have the same type
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
    """Return every model in ``X``, ``X | None``, ``tuple[X, ...]``, ``Annotated[X | Y, ...]``."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models(part)]
