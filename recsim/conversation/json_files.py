"""JSON files that map ids to lists of ids, checked entry by entry."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recsim.arrays import Bools, Ints
from recsim.errors import LogError


def json_object(file: Path, *, optional: bool = False) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        file: The file.
        optional: Whether to return an empty object if the file is missing.

    Raises:
        LogError: If the file is missing, is not JSON or does not hold an object.
    """
    if not file.is_file():
        if optional:
            return {}
        raise LogError(f"{file} does not exist.")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise LogError(f"{file} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise LogError(f"{file} must hold an object, not {type(content).__name__}.")
    return content


def id_lists(file: Path, key: str | None = None) -> dict[int, Ints]:
    """Read an object that maps ids to lists of ids.

    Args:
        file: The file.
        key: Key of the list within the entry of an id; None if the entry is the list.

    Returns:
        By id, the ids of its list, ascending and without repeats.

    Raises:
        LogError: If an entry is malformed; the message names file and entry.
    """
    lists = {}
    for name, entry in json_object(file).items():
        where = f"{file}, entry {name!r}"
        if key is not None:
            if not isinstance(entry, dict) or key not in entry:
                raise LogError(f"{where}: must be an object with {key!r}.")
            entry = entry[key]
        if not isinstance(entry, list) or not all(_is_id(one) for one in entry):
            raise LogError(f"{where}: must be a list of ids (whole numbers from 0).")
        lists[_id(name, where)] = np.unique(np.array(entry, dtype=np.int64))
    return lists


def id_array(ids: Iterable[int | str], file: Path) -> Ints:
    """Return ids as numbers, ascending.

    Args:
        ids: Numbers, or keys of a JSON object.
        file: Where they come from, for the error message.

    Raises:
        LogError: If one of them is not a whole number.
    """
    return np.array(sorted(_id(one, f"{file}, entry {one!r}") for one in ids), dtype=np.int64)


def incidence(ids: Ints, lists: Mapping[int, Ints], members: Ints) -> Bools:
    """Return which list has which member, ``(N, F)``.

    Args:
        ids: Keys of the lists in the order of the rows, ``(N,)``.
        lists: Members of each list; a key may be absent.
        members: All members in the order of the columns, ascending, ``(F,)``.
    """
    table = np.zeros((len(ids), len(members)), dtype=np.bool_)
    for row, one in enumerate(ids.tolist()):
        if one in lists:
            table[row, np.searchsorted(members, lists[one])] = True
    return table


def names_of(ids: Ints, names: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the name of each id, or the id itself if it has no name."""
    return tuple(str(names.get(str(one), one)) for one in ids.tolist())


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _id(name: int | str, where: str) -> int:
    if isinstance(name, str) and not name.isdecimal():
        raise LogError(f"{where}: is not an id (a whole number from 0).")
    return int(name)
