"""Reader of interactions and attributes in the layout that the LastFM* data of MCMIPL have.

Reference: Zhang et al., "Multiple Choice Questions based Multi-Interest Policy Learning for
Conversational Recommendation", WWW 2022, arXiv:2112.11775.

====================================================  =========================================
file                                                  content
====================================================  =========================================
``UI_Interaction_data/review_dict_{part}.json``       user -> ``[item ...]``
``Graph_generate_data/item_fea.json``                 item -> ``[attribute ...]``
``Graph_generate_data/user_like.json``                user -> ``[attribute ...]``
``Graph_generate_data/fea_large.json``                optional: attribute -> ``[class ...]``
====================================================  =========================================

Interactions are split by item, not by user: a test user was seen in training.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recsim.conversation.attributes import PARTS, AttributeData
from recsim.conversation.files import attribute_lists, id_array, incidence, json_object, names_of
from recsim.errors import UserError

_GRAPH, _PAIRS = "Graph_generate_data", "UI_Interaction_data"


def is_star(folder: Path) -> bool:
    """Whether a folder has this layout."""
    return (folder / _GRAPH / "item_fea.json").is_file()


def read_star(folder: Path) -> AttributeData:
    """Read such a folder.

    Raises:
        UserError: A file is missing or malformed, or an id unknown; the message names file and id.
    """
    items_file, users_file = folder / _GRAPH / "item_fea.json", folder / _GRAPH / "user_like.json"
    of_items, of_users = attribute_lists(items_file), attribute_lists(users_file)
    classes_file = folder / _GRAPH / "fea_large.json"
    of_attributes = attribute_lists(classes_file) if classes_file.is_file() else {}
    item_ids, user_ids = id_array(of_items, items_file), id_array(of_users, users_file)
    named = np.array(sorted(of_attributes), dtype=np.int64)
    attributes = np.unique(np.concatenate([named, *of_items.values(), *of_users.values()]))
    user, item, part = [], [], []
    for number, name in enumerate(PARTS):
        file = folder / _PAIRS / f"review_dict_{name}.json"
        for one, taken in attribute_lists(file).items():
            _check(np.array([one]), user_ids, f"{file}: user", users_file)
            _check(taken, item_ids, f"{file}, entry '{one}': item", items_file)
            user.append(np.full(len(taken), np.searchsorted(user_ids, one)))
            item.append(np.searchsorted(item_ids, taken))
            part.append(np.full(len(taken), number, dtype=np.int8))
    members = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *of_attributes.values()]))
    return AttributeData(
        user=np.concatenate(user),
        item=np.concatenate(item),
        part=np.concatenate(part),
        user_attributes=incidence(user_ids, of_users, attributes),
        item_attributes=incidence(item_ids, of_items, attributes),
        attribute_names=names_of(
            attributes, json_object(folder / "attribute_names.json", optional=True)
        ),
        item_names=names_of(item_ids, json_object(folder / "item_names.json", optional=True)),
        user_names=names_of(user_ids, {}),
        classes=incidence(attributes, of_attributes, members) if of_attributes else None,
        class_names=names_of(members, json_object(folder / "class_names.json", optional=True)),
    )


def _check(ids: np.ndarray, known: np.ndarray, what: str, source: Path) -> None:
    unknown = ~np.isin(ids, known)
    if unknown.any():
        raise UserError(f"{what} {ids[np.argmax(unknown)]} is not in {source}.")
