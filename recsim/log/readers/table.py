"""Any table of impressions or slates, CSV or Parquet, by naming its columns."""

from __future__ import annotations

from recsim.log.readers.base import Reader
from recsim.log.readers.table_layout import TableLayout
from recsim.log.readers.table_rows import read_table_rows
from recsim.log.slate_log import SlateLog


class TableReader(TableLayout, Reader):
    """Any table of impressions or slates, by naming its columns.

    The settings are those of `recsim.log.readers.table_layout.TableLayout`.
    """

    def read(self) -> SlateLog:
        """Read the whole table and check it.

        Raises:
            LogError: If the file is missing, lacks a column, or has a row that is malformed;
                the message gives file, line and column.
        """
        return read_table_rows(self)
