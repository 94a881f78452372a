"""Logs in: the one table that every reader fills and every estimator reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recsim.errors import UserError, did_you_mean
from recsim.log.readers.base import Reader
from recsim.log.readers.coat import CoatReader, coat_log, read_coat
from recsim.log.readers.finn import FinnReader
from recsim.log.readers.kuairand import KuaiRandReader, read_kuairand
from recsim.log.readers.movielens import MovieLensReader, read_movielens
from recsim.log.readers.open_bandit import OpenBanditReader, read_open_bandit
from recsim.log.readers.ratings import Ratings
from recsim.log.readers.sessions import SessionCounts
from recsim.log.readers.table import TableReader, read_table
from recsim.log.slate_log import SlateLog
from recsim.log.storage import write_log
from recsim.settings import validated

__all__ = [
    "READERS",
    "Ratings",
    "Reader",
    "SessionCounts",
    "SlateLog",
    "coat_log",
    "make_reader",
    "read_coat",
    "read_kuairand",
    "read_log",
    "read_movielens",
    "read_open_bandit",
    "read_table",
    "write_log",
]


class SavedReader(Reader):
    """A folder written by `SlateLog.save`, e.g. by a simulated rollout.

    Attributes:
        path: The folder.
    """

    path: Path

    def read(self) -> SlateLog:
        """Read the whole log and check it."""
        return SlateLog.load(self.path)


READERS: dict[str, type[Reader]] = {
    "coat": CoatReader,
    "finn": FinnReader,
    "kuairand": KuaiRandReader,
    "movielens": MovieLensReader,
    "open_bandit": OpenBanditReader,
    "saved": SavedReader,
    "table": TableReader,
}


def make_reader(name: str, **options: Any) -> Reader:
    """Build a reader without reading anything yet.

    Args:
        name: One of `READERS`.
        **options: Its settings, ``path`` among them.

    Raises:
        UserError: If the name or an option is unknown, missing or wrong.
    """
    if name not in READERS:
        raise UserError(f"Unknown reader {name!r}.{did_you_mean(name, READERS)}")
    return validated(READERS[name], options, name)


def read_log(name: str, **options: Any) -> SlateLog:
    """Read a log, e.g. ``read_log("open_bandit", path="obd", campaign="women")``.

    Args:
        name: One of `READERS`.
        **options: Its settings, ``path`` among them.

    Raises:
        UserError: If the name or an option is wrong, a file is missing, or a row is malformed.
    """
    return make_reader(name, **options).read()
