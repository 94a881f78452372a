"""From the lines of a table to the rows of a log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Bools, Floats, Floats32, Ints
from recsim.log import encode
from recsim.log.readers.columns import Columns, Kind, read_columns
from recsim.log.readers.item_table import read_items
from recsim.log.readers.table_layout import ColumnMap, TableLayout, given, several
from recsim.log.readers.table_users import ends_of_episodes, user_features, users_and_sessions
from recsim.log.readers.times import are_dates, whole_days
from recsim.log.slate_log import SlateLog
from recsim.log.validation import NOT_PROPENSITY, NOT_TARGET, not_propensities
from recsim.problem import Names, Problem


@dataclass(frozen=True, eq=False)
class _Shown:
    """The E items shown, in the order of the file.

    Attributes:
        line: Line of the table, counted from 0, ``(E,)``.
        row: Slate of the item, ``(E,)``; slates are numbered by first occurrence.
        slot: Position in the slate, ``(E,)``.
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


def read_table_rows(source: TableLayout) -> SlateLog:
    """Read a table and check it.

    Args:
        source: The file, its layout and its columns.

    Raises:
        LogError: If the file is missing, lacks a column, or has a row that is malformed.
    """
    names = source.columns
    table = _open(source)
    _check_keys(names, table)
    shown, item, click, propensity, targets = _items_shown(source, table)
    if click is not None:
        _check(table, shown, names.click, (click != 0) & (click != 1), "is not a click: 0 or 1")
    if propensity is not None:
        _check(table, shown, names.propensity, not_propensities(propensity), NOT_PROPENSITY)
    for name, target in targets.items():
        wrong = ~((target >= 0) & (target <= 1))
        _check(table, shown, names.target_propensity[name], wrong, NOT_TARGET)
    if propensity is None and names.logger and set(table[names.logger]) <= set(targets):
        own = table[names.logger][shown.line]
        propensity = np.select([own == name for name in targets], list(targets.values()))
        never = not_propensities(propensity)
        _check(table, shown, names.logger, never, "has the probability 0 of this item")
    item, features, groups, items = _catalogue(source, table, shown, item)
    _check_repeats(names, table, shown, item)
    _check_constant(names, table, shown)

    first = shown.first
    order = np.arange(len(first))
    seconds = table.read(names.time, "time")[first] if names.time else None
    if seconds is not None:
        order = np.argsort(seconds, kind="stable")
    lines = first[order]  # (M,) the line of every row of the log, in the log's order
    user, session, known_users = users_and_sessions(source, table, lines)
    users = user_features(names, table, lines, user)
    day = np.zeros(len(lines), dtype=np.int64)
    if names.day:
        day = table.read(names.day, "int")[lines]
        if are_dates(day):
            table.fail(
                0,
                names.day,
                "is a date, not the number of a day: name the column 'time', "
                "with dates written as 2019-11-24",
            )
    elif seconds is not None:
        day = whole_days(seconds[order])
    of_session = user * (int(session.max(initial=0)) + 1) + session
    step = table.read(names.step, "int")[lines] if names.step else encode.rank_within(of_session)
    _check_order(names, table, lines, {"day": (user, day), "step": (of_session, step)})

    if click is None and not names.feedback:
        click = np.ones(len(item), dtype=np.int64)
    clicks = np.zeros(len(item), dtype=np.int8) if click is None else click.astype(np.int8)
    feedback = _feedback(names, table, shown)
    if click is not None and "click" not in feedback:
        feedback["click"] = shown.spread(click, 0).sum(axis=1).astype(np.float64)
    slate = shown.spread(item, -1)[order]
    position = table.read(names.position, "int")[shown.line] if names.position else None
    key = table[names.logger][lines] if names.logger else None
    logger, loggers = (None, []) if key is None else encode.numbered(key)
    of_slates = table.propensities(names.slate_propensity) if names.slate_propensity else None
    return SlateLog(
        problem=Problem(
            num_items=len(features),
            slate_size=slate.shape[1],
            user_feature_dim=users.shape[1],
            item_features=features,
            item_groups=groups,
            rewards=source.weights(),
            item_names=items,
            user_names=known_users,
        ),
        user=user,
        session=session,
        day=day,
        step=step,
        slate=slate,
        clicks=shown.spread(clicks, 0)[order],
        feedback={name: feedback[name][order] for name in source.reward_names()},
        user_features=users,
        propensity=None if propensity is None else shown.spread(propensity, 1.0)[order],
        target_propensities={
            name: shown.spread(target, 1.0)[order] for name, target in targets.items()
        },
        slate_propensity=None if of_slates is None else of_slates[lines],
        position=None if position is None else shown.spread(position, -1)[order],
        time=None if seconds is None else seconds[order],
        logger=logger,
        logger_names=tuple(str(name) for name in loggers),
        **ends_of_episodes(names, table, lines),
        anonymous=names.user is None,
        adaptive=source.adaptive,
    ).validate()


def _open(source: TableLayout) -> Columns:
    names = source.columns
    roles: list[tuple[Iterable[str], Kind]] = [
        (several(names.item), _kind_of_items(source)),
        (several(names.click), "int"),
        (several(names.propensity), "float"),
        *((several(target), "float") for target in names.target_propensity.values()),
        (given(names.position, names.day, names.step, names.terminated, names.truncated), "int"),
        ([*given(names.slate_propensity), *names.user_features], "float"),
        (names.feedback.values(), "float"),
        (given(names.time), "time"),
        (given(names.slate, names.user, names.session, names.logger), "text"),
        (names.user_categories, "text"),
    ]
    kinds: dict[str, Kind] = {}
    for columns, kind in roles:
        for name in columns:  # a column of several kinds is read as text, and converted for each
            kinds[name] = kind if kinds.get(name, kind) == kind else "text"
    slots = (names.item, names.click, names.propensity, *names.target_propensity.values())
    lists = [name for name in slots if isinstance(name, str)] if source.layout == "lists" else []
    advice = "Give the table of impressions or slates as 'path', relative to the working folder."
    return read_columns(
        source.source,
        kinds,
        lists=lists,
        separator=source.separator,
        missing=advice,
        time_unit=source.time_unit,
    )


def _kind_of_items(source: TableLayout) -> Kind:
    return "text" if source.num_items is None else "int"


def _items_shown(
    source: TableLayout, table: Columns
) -> tuple[_Shown, NDArray[Any], NDArray[Any] | None, NDArray[Any] | None, dict[str, NDArray[Any]]]:
    """Return the items shown with their clicks and probabilities, each ``(E,)``."""
    names = source.columns
    wanted = (names.item, names.click, names.propensity, *names.target_propensity.values())
    kinds: list[Kind] = [_kind_of_items(source), "int"]
    kinds += ["float"] * (len(wanted) - 2)
    lines = np.arange(table.length)
    values: list[NDArray[Any] | None]
    if source.layout == "impressions":
        table.refuse_lists(str(names.item), "use the layout 'lists'")
        shown = _impressions(names, table)
        values = [
            None if name is None else _cells(table, str(name), kind)
            for name, kind in zip(wanted, kinds, strict=True)
        ]
    elif source.layout == "columns":
        width = len(names.item)
        row, slot = np.repeat(lines, width), np.tile(np.arange(width), len(lines))
        shown = _Shown(line=row, row=row, slot=slot, first=lines, row_of_line=lines)
        values = [
            None
            if name is None
            else np.stack([_cells(table, part, kind) for part in name], axis=1).reshape(-1)
            for name, kind in zip(wanted, kinds, strict=True)
        ]
    else:
        lengths, items = table.lists(str(names.item), source.list_separator)
        values = [items]
        for name in wanted[1:]:
            if name is None:
                values.append(None)
                continue
            other, entries = table.lists(str(name), source.list_separator)
            message = f"is not as long as the list in {names.item!r}"
            table.refuse(other != lengths, str(name), message)
            values.append(entries)
        row = np.repeat(lines, lengths)
        slot = encode.rank_within(row)
        shown = _Shown(line=row, row=row, slot=slot, first=lines, row_of_line=lines)
    item, click, propensity, *others = values
    assert item is not None
    targets = {
        name: target
        for name, target in zip(names.target_propensity, others, strict=True)
        if target is not None
    }
    return shown, item, click, propensity, targets


def _cells(table: Columns, name: str, kind: Kind) -> NDArray[Any]:
    """Return a column of items, clicks or propensities, ``(N,)``."""
    return table.ids(name) if kind == "text" else table.read(name, kind)


def _impressions(names: ColumnMap, table: Columns) -> _Shown:
    lines = np.arange(table.length)
    if names.slate is None:
        slot = np.zeros_like(lines)
        return _Shown(line=lines, row=lines, slot=slot, first=lines, row_of_line=lines)
    keys = table[names.slate]
    row = encode.codes(keys, encode.first_seen(keys))
    _, first = np.unique(row, return_index=True)
    if names.position is None:
        slot = encode.rank_within(row)
    else:
        position = table.read(names.position, "int")
        order = np.lexsort((position, row))
        repeated = np.zeros(len(lines), dtype=np.bool_)
        repeated[order[1:]] = (np.diff(row[order]) == 0) & (np.diff(position[order]) == 0)
        table.refuse(repeated, names.position, "occurs twice in one slate")
        slot = np.empty_like(lines)
        slot[order] = encode.rank_within(row[order])
    return _Shown(line=lines, row=row, slot=slot, first=first, row_of_line=row)


def _check(table: Columns, shown: _Shown, name: Any, wrong: Bools, message: str) -> None:
    """Refuse the first item of ``wrong``, ``(E,)``, and name the column that it came from."""
    if wrong.any():
        place = int(np.argmax(wrong))
        column = name if isinstance(name, str) else name[shown.slot[place]]
        table.fail(int(shown.line[place]), column, message)


def _check_keys(names: ColumnMap, table: Columns) -> None:
    """Refuse empty keys, which would merge unrelated rows into one user, session or slate."""
    for name in given(names.slate, names.user, names.session, names.logger):
        empty = table.ids(name) == ""
        if empty.any():
            table.fail(int(np.argmax(empty)), name, "the entry is missing", show=False)


def _check_repeats(names: ColumnMap, table: Columns, shown: _Shown, item: Ints) -> None:
    """Refuse an item that its slate shows twice."""
    order = np.lexsort((item, shown.row))  # stable: of equal ones the earlier line first
    repeated = np.zeros(len(item), dtype=np.bool_)
    repeated[order[1:]] = (np.diff(shown.row[order]) == 0) & (np.diff(item[order]) == 0)
    _check(table, shown, names.item, repeated, "is in the slate already")


def _check_order(
    names: ColumnMap, table: Columns, lines: Ints, columns: Mapping[str, tuple[Ints, Ints]]
) -> None:
    """Refuse days that decrease within a user, and steps that decrease within a session.

    The rows would not be in the order of time, and histories would hold the future.

    Args:
        names: Which column holds what.
        table: The table.
        lines: Line of each row of the log, ``(M,)``.
        columns: For ``day`` and ``step``: groups of rows, and the values, ``(M,)`` each.
    """
    known = {"day": names.user, "step": names.session}
    for key, (group, values) in columns.items():
        column: str | None = getattr(names, key)
        if column is None or known[key] is None:
            continue
        order = np.argsort(group, kind="stable")
        back = np.zeros(len(lines), dtype=np.bool_)
        back[order[1:]] = (np.diff(group[order]) == 0) & (np.diff(values[order]) < 0)
        if back.any():
            advice = "" if names.time else ": sort the file by time, or name a column 'time'"
            row = int(lines[np.argmax(back)])
            before = "the row before it in the order of " + ("time" if names.time else "the file")
            whose = "the same user" if key == "day" else "the same session"
            table.fail(row, column, f"is below that of {before}, of {whose}{advice}")


def _check_constant(names: ColumnMap, table: Columns, shown: _Shown) -> None:
    """Refuse a slate whose lines differ in a column that has one value per slate."""
    if names.slate is None:
        return
    shared = given(
        *(names.user, names.session, names.day, names.time, names.step),
        *(names.slate_propensity, names.logger, names.terminated, names.truncated),
    )
    for name in (*shared, *names.user_features, *names.user_categories):
        values = table[name]
        differs = values != values[shown.first][shown.row]
        table.refuse(differs, name, "differs from the first line of its slate")


def _catalogue(
    source: TableLayout, table: Columns, shown: _Shown, item: NDArray[Any]
) -> tuple[Ints, Floats32, Ints, Names | None]:
    """Return the numbers of the items shown, ``(E,)``; features, groups and names of all items."""
    items: Names | None = None
    if source.num_items is not None:
        size = source.num_items
        ids: Ints = np.where((item >= 0) & (item < size), item, -1)
        features, groups = np.zeros((size, 0), dtype=np.float32), np.zeros(size, dtype=np.int64)
        catalogue = f"the catalogue (0 ... {size - 1})"
    else:
        _check(table, shown, source.columns.item, item == "", "is not an item: it is empty")
        padding = "is not an item: leave padding out"
        _check(table, shown, source.columns.item, item == "-1", padding)
        if source.items is not None:
            name = source.columns.item
            default = name if isinstance(name, str) else "item"
            listed = read_items(source.items, default, source.separator)
            known, whole = list(listed.ids), listed.may_be_whole
            catalogue = str(source.items.source)
            features, groups = listed.features, listed.item_groups
            ids = encode.codes(item, known)
        else:
            (ids, known), catalogue = encode.numbered(item), "the log"
            whole = table.may_be_whole(*several(source.columns.item))
            features = np.zeros((len(known), 0), dtype=np.float32)
            groups = np.zeros(len(known), dtype=np.int64)
        items = encode.names(known, "item", whole=whole and not source.text_ids)
    _check(table, shown, source.columns.item, ids < 0, f"is not an item of {catalogue}")
    return ids, features, groups, items


def _feedback(names: ColumnMap, table: Columns, shown: _Shown) -> dict[str, Floats]:
    """Return the named rewards of every slate, summed over its lines."""
    slates = len(shown.first)
    return {
        name: np.bincount(shown.row_of_line, table.amounts(column), slates).astype(np.float64)
        for name, column in names.feedback.items()
    }
