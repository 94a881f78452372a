"""Users of a table, their sessions and features, and the ends of their episodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from recsim.arrays import Floats32, Ints
from recsim.log import encode
from recsim.log.readers.columns import Columns
from recsim.log.readers.table_layout import ColumnMap, TableLayout, given
from recsim.problem import Names


def users_and_sessions(
    source: TableLayout, table: Columns, lines: Ints
) -> tuple[Ints, Ints, Names | None]:
    """Return user and session of every row, numbered within the user, and names of users."""
    names = source.columns
    if names.user is None:
        return np.arange(len(lines)), np.zeros(len(lines), dtype=np.int64), None
    text = table[names.user][lines]
    user, known = encode.numbered(text)
    whole = table.may_be_whole(names.user) and not source.text_ids
    users = encode.names(known, "user", whole=whole)
    if names.session is None:
        return user, np.zeros(len(lines), dtype=np.int64), users
    text = table[names.session][lines]
    key = encode.codes(text, encode.first_seen(text))
    _, first, of_pair = np.unique(
        user * (key.max(initial=0) + 1) + key, return_index=True, return_inverse=True
    )
    pairs = np.argsort(first)  # by first occurrence
    number = np.empty(len(pairs), dtype=np.int64)
    number[pairs] = encode.rank_within(user[first[pairs]])
    return user, number[of_pair], users


def user_features(names: ColumnMap, table: Columns, lines: Ints, user: Ints) -> Floats32:
    """Return the features of every user, ``(U, F)``, from their first row."""
    _, first = np.unique(user, return_index=True)
    chosen = lines[first]
    hot = []
    for name in names.user_categories:
        values = table[name]
        hot.append(encode.one_hot(values[chosen], encode.distinct(values)))
    numbers = [table.amounts(name)[chosen] for name in names.user_features]
    return encode.stack([*numbers, *hot], len(chosen))


def ends_of_episodes(names: ColumnMap, table: Columns, lines: Ints) -> dict[str, Any]:
    """Return ``terminated`` and ``truncated`` of every row, if one of them is named."""
    columns = {"terminated": names.terminated, "truncated": names.truncated}
    if not given(*columns.values()):
        return {}
    ends = {
        key: np.zeros(len(lines), dtype=np.bool_) if name is None else table.flags(name)[lines] > 0
        for key, name in columns.items()
    }
    if names.terminated and names.truncated:
        both = table.flags(names.terminated) & table.flags(names.truncated)
        table.refuse(both > 0, names.terminated, f"is set, and so is {names.truncated!r}")
    return ends
