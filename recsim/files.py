"""Writing files: atomically, as CSV, as JSON, and the state of agents."""

from __future__ import annotations

import contextlib
import io
import math
import os
import pickle
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recsim.errors import AgentError, UserError

if TYPE_CHECKING:
    import pandas as pd

# Marks a numpy array in a saved state, which holds it as a tensor.
_ARRAY = "__numpy__"


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that it never exists in part."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def found_beside(path: str, folder: Path) -> str:
    """Return a path; if it leads nowhere from the working directory, but does from a folder, there.

    Args:
        path: Absolute, or relative to the working directory or to the folder.
        folder: That of the file in which the path is written.
    """
    beside = folder / path
    return str(beside) if not Path(path).exists() and beside.exists() else path


@contextlib.contextmanager
def complete_folder(folder: Path) -> Iterator[Path]:
    """Let a folder be written under a temporary name beside it; renamed when that is done.

    A folder of the same name is replaced. After an error nothing is left but what was there.

    Args:
        folder: The folder; parent folders are created.

    Yields:
        The temporary folder, as an absolute path.
    """
    parent = folder.parent.absolute()
    parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=parent))
    try:
        yield building
        building.chmod(0o755)
        if folder.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=parent))
            os.replace(folder, old / folder.name)
            os.replace(building, folder)
            shutil.rmtree(old)
        else:
            os.replace(building, folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def csv_text(frame: pd.DataFrame) -> str:
    """Return a table as CSV, with the shortest digits that restore each number; NaN is empty."""
    return frame.to_csv(index=False, lineterminator="\n", float_format=_repr)


def read_csv(path: Path, **options: Any) -> pd.DataFrame:
    """Read a CSV file with every number as it was written; older pandas rounds by default."""
    import pandas as pd

    if tuple(int(part) for part in pd.__version__.split(".")[:2]) < (3, 1):
        options["float_precision"] = "round_trip"
    frame: pd.DataFrame = pd.read_csv(path, **options)
    return frame


def _repr(value: Any) -> str:
    return repr(float(value))


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Save an agent's state so that ``torch.load(weights_only=True)`` opens it.

    Args:
        path: File to write, atomically.
        state: Nested mappings, lists and tuples of numbers, text, tensors and numpy arrays.

    Raises:
        TypeError: If the state contains anything else; the message names the entry.
    """
    import torch

    buffer = io.BytesIO()
    torch.save(_to_tensors(state, "state"), buffer)
    write_atomically(path, buffer.getvalue())


def load_state(path: str | Path) -> dict[str, Any]:
    """Return a state that was saved by `save_state` or by ``torch.save``, arrays as numpy.

    Nothing but tensors, numpy arrays and plain data is unpickled, so a file of unknown origin is
    safe to load. Reading a missing entry of the state raises `AgentError`: the state then belongs
    to another agent.

    Raises:
        UserError: If the file is missing, damaged, or holds anything else.
    """
    import torch

    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch does not compare the checksums
        if damaged is not None:
            raise UserError(f"{path} is damaged: {damaged} has the wrong checksum.")
        with torch.serialization.safe_globals(_numpy_globals()):
            loaded = torch.load(path, weights_only=True, map_location="cpu")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from None
    except UserError:
        raise
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is refused: it holds other objects than tensors, arrays and plain data, which "
            "could run code."
        ) from error
    except Exception as error:  # a damaged pickle raises nearly anything
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"{path} is damaged or holds no saved state: {reason}") from error
    if not isinstance(loaded, dict):
        raise UserError(f"{path} holds no saved state but a {type(loaded).__name__}.")
    return _LoadedState(_from_tensors(loaded), path)


def _numpy_globals() -> list[Any]:
    """Return what ``torch.load`` must be allowed to call to build numpy arrays and numbers."""
    array, number = (value.__reduce__()[0] for value in (np.zeros(1), np.float64(0)))
    kinds = {type(np.dtype(code)) for code in "?bhilqBHILQefdgFDGSU"}
    return [array, number, np.ndarray, np.dtype, *kinds, bytes]  # bytes: data of empty arrays


class _LoadedState(dict[str, Any]):
    """A state that names its file if an entry is missing."""

    def __init__(self, state: Mapping[str, Any], path: str | Path) -> None:
        super().__init__(state)
        self._path = path

    def __missing__(self, key: str) -> Any:
        raise AgentError(
            f"{self._path}: this state has no {key!r}: it belongs to another agent, or to the same "
            "agent with other settings."
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
    """Return a value as JSON can represent it; numbers that are not finite become None."""
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
    """Return a result of `plain` with NaN in place of None."""
    if isinstance(value, dict):
        return {key: with_nan(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [with_nan(entry) for entry in value]
    return math.nan if value is None else value
