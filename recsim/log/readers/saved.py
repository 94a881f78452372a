"""Logs that `SlateLog.save` wrote."""

from __future__ import annotations

from pathlib import Path

from recsim.log.readers.base import Reader
from recsim.log.slate_log import SlateLog


class SavedReader(Reader):
    """A folder written by `SlateLog.save`, e.g. after a simulated rollout.

    Attributes:
        path: The folder.
    """

    path: Path

    def read(self) -> SlateLog:
        """Read the whole log and check it."""
        return SlateLog.load(self.path)
