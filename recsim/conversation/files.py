"""JSON files that map ids to lists of ids, checked entry by entry."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.errors import UserError

Ints = NDArray[np.int64]


def json_object(file: Path, *, optional: bool = False) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        file: The file.
        optional: Return an empty object where the file is missing.

    Raises:
        UserError: It is missing, is no JSON, or holds no object.
    """
    if not file.is_file():
        if optional:
            return {}
        raise UserError(f"{file} does not exist.")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise UserError(f"{file} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{file} must hold an object, not {type(content).__name__}.")
    return content


def attribute_lists(file: Path, key: str | None = None) -> dict[int, Ints]:
    """Read an object that maps ids to lists of ids.

    Args:
        file: The file.
        key: Where the list stands in the entry of an id; None if it is the entry.

    Returns:
        Ids without repeats, ascending, by id.

    Raises:
        UserError: An entry is malformed; the message names file and entry.
    """
    lists = {}
    for name, entry in json_object(file).items():
        where = f"{file}, entry {name!r}"
        if key is not None:
            if not isinstance(entry, dict) or key not in entry:
                raise UserError(f"{where}: must be an object with {key!r}.")
            entry = entry[key]
        whole = isinstance(entry, list) and all(
            isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in entry
        )
        if not whole:
            raise UserError(f"{where}: must be a list of ids, whole numbers from 0 on.")
        lists[_id(name, where)] = np.unique(np.array(entry, dtype=np.int64))
    return lists


def id_array(ids: Iterable[int | str], file: Path) -> Ints:
    """Return ids as numbers, ascending.

    Raises:
        UserError: One is no whole number.
    """
    return np.array(sorted(_id(one, f"{file}, entry {one!r}") for one in ids), dtype=np.int64)


def incidence(ids: Ints, lists: Mapping[int, Ints], members: Ints) -> NDArray[np.bool_]:
    """Return which list has which member, ``(N, F)``.

    Args:
        ids: Keys of the lists, in the order of the rows, ``(N,)``.
        lists: Members of each; a key may be absent.
        members: All members, ascending, in the order of the columns, ``(F,)``.
    """
    table = np.zeros((len(ids), len(members)), dtype=np.bool_)
    for row, one in enumerate(ids.tolist()):
        if one in lists:
            table[row, np.searchsorted(members, lists[one])] = True
    return table


def names_of(ids: Ints, names: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the name of each id, the id itself where it has none."""
    return tuple(str(names.get(str(one), one)) for one in ids.tolist())


def _id(name: int | str, where: str) -> int:
    if isinstance(name, str) and not name.isdecimal():
        raise UserError(f"{where}: is no id; ids are whole numbers from 0 on.")
    return int(name)
