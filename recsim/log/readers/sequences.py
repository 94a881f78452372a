"""A line of items per user, without times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

import numpy as np
import pyarrow as pa
from pydantic import Field, PositiveInt

from recsim.arrays import Ints
from recsim.errors import LogError, located
from recsim.log.readers.base import Reader
from recsim.log.readers.cells import CellError, check_ids
from recsim.log.readers.csv_files import require_file, text_lines
from recsim.log.readers.event_log import Numbered, event_log, listed_items
from recsim.log.readers.item_table import ItemFile
from recsim.log.slate_log import SlateLog

Lines: TypeAlias = Sequence[tuple[int, list[str]]]
"""The number and the fields of every line that is not blank."""


class SequencesReader(Reader):
    """A text file with one line per user: the user's id, then their items, the oldest first.

    Fields are separated by spaces or tabs. There are no times: a line is in the order of events.
    Users with fewer than three events are dropped and counted. This is the layout of the Amazon
    files on which much of the literature on sequential recommendation reports.

    Attributes:
        path: The file, in UTF-8, which may be packed (gzip, bz2, xz, zstd, lz4 or zip).
        k_core: As in `recsim.log.readers.events.EventsReader`.
        items: As there; the column of ids is ``item`` if none is named.
        separator: Field separator of the file of items, if it is CSV.
        text_ids: As there.
    """

    path: Path
    k_core: PositiveInt | None = None
    items: ItemFile | None = None
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    text_ids: bool = False

    def read(self) -> SlateLog:
        """Read the log; see `read_counted`."""
        return self.read_counted()[0]

    def read_counted(self) -> tuple[SlateLog, dict[str, int]]:
        """Read the log, and count what was dropped.

        Raises:
            LogError: If a file is missing or empty, a user has two lines, an id has a comma or
                stands for a missing one, or an item is not listed; the message gives the line.
        """
        require_file(self.path)
        lines = [(number, line.split()) for number, line in text_lines(self.path)]
        lines = [(number, fields) for number, fields in lines if fields]
        if not lines:
            raise LogError(f"{self.path} has no lines.")
        _check_users(self.path, lines)
        _check_ids(self.path, lines)
        length = np.array([len(fields) - 1 for _, fields in lines])
        users = np.repeat(np.array([fields[0] for _, fields in lines], dtype=object), length)
        items = np.array([item for _, fields in lines for item in fields[1:]], dtype=object)
        user = Numbered.of(users, "user", whole=not self.text_ids)
        item = Numbered.of(items, "item", whole=not self.text_ids)
        listed, unlisted = listed_items(self.items, item, "item", self.separator)
        if self.items is not None and unlisted.any():
            place = int(np.argmax(unlisted))
            line = np.repeat([number for number, _ in lines], length)[place]
            raise LogError(
                f"{self.path}, line {line}: {items[place]!r} is not an item of {self.items.source}."
            )
        with located(str(self.path)):
            return event_log(user, item, None, self.k_core, listed)


def _check_users(path: Path, lines: Lines) -> None:
    first: dict[str, int] = {}
    for number, (name, *_) in lines:
        if name in first:
            raise LogError(
                f"{path}, line {number}: the user {name!r} has line {first[name]} already: all "
                "items of a user stand in one line. Read a file of one event per line with "
                "'events'."
            )
        first[name] = number


def _check_ids(path: Path, lines: Lines) -> None:
    """Refuse fields that hold several ids, or stand for a missing one."""
    flat = [field for _, fields in lines for field in fields]
    number: Ints = np.repeat([n for n, _ in lines], [len(fields) for _, fields in lines])
    for place, field in enumerate(flat):
        if "," in field or ";" in field:
            raise LogError(
                f"{path}, line {number[place]}: {field!r} is not an id: separate fields by spaces "
                "or tabs."
            )
    try:
        check_ids(pa.chunked_array([pa.array(flat, pa.string())]))
    except CellError as error:
        where = f"{path}, line {number[error.place]}"
        raise LogError(f"{where}: {error.value!r} {error.message}.") from None
