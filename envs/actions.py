"""Checks of actions; a wrong action gets the same sentence from the scalar and the vector face."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Bools, Ints


def whole_numbers(
    values: Any,
    shape: tuple[int, ...],
    low: int,
    end: int,
    name: str,
    *,
    note: str = "",
    error: type[Exception] = ValueError,
) -> Ints:
    """Return values of a batch as int64 after checking type, shape and range.

    Args:
        values: Actions, a part of them, or an option of ``reset``; the first axis is that of users.
        shape: Shape that they must have.
        low: Smallest value allowed.
        end: One more than the largest value allowed.
        name: Name of one user's values in messages, such as ``"The action"``.
        note: Added to the message about values out of range.
        error: What is raised.
    """
    array = numbers(values, shape, name, "iu", "whole numbers", error=error)
    wrong = (array < low) | (array >= end)
    if wrong.any():
        row = int(np.argmax(wrong.reshape(len(array), -1).any(axis=1)))
        count = math.prod(shape[1:])
        what = "a whole number" if len(shape) == 1 else f"{count} whole numbers"
        raise error(
            f"{name} of user {row} is {array[row].tolist()}; it must be {what} in "
            f"{low} ... {end - 1}{note}."
        )
    return array.astype(np.int64)


def numbers(
    values: Any,
    shape: tuple[int, ...],
    name: str,
    kinds: str,
    kind_name: str,
    *,
    error: type[Exception] = ValueError,
) -> NDArray[Any]:
    """Return values of a batch as an array after checking type and shape.

    Args:
        values: As in `whole_numbers`.
        shape: Shape that they must have.
        name: As in `whole_numbers`.
        kinds: Kinds of numpy dtypes that are allowed, such as ``"iu"``.
        kind_name: Name of these kinds in messages.
        error: What is raised.
    """
    try:
        array = np.asarray(values)
    except (ValueError, TypeError):  # rows of different lengths
        raise error(f"{name} must be {kind_name} of shape {shape[1:]}.") from None
    if array.dtype.kind not in kinds:
        raise error(f"{name} must be {kind_name}, not {array.dtype}.")
    if array.ndim == 0 or len(array) != shape[0]:
        rows = "one user, without an axis of users" if array.ndim == 0 else f"{len(array)} users"
        raise error(f"{name} is given for {rows}; there are {shape[0]} users.")
    if array.shape != shape:
        raise error(f"{name} has shape {array.shape[1:]}; it must have shape {shape[1:]}.")
    return array


def mapping(action: Any, keys: set[str]) -> Mapping[str, Any]:
    """Return an action that has parts.

    Raises:
        ValueError: If it is not a mapping, or has other keys.
    """
    if not isinstance(action, Mapping) or set(action) != keys:
        raise ValueError(f"An action is a mapping with the keys {', '.join(sorted(keys))}.")
    return action


def ignored(values: Any, idle: Bools | None, value: int) -> Any:
    """Return actions, or a part of them, with ``value`` in idle rows.

    Args:
        values: ``(B, ...)``; of another shape they are returned as they are, to be refused.
        idle: Rows whose action is ignored, ``(B,)``; None for none.
        value: A value that is allowed.
    """
    if idle is None or np.shape(values)[:1] != idle.shape:
        return values
    array = np.array(values)
    array[idle] = value
    return array


def alone(action: Any) -> Any:
    """Return an action, or a part of one, as a batch of one."""
    try:
        return np.asarray(action)[None]
    except (ValueError, TypeError):  # rows of different lengths: a simulation refuses it
        return [action]
