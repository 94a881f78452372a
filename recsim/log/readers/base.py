"""What every reader is: settings that can be checked, and a method that reads."""

from __future__ import annotations

from abc import abstractmethod

from pydantic import BaseModel, ConfigDict

from recsim.log.slate_log import SlateLog


class Reader(BaseModel):
    """A log somewhere else; its fields say where and how to read it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @abstractmethod
    def read(self) -> SlateLog:
        """Read the whole log and check it.

        Raises:
            UserError: If a file is missing or a row is malformed.
        """

    def read_counted(self) -> tuple[SlateLog, dict[str, int]]:
        """Read the log, and count what became of the rows of its files, where that is told.

        Raises:
            UserError: If a file is missing or a row is malformed.
        """
        return self.read(), {}
