"""Events of users and items: a table of user, item and time, or a line of items per user."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt

from recsim.arrays import Bools, Floats, Ints
from recsim.errors import LogError
from recsim.log import encode
from recsim.log.readers.base import Reader
from recsim.log.readers.columns import read_columns
from recsim.log.readers.cores import core
from recsim.log.readers.csv_files import require_file, text_lines
from recsim.log.readers.sessions import days_and_steps
from recsim.log.readers.times import TimeUnit
from recsim.log.slate_log import SlateLog
from recsim.problem import Names, Problem


class EventsReader(Reader):
    """A CSV or Parquet table of events: who, what item, when.

    Ids are any text or numbers; users and items are numbered in the order of their ids, which are
    their names, as in `recsim.log.readers.table_layout.TableLayout`. Each event is a slate of one
    item that was clicked. Exact duplicates and users with fewer than three events are dropped and
    counted.

    Attributes:
        path: The file: Parquet, or CSV in UTF-8 with a header, which may be packed with gzip or
            bz2. Further columns are ignored.
        user: Column of the user's id.
        item: Column of the item's id.
        timestamp: Column of the time: numbers, or dates and times as 2019-11-24 10:00:00.
        k_core: Keeps only users and items with at least so many events, see
            `recsim.log.readers.cores`; None keeps all items.
        separator: Field separator of CSV files.
        time_unit: Unit of times that are numbers; by default it follows from their size, see
            `recsim.log.readers.times`.
        text_ids: Whether names of users and items are text even if all are whole numbers.
    """

    path: Path
    user: str = "user"
    item: str = "item"
    timestamp: str = "timestamp"
    k_core: PositiveInt | None = None
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    time_unit: TimeUnit | None = None
    text_ids: bool = False

    def read(self) -> SlateLog:
        """Read the log; see `read_counted`."""
        return self.read_counted()[0]

    def read_counted(self) -> tuple[SlateLog, dict[str, int]]:
        """Read the log, and count what was dropped.

        Raises:
            LogError: If the file is missing, lacks a column, or has a missing or malformed id or
                time; the message gives file, line and column.
        """
        table = read_columns(
            self.path,
            {self.user: "text", self.item: "text", self.timestamp: "time"},
            separator=self.separator,
            time_unit=self.time_unit,
        )
        numbers, names = [], []
        for of, name in (("user", self.user), ("item", self.item)):
            column = table.ids(name)
            table.refuse(column == "", name, "is no id: the cell is empty")
            known = encode.distinct(column)
            numbers.append(encode.codes(column, known))
            whole = table.may_be_whole(name) and not self.text_ids
            names.append(encode.names(known, of, whole=whole))
        (user, item), (users, items) = numbers, names
        return events_log(user, item, table[self.timestamp], self.k_core, users, items)


class SequencesReader(Reader):
    """A text file with one line per user: the user's id, then their items, the oldest first.

    Fields are separated by spaces or tabs. There are no times: a line is in the order of events.
    Users with fewer than three events are dropped and counted. This is the layout of the Amazon
    files on which much of the literature on sequential recommendation reports.

    Attributes:
        path: The file, in UTF-8, which may be packed with gzip or bz2.
        k_core: As in `EventsReader`.
        text_ids: Whether names of users and items are text even if all are whole numbers.
    """

    path: Path
    k_core: PositiveInt | None = None
    text_ids: bool = False

    def read(self) -> SlateLog:
        """Read the log; see `read_counted`."""
        return self.read_counted()[0]

    def read_counted(self) -> tuple[SlateLog, dict[str, int]]:
        """Read the log, and count what was dropped.

        Raises:
            LogError: If the file is missing or empty, or a user has two lines.
        """
        require_file(self.path)
        lines = [(number, line.split()) for number, line in text_lines(self.path)]
        lines = [(number, fields) for number, fields in lines if fields]
        if not lines:
            raise LogError(f"{self.path} has no lines.")
        first: dict[str, int] = {}
        for number, (name, *_) in lines:
            if name in first:
                raise LogError(
                    f"{self.path}, line {number}: the user {name!r} has line {first[name]} "
                    "already: all items of a user stand in one line."
                )
            first[name] = number
        users = np.array([fields[0] for _, fields in lines], dtype=object)
        lengths = [len(fields) - 1 for _, fields in lines]
        items = np.array([item for _, fields in lines for item in fields[1:]], dtype=object)
        known_users, known_items = encode.distinct(users), encode.distinct(items)
        user = np.repeat(encode.codes(users, known_users), lengths)
        return events_log(
            user,
            encode.codes(items, known_items),
            None,
            self.k_core,
            encode.names(known_users, "user", whole=not self.text_ids),
            encode.names(known_items, "item", whole=not self.text_ids),
        )


def events_log(
    user: Ints,
    item: Ints,
    seconds: Floats | None,
    k_core: int | None,
    users: Names | None = None,
    items: Names | None = None,
) -> tuple[SlateLog, dict[str, int]]:
    """Return events as a log of slates of one item, all clicked, and what was dropped.

    Args:
        user: User of each event, ``(N,)``, 0 ...
        item: Its item, ``(N,)``, 0 ...
        seconds: Time in seconds since 1970, ``(N,)``; None if events of a user are in order and
            have no times.
        k_core: See `recsim.log.readers.cores.core`.
        users: Names of all users.
        items: Names of all items.
    """
    duplicate = None if seconds is None else _repeated(user, item, seconds)
    if not len(user):
        raise LogError("there are no events.")
    kept, counts = core(user, item, k_core, duplicate=duplicate)
    if seconds is None:
        order = np.argsort(kept.user, kind="stable")
        time, columns = None, days_and_steps(kept.user[order], np.zeros(len(order)))
    else:
        time = seconds[kept.rows]
        order = np.argsort(time, kind="stable")
        time = time[order]
        columns = days_and_steps(kept.user[order], time)
    number = len(kept.items)
    log = SlateLog(
        problem=Problem(
            num_items=number,
            slate_size=1,
            num_candidates=number,
            user_feature_dim=0,
            item_features=np.zeros((number, 0), dtype=np.float32),
            item_groups=np.zeros(number, dtype=np.int64),
            rewards={"click": 1.0},
            item_names=None if items is None else items.take(kept.items),
            user_names=None if users is None else users.take(kept.users),
        ),
        **columns,
        slate=kept.item[order][:, None],
        clicks=np.ones((len(order), 1), dtype=np.int8),
        feedback={"click": np.ones(len(order))},
        user_features=np.zeros((len(kept.users), 0), dtype=np.float32),
        time=time,
    )
    return log.validate(), counts


def _repeated(user: Ints, item: Ints, seconds: Floats) -> Bools:
    """Return which events equal an earlier one in user, item and time, ``(N,)``."""
    import pandas as pd

    frame = pd.DataFrame({"user": user, "item": item, "time": seconds})
    return frame.duplicated().to_numpy(dtype=np.bool_)
