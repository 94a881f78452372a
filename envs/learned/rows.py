"""Rows of a log as inputs of the networks."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs.learned.sessions import Sessions
from recsim.arrays import Floats32, Ints
from recsim.log import SlateLog
from recsim.log.history import earlier_rows

CLOCK = 3  # time features


class Rows:
    """Rows of a log with the last slates of their users.

    Args:
        log: The log.
        history: Number of last slates, H.
        device: Torch device of the tensors.
    """

    def __init__(self, log: SlateLog, history: int, device: str) -> None:
        self.log = log
        self.device = device
        self._past = earlier_rows(log, np.arange(len(log)), history)  # (M, H)
        self._features = np.nan_to_num(log.user_features)

    def features(self, rows: Ints) -> Tensor:
        """Return the features of the users, ``(B, F)``."""
        return self._tensor(self._features[self.log.user[rows]])

    def before(self, rows: Ints) -> tuple[Tensor, Tensor]:
        """Return items and clicks of the last slates before each row, ``(B, H, K)``."""
        return self._slates(self._past[rows])

    def after(self, rows: Ints) -> tuple[Tensor, Tensor]:
        """Return items and clicks of the last slates including the row itself, ``(B, H, K)``."""
        return self._slates(np.column_stack([self._past[rows, 1:], rows]))

    def slate(self, rows: Ints) -> tuple[Tensor, Tensor]:
        """Return items and clicks of the rows, ``(B, K)``."""
        return self._tensor(self.log.slate[rows]), self._tensor(self.log.clicks[rows]).float()

    def _slates(self, past: Ints) -> tuple[Tensor, Tensor]:
        empty = (past < 0)[:, :, None]
        items = np.where(empty, -1, self.log.slate[past])  # (B, H, K)
        clicks = np.where(empty, 0, self.log.clicks[past])
        return self._tensor(items), self._tensor(clicks).float()

    def _tensor(self, array: NDArray[np.generic]) -> Tensor:
        return torch.as_tensor(array, device=self.device)


def clock_numbers(before: Ints, step: Ints) -> Floats32:
    """Return the time features, ``(B, CLOCK)``.

    Args:
        before: Days since the previous session, 0 in the first, ``(B,)``.
        step: Slates of the session before this one, ``(B,)``.
    """
    return np.column_stack([np.log1p(before), before == 0, np.log1p(step)]).astype(np.float32)


def session_clock(sessions: Sessions, rows: Ints, device: str) -> Tensor:
    """Return the time features of rows of a log, on the device."""
    numbers = clock_numbers(sessions.before[rows], sessions.step[rows])
    return torch.as_tensor(numbers, device=device)


def batches(rows: Ints, size: int = 4096) -> list[Ints]:
    """Split row numbers into batches of at most ``size``."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]
