"""Tables of a person's own items or users: settings that both share, and how they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from envs.world.items import unit
from envs.world.part import Part
from recsim.arrays import Bools, Floats
from recsim.errors import EnvError, UserError
from recsim.problem import Names
from recsim.settings import LARGEST

if TYPE_CHECKING:  # reading tables imports pandas and pyarrow
    from recsim.log.readers.columns import Columns as Read
    from recsim.log.readers.item_table import Items as Listed


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Listing = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Columns = Annotated[str | Annotated[tuple[str, ...], Field(min_length=1)], BeforeValidator(_listed)]


class TablePart(Part):
    """A part that is read from a file, or from a table in memory.

    Some columns have a role, such as ``group``. A role is played by the column of that name if the
    table has one, by another column if the setting names it, and by none if the setting is None.
    All other columns are features if most of their cells are numbers, else categories; unless
    ``features`` or ``categories`` name those that are to be read.
    """

    key: ClassVar[str]  # of the world, under which these settings stand
    noun: ClassVar[str]  # of a row
    roles: ClassVar[tuple[str, ...]]  # settings that name columns
    vector: ClassVar[str]  # the role that is a list of numbers, or several columns

    path: str | None = None
    data: Any = None
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    list_separator: Annotated[str, Field(min_length=1)] = "|"
    features: Listing = ()
    categories: Listing = ()

    @model_validator(mode="after")
    def _one_source(self) -> TablePart:
        if (self.path is None) == (self.data is None):
            raise ValueError("give either 'path', a file, or 'data', a table in memory")
        twice = set(self.features) & set(self.categories)
        if twice:
            raise ValueError(f"{min(twice)!r} is both in 'features' and in 'categories'")
        return self

    def table(self, name: str) -> Table:
        """Read the table.

        Args:
            name: Column of the names of its rows.

        Raises:
            EnvError: If the table is missing or empty, lacks a column, or has a malformed cell.
        """
        try:
            return self._table(name)
        except UserError as error:
            raise EnvError(f"world.{self.key}: {error}") from error

    def _table(self, name: str) -> Table:
        from recsim.log import encode
        from recsim.log.readers.columns import Kind, column_names, read_columns
        from recsim.log.readers.item_table import ItemTable, read_items

        source = ItemTable(
            path=None if self.path is None else Path(self.path),
            data=_in_memory(self.data),
            item=name,
            features=self.features,
            categories=self.categories,
            all_columns=not self.model_fields_set & {"features", "categories"},
            list_separator=self.list_separator,
        )
        known = column_names(source.source, self.separator, missing="It was given as 'path'.")
        played = {role: self._columns(role, known) for role in self.roles}
        taken = [column for columns in played.values() for column in columns]
        twice = {column for column in [name, *taken] if [name, *taken].count(column) > 1}
        if twice:
            raise EnvError(f"column {min(twice)!r} has two roles: set one of them to another one.")
        if played["group"]:
            source = source.model_copy(update={"group": played["group"][0]})
        try:
            listed = read_items(source, name, self.separator, leave_out=taken, key=self.key)
        except UserError as error:
            if name in known:
                raise
            advice = f"Name the column of the names of {self.noun}s as '{self.noun}'."
            raise EnvError(f"{error} {advice}") from None
        names = encode.names(listed.ids.tolist(), self.noun, whole=listed.may_be_whole)
        numbers = [column for column in taken if column not in played["group"]]
        kinds: dict[str, Kind] = dict.fromkeys(numbers, "float")
        lists = played[self.vector] if isinstance(getattr(self, self.vector), str) else ()
        read: Any = None
        if kinds:
            read = read_columns(source.source, kinds, lists=lists, separator=self.separator)
        return Table(names, listed, read, played, list(lists), self.list_separator)

    def _columns(self, role: str, known: Sequence[str]) -> tuple[str, ...]:
        """Return the columns that play a role."""
        given = getattr(self, role)
        if given is None or (role not in self.model_fields_set and given not in known):
            return ()
        return (given,) if isinstance(given, str) else tuple(given)


@dataclass(frozen=True, eq=False)
class Table:
    """A table of N items or users.

    Attributes:
        names: Their names.
        listed: Features, categories and groups.
        read: The columns with roles; None if there are none but groups.
        played: The columns that play each role.
        lists: Those of them that hold lists of numbers.
        separator: Of the numbers in a list.
    """

    names: Names
    listed: Listed
    read: Read
    played: Mapping[str, tuple[str, ...]]
    lists: Sequence[str]
    separator: str

    @property
    def features(self) -> Floats:
        """Numbers with mean 0 and deviation 1, then 0 or 1 per category, ``(N, F)``."""
        numbers = np.array(self.listed.numbers, dtype=np.float64).reshape(-1, len(self.names)).T
        hot = self.listed.features[:, numbers.shape[1] :]
        return np.hstack([standardised(numbers), hot])

    def numbers(self, role: str, low: float = -np.inf, high: float = np.inf) -> Floats | None:
        """Return the column of a role, ``(N,)``; None if there is none.

        Raises:
            LogError: If a cell is not a number, or is outside ``low`` to ``high``.
        """
        if not self.played[role]:
            return None
        (name,) = self.played[role]
        values = self.read.amounts(name)
        words = f"is not between {low:g} and {high:g}" if high < np.inf else "is negative"
        advice = f": name another column as {role!r}, or set it to null"
        wrong: Bools = (values < low) | (values > high)
        self.read.refuse(wrong, name, words + advice)
        return values

    def vectors(self, role: str) -> Floats | None:
        """Return the vectors of a role scaled to length 1, ``(N, d)``; None if there are none.

        Raises:
            LogError: If a cell is not a number, lists differ in length, or a vector is zero.
        """
        names = self.played[role]
        if not names:
            return None
        if not self.lists:
            vectors = np.column_stack([self.read.amounts(name) for name in names])
        else:
            (name,) = names
            lengths, flat = self.read.lists(name, self.separator)
            if not lengths[0]:
                self.read.fail(0, name, "is an empty list")
            counts = f"the first row has {lengths[0]} numbers, this one another number of them"
            self.read.refuse(lengths != lengths[0], name, f"does not fit: {counts}")
            row = np.repeat(np.arange(len(lengths)), lengths)
            wrong = ~np.isfinite(flat) | (np.abs(flat) > LARGEST)
            if wrong.any():
                self.read.fail(int(row[np.argmax(wrong)]), name, "holds a number that is too large")
            vectors = flat.reshape(len(lengths), -1)
        zero: Bools = np.linalg.norm(vectors, axis=1) == 0
        self.read.refuse(zero, names[0], "makes a vector of zeros, of no direction")
        return unit(vectors)


def standardised(columns: Floats) -> Floats:
    """Return columns ``(N, F)`` with mean 0 and standard deviation 1; constant ones become 0."""
    centred = columns - columns.mean(axis=0)
    deviation = centred.std(axis=0)
    # What remains of a constant column is the rounding of its mean.
    constant = deviation <= 1e-12 * np.abs(columns).max(axis=0, initial=0.0)
    scaled: Floats = np.where(constant, 0.0, centred / np.where(constant, 1.0, deviation))
    return scaled


def projected(features: Floats, dim: int, seed: int) -> Floats:
    """Return features as vectors of length 1, ``(N, d)``, by a Gaussian projection.

    Args:
        features: ``(N, F)``; a row of zeros stays a vector of zeros.
        dim: d.
        seed: The projection is a function of it and of F.
    """
    rng = np.random.default_rng([seed, 0x9807])
    return unit(features @ rng.standard_normal((features.shape[1], dim)))


def _in_memory(given: Any) -> Any:
    """Return a table in memory for the readers; None if none was given."""
    from recsim.log.readers.in_memory import TableInMemory

    if given is None:
        return None
    try:
        return TableInMemory.of(_arrow(given) if isinstance(given, Mapping) else given)
    except ValueError as error:
        raise EnvError(f"data {error}, or a mapping of names to arrays.") from None


def _arrow(arrays: Mapping[str, Any]) -> Any:
    """Return named arrays ``(N,)``, or ``(N, d)`` for lists of numbers, as a table.

    Raises:
        EnvError: If they differ in length or an array cannot be a column.
    """
    import pyarrow as pa

    columns = {}
    for name, values in arrays.items():
        array = np.asarray(values) if hasattr(values, "__array__") else values
        try:
            rows = list(array) if getattr(array, "ndim", 1) == 2 else array
            columns[str(name)] = pa.array(rows, from_pandas=True)
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise EnvError(f"data, column {name!r} cannot be read: {error}.") from None
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        first = next(iter(lengths))
        other = next(name for name in lengths if lengths[name] != lengths[first])
        raise EnvError(
            f"data: column {first!r} has {lengths[first]} rows, and {other!r} {lengths[other]}."
        )
    return pa.table(columns)
