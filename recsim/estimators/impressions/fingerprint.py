"""Telling whether a log that is read in pieces is one that was read before."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from recsim.estimators.impressions.rows import Log, chunks
from recsim.log import SlateLog

_ODD = np.uint64(0x9E3779B97F4A7C15)


class Fingerprint:
    """Number of rows, and a sum of hashes of row number, user, session and slate, of what was read.

    It does not depend on how the log is cut. Chance logs with the same one are as rare as one in
    2^64; nothing protects from those who make one on purpose.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def watch(self, log: Log) -> Iterator[SlateLog]:
        """Yield the pieces of a log, and take them in."""
        for chunk in chunks(log):
            numbers = np.arange(self.rows, self.rows + len(chunk), dtype=np.uint64)
            hashed = _mixed(numbers)
            if not chunk.anonymous:  # else users are numbered within a piece
                hashed = _mixed(hashed ^ chunk.user.astype(np.uint64))
                hashed = _mixed(hashed ^ chunk.session.astype(np.uint64))
            for items in chunk.slate.T:
                hashed = _mixed(hashed ^ items.astype(np.uint64))
            self.rows += len(chunk)
            self._sum = (self._sum + int(hashed.sum(dtype=np.uint64))) % 2**64
            yield chunk

    @property
    def value(self) -> tuple[int, int]:
        """What equal logs have in common."""
        return self.rows, self._sum


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return numbers, ``(N,)``, in which every bit depends on all of those given."""
    mixed = numbers + _ODD
    for shift in (30, 27):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * _ODD
    return mixed ^ (mixed >> np.uint64(31))
