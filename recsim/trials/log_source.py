"""The log of a scenario, read once for all agents and seeds of a process."""

from __future__ import annotations

import functools
import json
from typing import TypeAlias

import recsim.log
from recsim.log import SlateLog
from recsim.scenario.sources import DataSpec

Source: TypeAlias = str | SlateLog
"""A log in memory, or name and options of a reader as text: a key of caches."""


def source_of(data: DataSpec) -> Source:
    """Return the key of the log that a scenario names."""
    if data.log is not None:
        return data.log
    return json.dumps([data.reader, {"path": data.path, **data.options}])


@functools.lru_cache(maxsize=1)
def read_source(source: Source) -> tuple[SlateLog, dict[str, int], int | None]:
    """Return the log, how many rows were read and dropped, and the days over which returns count.

    The last two are not known of a log in memory.
    """
    if isinstance(source, SlateLog):
        return source, {}, None
    name, options = json.loads(source)
    made = recsim.log.make_reader(name, **options)
    log, counts = made.read_counted()
    return_days = getattr(made, "return_days", None) if "return" in log.problem.rewards else None
    return log, counts, return_days
