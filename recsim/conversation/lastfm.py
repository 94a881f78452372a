"""Reader of interactions and attributes in the layouts in which LastFM is published.

LastFM, as used by FacT-CRS ("Rethinking Conversational Recommendations: Is Decision Tree All You
Need?", CIKM 2022, arXiv:2208.14614); items and attributes are those of Lei et al., "Interactive
Path Reasoning on Graph for Conversational Recommendation", KDD 2020, arXiv:2007.00194. Interactions
are split by user.

=======================================  ======================================================
file                                     content
=======================================  ======================================================
``interaction.csv``                      header ``user,item``, one interaction per row
``Graph_generate_data/item_dict.json``   item -> ``{"feature_index": [attribute ...]}``
``user_attr.json``                       user -> ``[attribute ...]``
``user_{train,valid,test}.npy``          users of each part
``Graph_generate_data/user_item.json``   optional: user -> ``[item ...]``, positive interactions
=======================================  ======================================================

LastFM*, as used by MCMIPL (Zhang et al., "Multiple Choice Questions based Multi-Interest Policy
Learning for Conversational Recommendation", WWW 2022, arXiv:2112.11775). Interactions are split by
item, so the users of the test part also occur in the train part.

====================================================  =========================================
file                                                  content
====================================================  =========================================
``UI_Interaction_data/review_dict_{part}.json``       user -> ``[item ...]``
``Graph_generate_data/item_fea.json``                 item -> ``[attribute ...]``
``Graph_generate_data/user_like.json``                user -> ``[attribute ...]``
``Graph_generate_data/fea_large.json``                optional: attribute -> ``[class ...]``
``class_names.json``                                  optional: class -> name
====================================================  =========================================

Both may have ``attribute_names.json`` and ``item_names.json``, which map ids to names. Ids are
whole numbers from 0 and may have gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Bools, Ints
from recsim.conversation.attributes import AttributeData
from recsim.conversation.interactions import PARTS
from recsim.conversation.json_files import id_array, id_lists, incidence, json_object, names_of
from recsim.errors import LogError, did_you_mean
from recsim.log.readers.columns import read_columns

_GRAPH, _PAIRS = "Graph_generate_data", "UI_Interaction_data"
_INTERACTIONS = "interaction.csv"


def has_attributes(folder: Path) -> bool:
    """Return whether a folder has one of the two layouts."""
    return _is_star(folder) or (folder / _INTERACTIONS).is_file()


def read_attributes(path: str | Path, *, targets: str = "all") -> AttributeData:
    """Read a folder in the layout of LastFM or of LastFM*.

    Args:
        path: The folder.
        targets: Which interactions of LastFM to keep: ``all``, or only ``positives``, those that
            ``user_item.json`` also lists. The published figures use all of them.

    Raises:
        LogError: If a file is missing or malformed, an id is unknown or a user is in two parts;
            the message names file and id.
    """
    if targets not in ("all", "positives"):
        raise LogError(f"targets is {targets!r}.{did_you_mean(targets, ['all', 'positives'])}")
    folder = Path(path)
    return _read_star(folder) if _is_star(folder) else _read_lastfm(folder, targets)


class _Source:
    """Attributes of items and users by their ids, and the files that they were read from."""

    def __init__(self, folder: Path, items: Path, users: Path, key: str | None = None) -> None:
        self.folder, self.items_file, self.users_file = folder, items, users
        self.of_items, self.of_users = id_lists(items, key), id_lists(users)
        self.item_ids, self.user_ids = (
            id_array(self.of_items, items),
            id_array(self.of_users, users),
        )

    def names(self, of: str) -> Mapping[str, object]:
        """Return the names of attributes, items or classes by id."""
        return json_object(self.folder / f"{of}_names.json", optional=True)

    def data(
        self,
        user: Ints,
        item: Ints,
        part: NDArray[np.int8],
        *,
        more: Ints,
        of_attributes: Mapping[int, Ints] | None = None,
    ) -> AttributeData:
        """Number everything from 0.

        Args:
            user: Known user ids, ``(M,)``.
            item: Known item ids, ``(M,)``.
            part: ``(M,)``.
            more: Ids of attributes that no item or user needs to have.
            of_attributes: Classes of each attribute.
        """
        attributes = np.unique(
            np.concatenate([more, *self.of_items.values(), *self.of_users.values()])
        )
        classes = of_attributes or {}
        members = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *classes.values()]))
        return AttributeData(
            user=np.searchsorted(self.user_ids, user),
            item=np.searchsorted(self.item_ids, item),
            part=part,
            user_attributes=incidence(self.user_ids, self.of_users, attributes),
            item_attributes=incidence(self.item_ids, self.of_items, attributes),
            attribute_names=names_of(attributes, self.names("attribute")),
            item_names=names_of(self.item_ids, self.names("item")),
            user_names=names_of(self.user_ids, {}),
            classes=incidence(attributes, classes, members) if classes else None,
            class_names=names_of(members, self.names("class")) if classes else (),
        )


def _read_lastfm(folder: Path, targets: str) -> AttributeData:
    file = folder / _INTERACTIONS
    if not file.is_file():
        raise LogError(
            f"{file} does not exist. 'path' must be a folder with {_INTERACTIONS}, user_attr.json, "
            f"user_train.npy, user_valid.npy, user_test.npy and {_GRAPH}/item_dict.json."
        )
    source = _Source(
        folder, folder / _GRAPH / "item_dict.json", folder / "user_attr.json", "feature_index"
    )
    named = id_array(source.names("attribute"), folder / "attribute_names.json")
    table = read_columns(file, {"user": "int", "item": "int"})
    user, item = table["user"], table["item"]
    for column, ids, known in (
        ("user", source.user_ids, source.users_file),
        ("item", source.item_ids, source.items_file),
    ):
        table.refuse(~np.isin(table[column], ids), column, f"is not in {known}")
    part = _parts_of_users(folder, user, table.where)
    kept = np.ones(len(user), dtype=np.bool_)
    if targets == "positives":
        kept = _positives(folder / _GRAPH / "user_item.json", user, item)
    return source.data(user[kept], item[kept], part[kept], more=named)


def _parts_of_users(folder: Path, user: Ints, where: Callable[[int], str]) -> NDArray[np.int8]:
    """Return the part of each interaction, which is that of its user, ``(M,)``."""
    part = np.full(len(user), -1, dtype=np.int8)
    part_of: dict[int, str] = {}
    for number, name in enumerate(PARTS):
        file = folder / f"user_{name}.npy"
        if not file.is_file():
            raise LogError(f"{file} does not exist.")
        try:
            users = np.load(file, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise LogError(f"{file} is not an array of numbers: {error}") from error
        if users.ndim != 1 or users.dtype.kind not in "iu":
            raise LogError(
                f"{file} must hold a one-dimensional array of whole numbers, not {users.ndim} "
                f"dimensions of {users.dtype}."
            )
        for one in users.tolist():
            if part_of.setdefault(one, name) != name:
                raise LogError(f"{file}: user {one} is also in user_{part_of[one]}.npy.")
        part[np.isin(user, users)] = number
    if (part < 0).any():
        row = int(np.argmax(part < 0))
        raise LogError(
            f"{where(row)}: user {user[row]} is in none of user_train.npy, user_valid.npy and "
            "user_test.npy."
        )
    return part


def _positives(file: Path, user: Ints, item: Ints) -> Bools:
    """Return which interactions are in the lists of positive ones, ``(M,)``."""
    lists = id_lists(file)
    width = int(max(item.max(initial=0), *(ids.max(initial=0) for ids in lists.values()))) + 1
    pairs = np.concatenate([one * width + ids for one, ids in lists.items()])
    return np.isin(user * width + item, pairs)


def _is_star(folder: Path) -> bool:
    return (folder / _GRAPH / "item_fea.json").is_file()


def _read_star(folder: Path) -> AttributeData:
    graph = folder / _GRAPH
    source = _Source(folder, graph / "item_fea.json", graph / "user_like.json")
    file = graph / "fea_large.json"
    of_attributes = id_lists(file) if file.is_file() else {}
    user, item, part = [], [], []
    for number, name in enumerate(PARTS):
        file = folder / _PAIRS / f"review_dict_{name}.json"
        for one, items in id_lists(file).items():
            _check_known(np.array([one]), source.user_ids, f"{file}: user", source.users_file)
            _check_known(items, source.item_ids, f"{file}, entry '{one}': item", source.items_file)
            user.append(np.full(len(items), one))
            item.append(items)
            part.append(np.full(len(items), number, dtype=np.int8))
    return source.data(
        np.concatenate(user),
        np.concatenate(item),
        np.concatenate(part),
        more=np.array(sorted(of_attributes), dtype=np.int64),
        of_attributes=of_attributes,
    )


def _check_known(ids: Ints, known: Ints, what: str, source: Path) -> None:
    unknown = ~np.isin(ids, known)
    if unknown.any():
        raise LogError(f"{what} {ids[np.argmax(unknown)]} is not in {source}.")
