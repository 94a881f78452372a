"""What is resampled, kept together in a fold, and otherwise taken as independent of the rest."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from recsim.errors import UserError, did_you_mean
from recsim.log import SlateLog

Unit = Literal["user", "session", "row"]

_BITS = 32  # of a session's number; the other 31 are the user's


class Units:
    """Numbers the independent units of a log that is read in pieces, in order.

    A user has their own number, a row its place in the log, and a session the place of its first
    row: numbers do not depend on how the log is cut, and are no greater than they need be. In an
    anonymous log every row is a unit.

    Args:
        unit: What is independent of the rest.

    Raises:
        UserError: If there is no such unit.
    """

    def __init__(self, unit: Unit) -> None:
        known = get_args(Unit)
        if unit not in known:
            raise UserError(f"Unknown unit {unit!r}.{did_you_mean(unit, known)}")
        self._unit = unit
        self._keys: NDArray[np.int64] = np.zeros(0, dtype=np.int64)  # sessions so far, ascending
        self._firsts: NDArray[np.int64] = np.zeros(0, dtype=np.int64)  # and their first rows

    def of(self, log: SlateLog, first_row: int) -> NDArray[np.int64]:
        """Return the unit of every row of the next piece, ``(M,)``.

        Args:
            log: The piece.
            first_row: Number of its first row.

        Raises:
            UserError: If a session has a number that is too large.
        """
        if self._unit == "row" or log.anonymous:
            return np.arange(first_row, first_row + len(log))
        return log.user if self._unit == "user" else self._session_of(log, first_row)

    def _session_of(self, log: SlateLog, first_row: int) -> NDArray[np.int64]:
        """Return the first row of every row's session, ``(M,)``, and remember new sessions."""
        far = (log.session < 0) | (log.session >= 2**_BITS)
        if far.any():
            row = int(np.argmax(far))
            raise UserError(
                f"row {first_row + row}: session {log.session[row]} cannot be resampled: number "
                f"the sessions of a user from 0 on, below 2^{_BITS}."
            )
        keys: NDArray[np.int64] = log.user.astype(np.int64) * 2**_BITS + log.session
        own: NDArray[np.int64]
        own, firsts, inverse = np.unique(keys, return_index=True, return_inverse=True)
        place = np.searchsorted(self._keys, own)
        new = np.ones(len(own), dtype=np.bool_)
        known = place < len(self._keys)
        new[known] = self._keys[place[known]] != own[known]
        numbers: NDArray[np.int64] = firsts + first_row
        numbers[~new] = self._firsts[place[~new]]
        self._keys = np.insert(self._keys, place[new], own[new])
        self._firsts = np.insert(self._firsts, place[new], numbers[new])
        return numbers[inverse]
