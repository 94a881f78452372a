"""From events, one user and one item each, to a log; what the readers of events share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Bools, Floats, Ints
from recsim.errors import LogError
from recsim.log import encode
from recsim.log.readers.cores import core
from recsim.log.readers.item_table import Items, ItemTable, read_items
from recsim.log.readers.sessions import days_and_steps
from recsim.log.slate_log import SlateLog
from recsim.problem import Names, Problem


@dataclass(frozen=True, eq=False)
class Numbered:
    """The users or items of N events, numbered in the order of their ids.

    Attributes:
        number: ``(N,)``, 0 ... n-1.
        ids: The n ids as text.
        names: The same as names.
    """

    number: Ints
    ids: Sequence[str]
    names: Names

    @staticmethod
    def of(values: NDArray[np.object_], word: str, *, whole: bool) -> Numbered:
        """Number ids.

        Args:
            values: Id of each event as text, ``(N,)``.
            word: What they name, ``user`` or ``item``.
            whole: See `recsim.log.encode.names`.
        """
        number, known = encode.numbered(values)
        return Numbered(number, known, encode.names(known, word, whole=whole))


def listed_items(
    source: ItemTable | None, items: Numbered, column: str, separator: str
) -> tuple[Items | None, Bools]:
    """Read the table of the items of events.

    Args:
        source: The table; None for none.
        items: The items.
        column: Column of the id, if ``source`` names none.
        separator: Field separator of CSV files.

    Returns:
        What is known of ``items.ids``, or None without a table; and which events have an item that
        is not in the table, ``(N,)``.
    """
    if source is None:
        return None, np.zeros(len(items.number), dtype=np.bool_)
    table = read_items(source, column, separator)
    place = encode.codes(np.asarray(items.ids, dtype=object), table.ids)
    return table.take(place), place[items.number] < 0


def event_log(
    user: Numbered,
    item: Numbered,
    seconds: Floats | None,
    k_core: int | None,
    table: Items | None,
) -> tuple[SlateLog, dict[str, int]]:
    """Return events as a log of slates of one item, all clicked, and what was dropped.

    Args:
        user: User of each event.
        item: Its item.
        seconds: Time in seconds since 1970, ``(N,)``; None if events of a user are in order and
            have no times.
        k_core: See `recsim.log.readers.cores.core`.
        table: What is known of the items; None for nothing.

    Raises:
        LogError: If no event is left.
    """
    if not len(user.number):
        raise LogError("there are no events.")
    duplicate = None if seconds is None else _repeated(user.number, item.number, seconds)
    kept, counts = core(user.number, item.number, k_core, duplicate=duplicate)
    if seconds is None:
        order = np.argsort(kept.user, kind="stable")
        time, columns = None, days_and_steps(kept.user[order], np.zeros(len(order)))
    else:
        time = seconds[kept.rows]
        order = np.argsort(time, kind="stable")
        time = time[order]
        columns = days_and_steps(kept.user[order], time)
    number = len(kept.items)
    features, groups = np.zeros((number, 0), np.float32), np.zeros(number, np.int64)
    if table is not None:
        of_kept = table.take(kept.items)
        features, groups = of_kept.features, of_kept.item_groups
    log = SlateLog(
        problem=Problem(
            num_items=number,
            item_features=features,
            item_groups=groups,
            item_names=item.names.take(kept.items),
            user_names=user.names.take(kept.users),
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
