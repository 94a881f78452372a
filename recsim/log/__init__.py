"""Logged slates: one table, `SlateLog`, that readers fill, agents learn from and estimators use.

What belongs to one data set is in its module of `recsim.log.readers`; `recsim.log.storage` writes
logs that are larger than memory.
"""

from recsim.log.readers import READERS, Reader, make_reader, read_log
from recsim.log.slate_log import SlateLog

__all__ = ["READERS", "Reader", "SlateLog", "make_reader", "read_log"]
