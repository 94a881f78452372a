"""The table that lists items: what is known of each, one item a line."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from recsim.arrays import Floats, Floats32, Ints
from recsim.errors import LogError
from recsim.log import encode
from recsim.log.readers.columns import Columns, Kind, column_names, read_columns
from recsim.log.readers.in_memory import TableSource

# A column that the settings do not name is not a category but a title, or another id, if it has
# more values than this, or than half of the items.
_MOST_CATEGORIES, _ALWAYS_ALLOWED = 1000, 20


class ItemTable(TableSource):
    """The table that lists items, one a line; its sources are those of `TableSource`.

    Attributes:
        item: Column of the item id; by default that of the table of events or impressions.
        group: Column of its group.
        features: Columns of numbers.
        categories: Columns of categories. Each category is a feature that is 1 or 0. A cell may
            hold several, or none.
        all_columns: Whether all other columns are read too: as features if most of their cells are
            numbers, else as categories. If there is no ``group``, the first category in the first
            column of categories is one.
        list_separator: Separator of several categories in a cell without brackets.
    """

    item: str | None = None
    group: str | None = None
    features: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    all_columns: bool = False
    list_separator: Annotated[str, Field(min_length=1)] = "|"


def _of_source(value: Any) -> Any:
    if isinstance(value, str | Path):
        return {"path": value, "all_columns": True}
    is_table = hasattr(value, "__arrow_c_stream__")
    return {"data": value, "all_columns": True} if is_table else value


ItemFile: TypeAlias = Annotated[ItemTable, BeforeValidator(_of_source)]
"""An `ItemTable`, or its path or table alone if all columns are to be read."""


@dataclass(frozen=True, eq=False)
class Items:
    """What is known of N items.

    Attributes:
        ids: Their ids, text, ``(N,)``.
        numbers: Features that are numbers, each ``(N,)``.
        categories: For each column of categories, those of every item.
        groups: None or one group of every item; None if there are no groups.
        number_names: Columns of the numbers.
        may_be_whole: See `recsim.log.readers.columns.Columns.may_be_whole`, of the ids.
    """

    ids: NDArray[Any]
    numbers: Sequence[Floats]
    categories: Sequence[list[list[str]]]
    groups: list[list[str]] | None
    number_names: Sequence[str]
    may_be_whole: bool

    def take(self, rows: Ints) -> Items:
        """Return some of the items, by their numbers here ``(n,)``."""
        listed = rows.tolist()
        return replace(
            self,
            ids=self.ids[rows],
            numbers=[values[rows] for values in self.numbers],
            categories=[[column[row] for row in listed] for column in self.categories],
            groups=None if self.groups is None else [self.groups[row] for row in listed],
        )

    @property
    def features(self) -> Floats32:
        """The numbers, then one column per category that an item has, ``(N, F)``."""
        hot = [encode.multi_hot(column, _values(column)) for column in self.categories]
        return encode.stack([*self.numbers, *hot], len(self.ids))

    @property
    def item_groups(self) -> Ints:
        """The number of each item's group, ``(N,)``; zeros without groups.

        Items without a group form the last one.
        """
        if self.groups is None:
            return np.zeros(len(self.ids), dtype=np.int64)
        return encode.first_codes(self.groups, self.group_names)

    @property
    def group_names(self) -> list[str]:
        """The names of the groups in the order of their numbers; empty without groups."""
        return [] if self.groups is None else _values(self.groups)


def read_items(
    source: ItemTable,
    item: str,
    separator: str,
    *,
    leave_out: Collection[str] = (),
    key: str = "items",
) -> Items:
    """Read the table of items.

    Args:
        source: The file and its columns.
        item: Column of the id, if ``source`` names none.
        separator: Field separator of CSV files.
        leave_out: Columns that are not among the others of ``all_columns``.
        key: Key under which a person writes the settings of the table, for messages.

    Raises:
        LogError: If the file is missing, lacks a column, or has a malformed cell; says which.
    """
    item = source.item or item
    missing = f"Give the table of items as '{key}.path', or leave '{key}' out."
    named = dict.fromkeys([item, *source.features, *source.categories])
    kinds: dict[str, Kind] = dict.fromkeys(named, "text")
    if source.group is not None:
        kinds[source.group] = "text"
    others: list[str] = []
    if source.all_columns:
        names = column_names(source.source, separator, missing=missing)
        others = [name for name in names if name not in kinds and name not in leave_out]
        kinds |= dict.fromkeys(others, "text")
    table = read_columns(source.source, kinds, separator=separator, missing=missing)
    ids = table.unique(item)
    table.refuse(ids == "", item, "is empty, but must be an id")
    numeric = [name for name in others if table.mostly_numbers(name)]
    number_names = [*source.features, *numeric]
    numbers = [_numbers(table, name, key) for name in number_names]
    columns = {name: table.labels(name, source.list_separator) for name in source.categories}
    for name in others:
        if name not in numeric:
            columns[name] = _unnamed(table, name, source.list_separator, key)
    groups: list[list[str]] | None = None
    if source.group is not None:
        groups = [[name] if name else [] for name in table[source.group]]
    elif source.all_columns and columns:
        groups = next(iter(columns.values()))
    categories = list(columns.values())
    return Items(ids, numbers, categories, groups, number_names, table.may_be_whole(item))


def _numbers(table: Columns, name: str, key: str) -> Floats:
    try:
        return table.amounts(name)
    except LogError as error:
        raise LogError(f"{error} A column of categories is named in {key}.categories.") from None


def _unnamed(table: Columns, name: str, separator: str, key: str) -> list[list[str]]:
    """Return a column that the settings do not name as categories; refuse mostly unique values."""
    found = table.source
    source = f"path: {found.name}" if isinstance(found, Path) else "data: ..."
    advice = (
        f"Name the columns to read, such as {key}: {{{source}, categories: [genre], "
        "features: [price]}."
    )
    try:
        column = table.labels(name, separator)
    except LogError as error:
        raise LogError(f"{error} {advice}") from None
    number = len(_values(column))
    if number > min(_MOST_CATEGORIES, max(_ALWAYS_ALLOWED, len(column) // 2)):
        raise LogError(
            f"{table.source}, column {name!r}: {number:,} different values for "
            f"{len(column):,} items are too many to be categories. {advice}"
        )
    return column


def _values(column: list[list[str]]) -> list[str]:
    flat = np.array([value for values in column for value in values], dtype=object)
    return encode.distinct(flat)
