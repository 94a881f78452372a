"""How things are written: files that are whole or absent, tables, JSON, and the state of agents."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recsim.errors import UserError

__all__ = ["csv_text", "load_state", "plain", "save_state", "with_nan", "write_atomically"]

# Marks an array in a saved state, so that it is loaded as an array and a tensor as a tensor.
_ARRAY = "__numpy__"


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that it is there in full or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def csv_text(frame: pd.DataFrame) -> str:
    """Return a table as CSV; the shortest digits that give each number back, empty for NaN."""
    return frame.to_csv(index=False, lineterminator="\n", float_format=_repr)


def _repr(value: Any) -> str:
    return repr(float(value))


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Save an agent's state so that ``torch.load(weights_only=True)`` opens it.

    Args:
        path: File to write.
        state: Nested mappings, lists and tuples of numbers, text, tensors and numpy arrays.

    Raises:
        TypeError: If something else is in the state; names the place.
    """
    import torch

    torch.save(_to_tensors(state, "state"), path)


def load_state(path: str | Path) -> dict[str, Any]:
    """Return a state that `save_state` saved, arrays as numpy again.

    Whoever asks it for an entry that it lacks is told so by a `UserError`: it is then the state of
    another agent than the one that is to be restored.
    """
    import torch

    state = _from_tensors(torch.load(path, weights_only=True, map_location="cpu"))
    return _LoadedState(state, path)


class _LoadedState(dict[str, Any]):
    """A state from a file, which knows that file."""

    def __init__(self, state: Mapping[str, Any], path: str | Path) -> None:
        super().__init__(state)
        self._path = path

    def __missing__(self, key: str) -> Any:
        raise UserError(
            f"{self._path}: this state has no {key!r}: it is of another agent, or of one with "
            "other settings."
        )


def _to_tensors(value: Any, where: str) -> Any:
    import torch

    if isinstance(value, Mapping):
        return {key: _to_tensors(entry, f"{where}[{key!r}]") for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_to_tensors(entry, f"{where}[{i}]") for i, entry in enumerate(value))
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        try:
            # A copy, because a tensor over a read-only or reversed array is refused or unsafe.
            return {_ARRAY: torch.from_numpy(np.array(value, order="C"))}
        except TypeError as error:
            raise TypeError(f"{where}: an array of {value.dtype} cannot be saved") from error
    if value is None or isinstance(value, bool | int | float | str | bytes | torch.Tensor):
        return value
    raise TypeError(f"{where}: a {type(value).__name__} cannot be saved")


def _from_tensors(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {_ARRAY}:
            return value[_ARRAY].numpy()
        return {key: _from_tensors(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_from_tensors(entry) for entry in value)
    return value


def plain(value: Any) -> Any:
    """Return plain data that JSON can hold; what is not finite becomes None."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def with_nan(value: Any) -> Any:
    """Return what `plain` gave with None as NaN."""
    if isinstance(value, dict):
        return {key: with_nan(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [with_nan(entry) for entry in value]
    return math.nan if value is None else value
