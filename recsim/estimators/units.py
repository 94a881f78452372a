"""Independent units of a log: users, sessions or rows, which are resampled and dealt to folds."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from recsim.arrays import Ints
from recsim.errors import EstimationError, did_you_mean
from recsim.log import SlateLog

Unit = Literal["user", "session", "row"]

_BITS = 32  # of a session's number; the other 31 are the user's


class Units:
    """Numbers the independent units of a log that is read in pieces, in order.

    A user keeps their number, a row has its place in the log, and a session the place of its first
    row: numbers do not depend on how the log is cut, and there are few gaps between them. In an
    anonymous log every row is a unit.

    Args:
        unit: What is independent of the rest.

    Raises:
        EstimationError: If there is no such unit.
    """

    def __init__(self, unit: Unit) -> None:
        known = get_args(Unit)
        if unit not in known:
            raise EstimationError(f"Unknown unit {unit!r}.{did_you_mean(unit, known)}")
        self._unit = unit
        self._keys: Ints = np.zeros(0, dtype=np.int64)  # sessions so far, ascending
        self._firsts: Ints = np.zeros(0, dtype=np.int64)  # and their first rows

    def of(self, log: SlateLog, first_row: int) -> Ints:
        """Return the unit of every row of the next piece, ``(M,)``.

        Args:
            log: The piece.
            first_row: Number of its first row.

        Raises:
            EstimationError: If the number of a session is negative or too large.
        """
        if self._unit == "row" or log.anonymous:
            return np.arange(first_row, first_row + len(log))
        return log.user if self._unit == "user" else self._session_of(log, first_row)

    def _session_of(self, log: SlateLog, first_row: int) -> Ints:
        """Return the first row of every row's session, ``(M,)``, and remember new sessions."""
        wrong = (log.session < 0) | (log.session >= 2**_BITS)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise EstimationError(
                f"row {first_row + row}: session {log.session[row]} cannot be resampled: number "
                f"the sessions of a user from 0, below 2^{_BITS}."
            )
        keys: Ints = log.user.astype(np.int64) * 2**_BITS + log.session
        own, firsts, inverse = np.unique(keys, return_index=True, return_inverse=True)
        place = np.searchsorted(self._keys, own)
        new = np.ones(len(own), dtype=np.bool_)
        known = place < len(self._keys)
        new[known] = self._keys[place[known]] != own[known]
        numbers: Ints = firsts + first_row
        numbers[~new] = self._firsts[place[~new]]
        self._keys = np.insert(self._keys, place[new], own[new])
        self._firsts = np.insert(self._firsts, place[new], numbers[new])
        return numbers[inverse]
