"""From the lines of a table to the rows of a log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recsim.log import encode
from recsim.log.readers.columns import Columns, Kind, read_columns, whole_days
from recsim.log.slate_log import SlateLog
from recsim.problem import Problem

if TYPE_CHECKING:
    from recsim.log.readers.table import ColumnMap, ItemTable, TableReader

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Entries:
    """The E items shown, in the order of the file.

    Attributes:
        line: Line of the table, counted from 0, ``(E,)``.
        row: Slate that the item belongs to, ``(E,)``; slates are numbered by first occurrence.
        slot: Place in the slate, ``(E,)``.
        first: First line of every slate, ``(M,)``.
        row_of_line: Slate of every line of the table, ``(N,)``.
    """

    line: Ints
    row: Ints
    slot: Ints
    first: Ints
    row_of_line: Ints

    def spread(self, values: NDArray[Any], fill: float) -> NDArray[Any]:
        """Return one value per item shown as a matrix, ``(E,) -> (M, K)``."""
        width = int(self.slot.max(initial=0)) + 1
        matrix = np.full((len(self.first), width), fill, dtype=values.dtype)
        matrix[self.row, self.slot] = values
        return matrix


def read_table_rows(reader: TableReader) -> SlateLog:
    """Read what a `TableReader` describes; see `TableReader.read`."""
    names = reader.columns
    table = _open(reader)
    _check_keys(names, table)
    entries, item, click, propensity = _shown(reader, table)
    if click is not None:
        _check(table, entries, names.click, (click != 0) & (click != 1), "is not a click: 0 or 1")
    if propensity is not None:
        wrong = ~((propensity > 0) & (propensity <= 1))
        _check(table, entries, names.propensity, wrong, "is not a probability in (0, 1]")
    problem, item = _catalogue(reader, table, entries, item)
    _check_constant(names, table, entries)

    first = entries.first
    order = np.arange(len(first))
    seconds = table[names.time][first] if names.time else None
    if seconds is not None:
        order = np.argsort(seconds, kind="stable")
    lines = first[order]  # (M,) the line of every row of the log, in the log's order
    user, session = _who(names, table, lines)
    users, feature_dim = _user_features(names, table, lines, user)
    day = np.zeros(len(lines), dtype=np.int64)
    if names.day:
        day = table[names.day][lines]
    elif seconds is not None:
        day = whole_days(seconds[order])
    span = int(session.max(initial=0)) + 1
    step = table[names.step][lines] if names.step else encode.rank_within(user * span + session)

    clicks = np.zeros(len(item), dtype=np.int8) if click is None else click.astype(np.int8)
    clicks = entries.spread(clicks, 0)[order]
    feedback = _feedback(names, table, entries)
    if click is not None and "click" not in feedback:
        feedback["click"] = entries.spread(click, 0).sum(axis=1).astype(np.float64)
    slate = entries.spread(item, -1)[order]
    position = table[names.position] if names.position else None
    return SlateLog(
        problem=Problem(
            slate_size=slate.shape[1],
            user_feature_dim=feature_dim,
            rewards=reader.weights(),
            **problem,
        ),
        user=user,
        session=session,
        day=day,
        step=step,
        slate=slate,
        clicks=clicks,
        feedback={name: feedback[name][order] for name in reader.reward_names()},
        user_features=users,
        propensity=None if propensity is None else entries.spread(propensity, 1.0)[order],
        slate_propensity=_slate_propensity(names, table, lines),
        position=None if position is None else entries.spread(position[entries.line], -1)[order],
        anonymous=names.user is None,
    ).validate()


def _open(reader: TableReader) -> Columns:
    names = reader.columns
    item: Kind = "text" if reader.num_items is None else "int"
    kinds: dict[str, Kind] = dict.fromkeys(_several(names.item), item)
    kinds |= dict.fromkeys(_several(names.click), "int")
    kinds |= dict.fromkeys(_several(names.propensity), "float")
    kinds |= dict.fromkeys(_given(names.position, names.day, names.step), "int")
    kinds |= dict.fromkeys([*_given(names.slate_propensity), *names.user_features], "float")
    kinds |= dict.fromkeys(names.feedback.values(), "float")
    kinds |= dict.fromkeys(_given(names.time), "time")
    kinds |= dict.fromkeys(_given(names.slate, names.user, names.session), "text")
    kinds |= dict.fromkeys(names.user_categories, "text")
    slots = (names.item, names.click, names.propensity)
    lists = [name for name in slots if isinstance(name, str)] if reader.layout == "lists" else []
    advice = "Give the table of impressions or slates as 'path', relative to the working folder."
    return read_columns(reader.path, kinds, lists=lists, separator=reader.separator, missing=advice)


def _shown(
    reader: TableReader, table: Columns
) -> tuple[_Entries, NDArray[Any], NDArray[Any] | None, NDArray[Any] | None]:
    """Return the items shown with their clicks and propensities, each ``(E,)``."""
    names = reader.columns
    wanted = (names.item, names.click, names.propensity)
    lines = np.arange(table.length)
    if reader.layout == "lists":
        lengths: Ints | None = None
        values: list[NDArray[Any] | None] = []
        for name in wanted:
            if name is None:
                values.append(None)
                continue
            found, entries = table.lists(str(name), reader.list_separator)
            if lengths is None:
                lengths = found
            wrong = found != lengths
            table.refuse(wrong, str(name), f"is not as long as the list in {names.item!r}")
            values.append(entries)
        assert lengths is not None
        row = np.repeat(lines, lengths)
        shown = _Entries(
            line=row, row=row, slot=encode.rank_within(row), first=lines, row_of_line=lines
        )
    elif reader.layout == "columns":
        width = len(names.item)
        row = np.repeat(lines, width)
        shown = _Entries(
            line=row,
            row=row,
            slot=np.tile(np.arange(width), len(lines)),
            first=lines,
            row_of_line=lines,
        )
        values = [
            None if name is None else np.stack([table[part] for part in name], axis=1).reshape(-1)
            for name in wanted
        ]
    else:
        shown = _impressions(names, table)
        values = [None if name is None else table[str(name)] for name in wanted]
    item, click, propensity = values
    assert item is not None
    return shown, item, click, propensity


def _impressions(names: ColumnMap, table: Columns) -> _Entries:
    lines = np.arange(table.length)
    if names.slate is None:
        return _Entries(
            line=lines, row=lines, slot=np.zeros_like(lines), first=lines, row_of_line=lines
        )
    keys = table[names.slate]
    row = encode.codes(keys, encode.first_seen(keys))
    _, first = np.unique(row, return_index=True)
    if names.position is None:
        return _Entries(
            line=lines, row=row, slot=encode.rank_within(row), first=first, row_of_line=row
        )
    position = table[names.position]
    order = np.lexsort((position, row))
    again = np.zeros(len(lines), dtype=np.bool_)
    again[order[1:]] = (np.diff(row[order]) == 0) & (np.diff(position[order]) == 0)
    table.refuse(again, names.position, "occurs twice in one slate")
    slot = np.empty_like(lines)
    slot[order] = encode.rank_within(row[order])
    return _Entries(line=lines, row=row, slot=slot, first=first, row_of_line=row)


def _check(
    table: Columns, entries: _Entries, name: Any, wrong: NDArray[np.bool_], message: str
) -> None:
    """Refuse the first wrong entry under the column it came from."""
    if wrong.any():
        place = int(np.argmax(wrong))
        column = name if isinstance(name, str) else name[entries.slot[place]]
        table.fail(int(entries.line[place]), column, message)


def _check_keys(names: ColumnMap, table: Columns) -> None:
    """Refuse an empty key: all the rows that lack one would else be one user, session or slate."""
    for name in _given(names.slate, names.user, names.session):
        empty = table[name] == ""
        if empty.any():
            table.fail(int(np.argmax(empty)), name, "the entry is missing", show=False)


def _check_constant(names: ColumnMap, table: Columns, entries: _Entries) -> None:
    """Refuse a slate whose lines disagree on what belongs to the slate."""
    if names.slate is None:
        return
    shared = _given(
        names.user, names.session, names.day, names.time, names.step, names.slate_propensity
    )
    for name in (*shared, *names.user_features, *names.user_categories):
        values = table[name]
        differs = values != values[entries.first][entries.row]
        table.refuse(differs, name, "differs from the first line of its slate")


def _catalogue(
    reader: TableReader, table: Columns, entries: _Entries, item: NDArray[Any]
) -> tuple[dict[str, Any], Ints]:
    """Return the item part of the problem, and the items shown as numbers."""
    if reader.num_items is None:
        _check(table, entries, reader.columns.item, item == "", "is not an item: it is empty")
    if reader.num_items is not None:
        size = reader.num_items
        ids: Ints = np.where((item >= 0) & (item < size), item, -1)
        known = f"the catalogue (0 ... {size - 1})"
        features, groups = np.zeros((size, 0), dtype=np.float32), np.zeros(size, dtype=np.int64)
    elif reader.items is not None:
        names, features, groups = _read_items(reader.items, reader.separator)
        ids, size, known = encode.codes(item, names), len(names), str(reader.items.path)
    else:
        names = encode.distinct(item)
        ids, size, known = encode.codes(item, names), len(names), "the log"
        features, groups = np.zeros((size, 0), dtype=np.float32), np.zeros(size, dtype=np.int64)
    _check(table, entries, reader.columns.item, ids < 0, f"is not an item of {known}")
    problem = {
        "num_items": size,
        "num_candidates": size,
        "item_features": features,
        "item_groups": groups,
    }
    return problem, ids


def _read_items(items: ItemTable, separator: str) -> tuple[list[Any], NDArray[np.float32], Ints]:
    """Return item ids, features ``(I, D)`` and groups ``(I,)``."""
    kinds: dict[str, Kind] = {items.item: "text"}
    kinds |= dict.fromkeys([*_given(items.group), *items.categories], "text")
    kinds |= dict.fromkeys(items.features, "float")
    advice = "Give the table of items as 'items.path', or leave 'items' out."
    table = read_columns(items.path, kinds, separator=separator, missing=advice)
    ids = table[items.item]
    again = encode.rank_within(encode.codes(ids, encode.first_seen(ids))) > 0
    table.refuse(again, items.item, "is listed twice")
    hot = [encode.one_hot(table[name], encode.distinct(table[name])) for name in items.categories]
    features = encode.stack([*(table[name] for name in items.features), *hot], table.length)
    groups = np.zeros(table.length, dtype=np.int64)
    if items.group is not None:
        groups = encode.codes(table[items.group], encode.distinct(table[items.group]))
    return list(ids), features, groups


def _who(names: ColumnMap, table: Columns, lines: Ints) -> tuple[Ints, Ints]:
    """Return user and session of every row; sessions are numbered within the user."""
    if names.user is None:
        return np.arange(len(lines)), np.zeros(len(lines), dtype=np.int64)
    text = table[names.user][lines]
    user = encode.codes(text, encode.distinct(text))
    if names.session is None:
        return user, np.zeros(len(lines), dtype=np.int64)
    text = table[names.session][lines]
    key = encode.codes(text, encode.first_seen(text))
    _, first, of_pair = np.unique(
        user * (key.max(initial=0) + 1) + key, return_index=True, return_inverse=True
    )
    pairs = np.argsort(first)  # by first occurrence
    number = np.empty(len(pairs), dtype=np.int64)
    number[pairs] = encode.rank_within(user[first[pairs]])
    return user, number[of_pair]


def _user_features(
    names: ColumnMap, table: Columns, lines: Ints, user: Ints
) -> tuple[NDArray[np.float32], int]:
    """Return the features of every user, ``(U, F)``, from their first row."""
    _, first = np.unique(user, return_index=True)
    chosen = lines[first]
    hot = []
    for name in names.user_categories:
        values = table[name]
        hot.append(encode.one_hot(values[chosen], encode.distinct(values)))
    numbers = [table[name][chosen] for name in names.user_features]
    features = encode.stack([*numbers, *hot], len(chosen))
    return features, features.shape[1]


def _feedback(
    names: ColumnMap, table: Columns, entries: _Entries
) -> dict[str, NDArray[np.float64]]:
    """Return the named rewards of every slate, summed over its lines."""
    slates = len(entries.first)
    return {
        name: np.bincount(entries.row_of_line, table[column], slates).astype(np.float64)
        for name, column in names.feedback.items()
    }


def _slate_propensity(names: ColumnMap, table: Columns, lines: Ints) -> NDArray[np.float64] | None:
    if names.slate_propensity is None:
        return None
    values: NDArray[np.float64] = table[names.slate_propensity]
    wrong = ~((values > 0) & (values <= 1))
    table.refuse(wrong, names.slate_propensity, "is not a probability in (0, 1]")
    return values[lines]


def _several(names: Any) -> Iterable[str]:
    return () if names is None else (names,) if isinstance(names, str) else names


def _given(*names: str | None) -> list[str]:
    return [name for name in names if name is not None]
