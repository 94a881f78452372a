"""Readers of logs, by name.

Another package adds a reader by declaring a subclass of `Reader` under the entry-point group
``recsim.readers``; it can then be used as `read_log` and scenarios use the built-in ones.
"""

from __future__ import annotations

from typing import Any

from recsim.errors import LogError, UserError
from recsim.log.readers.base import Reader
from recsim.log.slate_log import SlateLog
from recsim.registry import Registry
from recsim.settings import validated

__all__ = ["READERS", "Reader", "make_reader", "read_log"]


def _check(name: str, target: str, loaded: Any) -> None:
    if not (isinstance(loaded, type) and issubclass(loaded, Reader)):
        raise LogError(
            f"reader {name!r} ({target}) must be a subclass of recsim.log.Reader, not {loaded!r}."
        )


READERS = Registry(
    "recsim.readers",
    "reader",
    {
        "coat": "recsim.log.readers.coat:CoatReader",
        "events": "recsim.log.readers.events:EventsReader",
        "finn": "recsim.log.readers.finn:FinnReader",
        "kuairand": "recsim.log.readers.kuairand:KuaiRandReader",
        "minari": "recsim.log.readers.minari:MinariReader",
        "movielens": "recsim.log.readers.movielens:MovieLensReader",
        "open_bandit": "recsim.log.readers.open_bandit:OpenBanditReader",
        "saved": "recsim.log.readers.saved:SavedReader",
        "sequences": "recsim.log.readers.sequences:SequencesReader",
        "table": "recsim.log.readers.table:TableReader",
    },
    _check,
    LogError,
)


def make_reader(name: str, **options: Any) -> Reader:
    """Build a reader; nothing is read yet.

    Args:
        name: One of ``READERS.names()``.
        **options: Its settings, ``path`` among them.

    Raises:
        LogError: If the name is unknown, or an option is unknown, missing or wrong.
    """
    if not isinstance(name, str):
        raise LogError(
            f"the first argument is the name of a reader, not a {type(name).__name__}. A table in "
            "memory is data: read_log('table', data=..., columns={...})."
        )
    model = READERS.load(name)
    try:
        reader: Reader = validated(model, options, name)
    except UserError as error:
        raise LogError(str(error)) from None
    return reader


def read_log(name: str, **options: Any) -> SlateLog:
    """Read a log, e.g. ``read_log("open_bandit", path="obd", campaign="women")``.

    Args:
        name: One of ``READERS.names()``.
        **options: Settings of the reader, ``path`` among them.

    Raises:
        LogError: If the name or an option is wrong, a file is missing, or a row is malformed.
    """
    return make_reader(name, **options).read()
