"""The base class of readers: settings that can be checked, and a method that reads."""

from __future__ import annotations

from abc import abstractmethod

from pydantic import BaseModel, ConfigDict

from recsim.log.slate_log import SlateLog


class Reader(BaseModel):
    """Base class of readers; the fields of a subclass are its settings.

    If the log has a reward ``return`` that counts days, the field ``return_days`` holds their
    number; holdout trials then reveal returns only as they happen.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @abstractmethod
    def read(self) -> SlateLog:
        """Read the whole log and check it.

        Raises:
            LogError: If a file is missing or a row is malformed.
        """

    def read_counted(self) -> tuple[SlateLog, dict[str, int]]:
        """Read the log, and count what became of the rows of its files.

        Returns:
            The log, and the counts by name; empty if the reader does not count.

        Raises:
            LogError: If a file is missing or a row is malformed.
        """
        return self.read(), {}
