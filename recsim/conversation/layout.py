"""Reader of interactions and attributes in the layout that the LastFM data of FacT-CRS have.

Reference: "Rethinking Conversational Recommendations: Is Decision Tree All You Need?", CIKM 2022,
arXiv:2208.14614; the items and attributes are those of Lei et al., "Interactive Path Reasoning on
Graph for Conversational Recommendation", KDD 2020, arXiv:2007.00194.

=======================================  ======================================================
file                                     content
=======================================  ======================================================
``interaction.csv``                      header ``user,item``, one interaction a row
``Graph_generate_data/item_dict.json``   item -> ``{"feature_index": [attribute ...]}``
``user_attr.json``                       user -> ``[attribute ...]``
``user_{train,valid,test}.npy``          users of each part
``Graph_generate_data/user_item.json``   optional: user -> ``[item ...]``, what users really took
``attribute_names.json``                 optional: attribute -> name
``item_names.json``                      optional: item -> name
=======================================  ======================================================

Ids are whole numbers and may have gaps.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsim.conversation import star
from recsim.conversation.attributes import PARTS, AttributeData
from recsim.conversation.files import attribute_lists, id_array, incidence, json_object, names_of
from recsim.errors import UserError, did_you_mean
from recsim.log.readers.columns import read_columns

_GRAPH = "Graph_generate_data"


def read_attributes(path: str | Path, *, targets: str = "all") -> AttributeData:
    """Read a folder in the layout of LastFM, or in that of LastFM*; see `recsim.conversation.star`.

    Args:
        path: The folder.
        targets: Which interactions count: ``all`` rows, or ``positives``, those that
            ``user_item.json`` has too. Published figures are on all.

    Raises:
        UserError: A file is missing or malformed, an id unknown, or a user in two parts; the
            message names file and id.
    """
    if targets not in ("all", "positives"):
        raise UserError(f"targets is {targets!r}.{did_you_mean(targets, ['all', 'positives'])}")
    folder = Path(path)
    if star.is_star(folder):
        return star.read_star(folder)
    file = folder / "interaction.csv"
    if not file.is_file():
        raise UserError(
            f"{file} does not exist. 'path' must be a folder with interaction.csv, user_attr.json, "
            f"user_train.npy, user_valid.npy, user_test.npy and {_GRAPH}/item_dict.json."
        )
    items_file, users_file = folder / _GRAPH / "item_dict.json", folder / "user_attr.json"
    of_items = attribute_lists(items_file, "feature_index")
    of_users = attribute_lists(users_file)
    names = json_object(folder / "attribute_names.json", optional=True)
    item_ids, user_ids = id_array(of_items, items_file), id_array(of_users, users_file)
    named = id_array(names, folder / "attribute_names.json")
    attributes = np.unique(np.concatenate([named, *of_items.values(), *of_users.values()]))

    table = read_columns(file, {"user": "int", "item": "int"})
    user, item = table["user"], table["item"]
    for column, ids, source in (("user", user_ids, users_file), ("item", item_ids, items_file)):
        unknown = ~np.isin(table[column], ids)
        table.refuse(unknown, column, f"is not in {source}")
    part = _parts(folder, user, table.where)
    kept = np.ones(len(user), dtype=np.bool_)
    if targets == "positives":
        kept = _positives(folder / _GRAPH / "user_item.json", user, item)
    return AttributeData(
        user=np.searchsorted(user_ids, user)[kept],
        item=np.searchsorted(item_ids, item)[kept],
        part=part[kept],
        user_attributes=incidence(user_ids, of_users, attributes),
        item_attributes=incidence(item_ids, of_items, attributes),
        attribute_names=names_of(attributes, names),
        item_names=names_of(item_ids, json_object(folder / "item_names.json", optional=True)),
        user_names=names_of(user_ids, {}),
    )


def _parts(folder: Path, user: NDArray[np.int64], where: Callable[[int], str]) -> NDArray[np.int8]:
    """Return the part of each interaction, which is that of its user."""
    part = np.full(len(user), -1, dtype=np.int8)
    taken: dict[int, str] = {}
    for number, name in enumerate(PARTS):
        file = folder / f"user_{name}.npy"
        if not file.is_file():
            raise UserError(f"{file} does not exist.")
        try:
            users = np.load(file, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise UserError(f"{file} is no array of numbers: {error}") from error
        if users.ndim != 1 or users.dtype.kind not in "iu":
            raise UserError(
                f"{file} must hold one row of whole numbers, not {users.ndim} axes of "
                f"{users.dtype}."
            )
        for one in users.tolist():
            if taken.setdefault(one, name) != name:
                raise UserError(f"{file}: user {one} is in user_{taken[one]}.npy too.")
        part[np.isin(user, users)] = number
    if (part < 0).any():
        row = int(np.argmax(part < 0))
        raise UserError(
            f"{where(row)}: user {user[row]} is in none of user_train.npy, user_valid.npy and "
            "user_test.npy."
        )
    return part


def _positives(file: Path, user: NDArray[np.int64], item: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which interactions stand in the lists of what users took, ``(M,)``."""
    taken = attribute_lists(file)
    width = int(max(item.max(initial=0), *(list_.max(initial=0) for list_ in taken.values()))) + 1
    pairs = np.concatenate([one * width + list_ for one, list_ in taken.items()])
    return np.isin(user * width + item, pairs)
