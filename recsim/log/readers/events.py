"""A table of events: user, item and time."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt

from recsim.errors import located
from recsim.log.readers.base import Reader
from recsim.log.readers.columns import read_columns
from recsim.log.readers.event_log import Numbered, event_log, listed_items
from recsim.log.readers.in_memory import TableSource
from recsim.log.readers.item_table import ItemFile
from recsim.log.readers.times import TimeUnit
from recsim.log.slate_log import SlateLog


class EventsReader(TableSource, Reader):
    """A table of events: who, what item, when; its sources are those of `TableSource`.

    Ids are any text or numbers; users and items are numbered in the order of their ids, which are
    their names, as in `recsim.log.readers.table_layout.TableLayout`. Each event is a slate of one
    item that was clicked. Exact duplicates and users with fewer than three events are dropped and
    counted; columns that are not named are ignored.

    Attributes:
        user: Column of the user's id.
        item: Column of the item's id.
        timestamp: Column of the time: numbers, or dates and times as 2019-11-24 10:00:00.
        k_core: Keeps only users and items with at least so many events, see
            `recsim.log.readers.cores`; None keeps all items.
        items: File with features and groups of the items, see
            `recsim.log.readers.item_table.ItemTable`, or only its path to read all columns. It must
            list every item of the events; items without an event do not enter the catalogue.
        separator: Field separator of CSV files.
        time_unit: Unit of times that are numbers; by default it follows from their size, see
            `recsim.log.readers.times`.
        text_ids: Whether names of users and items are text even if all are whole numbers.
    """

    user: str = "user"
    item: str = "item"
    timestamp: str = "timestamp"
    k_core: PositiveInt | None = None
    items: ItemFile | None = None
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    time_unit: TimeUnit | None = None
    text_ids: bool = False

    def read(self) -> SlateLog:
        """Read the log; see `read_counted`."""
        return self.read_counted()[0]

    def read_counted(self) -> tuple[SlateLog, dict[str, int]]:
        """Read the log, and count what was dropped.

        Raises:
            LogError: If a file is missing, lacks a column, or has a missing or malformed id or
                time, or an item is not listed; the message gives file, line and column.
        """
        table = read_columns(
            self.source,
            {self.user: "text", self.item: "text", self.timestamp: "time"},
            separator=self.separator,
            time_unit=self.time_unit,
        )
        numbered = []
        for word, name in (("user", self.user), ("item", self.item)):
            column = table.ids(name)
            table.refuse(column == "", name, "is empty, but must be an id")
            whole = table.may_be_whole(name) and not self.text_ids
            numbered.append(Numbered.of(column, word, whole=whole))
        user, item = numbered
        seconds = table[self.timestamp]
        listed, unlisted = listed_items(self.items, item, self.item, self.separator)
        if self.items is not None:
            table.refuse(unlisted, self.item, f"is not an item of {self.items.source}")
        with located(str(self.source)):
            return event_log(user, item, seconds, self.k_core, listed)
