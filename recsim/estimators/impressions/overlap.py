"""What a policy would show and the log cannot speak of: pi > 0 where mu = 0.

No weight makes up for an action that the logging policy never takes: its weight would be infinite,
and it is not in the log to be weighted. IPS then leaves out what such actions would earn, and
doubly robust estimates rest on the reward model there.

Where mu of every action is known, unsupported actions are counted exactly: one for each impression
and action. Where only the propensities of what was shown are known, an item counts as unsupported
at a position where the log never shows it: once for each item and position.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from recsim.estimators.impressions.sample import Floats
from recsim.problem import Problem

# Share of what the policy would show beyond which a value is doubted.
UNSUPPORTED_SHARE = 0.01


@dataclass(frozen=True)
class Overlap:
    """How much of a policy the log can speak of.

    Attributes:
        unsupported: Actions with pi > 0 and mu = 0.
        share: Share of what the policy would show that they make up.
        exact: Whether mu of every action was known; else an item counts where it never occurs.
    """

    unsupported: int
    share: float
    exact: bool

    @property
    def warnings(self) -> tuple[str, ...]:
        """What speaks against any estimate, in plain words; empty if nothing does."""
        if not self.share > UNSUPPORTED_SHARE:
            return ()
        what = "actions" if self.exact else "pairs of item and position"
        never = "takes" if self.exact else "showed in this log"
        return (
            f"{self.share:.1%} of what the policy would show are {what} that the logging policy "
            f"never {never} ({self.unsupported} of them): the log says nothing about these",
        )


def count_unsupported(policy: Any, logging: Any) -> int:
    """Return how many actions have pi > 0 and mu = 0.

    Args:
        policy: pi of every action, of any shape.
        logging: mu of every action, of the same shape.
    """
    return int(np.count_nonzero((np.asarray(policy) > 0) & (np.asarray(logging) == 0)))


class Seen(Protocol):
    """B rows of a log; see `recsim.estimators.impressions.rows.Block`."""

    @property
    def obs(self) -> Mapping[str, NDArray[Any]]:
        """Observations."""

    @property
    def items(self) -> NDArray[np.int64]:
        """Item ids, ``(B, K)``."""

    @property
    def shown(self) -> NDArray[np.bool_]:
        """Where an item was shown, ``(B, K)``."""

    @property
    def positions(self) -> NDArray[np.int64]:
        """Positions on the page, ``(B, K)``."""

    @property
    def problem(self) -> Problem:
        """The catalogue."""


class OverlapSums:
    """Counts unsupported actions over a log that is read in pieces.

    Args:
        exact: Whether mu of every action will be given.
    """

    def __init__(self, *, exact: bool) -> None:
        self.exact = exact
        self._total = 0.0
        self._unsupported = 0
        self._missing = 0.0
        self._wanted: Floats = np.zeros((0, 0))  # the policy's mass, by position and item
        self._shown = np.zeros((0, 0), dtype=np.int64)

    def add(self, block: Seen, policy: Floats, logging: Floats | None = None) -> None:
        """Count a piece.

        Args:
            block: The block of B rows.
            policy: pi of every candidate, ``(B, K, C)``.
            logging: mu of every candidate, ``(B, K, C)``, if ``exact``.
        """
        shown, positions = block.shown, block.positions
        if logging is not None:
            self._total += float(policy.sum(axis=2)[shown].sum())
            beyond = (policy > 0) & (logging == 0) & shown[:, :, None]
            self._unsupported += int(np.count_nonzero(beyond))
            self._missing += float(policy[beyond].sum())
            return
        items = block.problem.num_items
        self._grow(int(positions.max(initial=-1)) + 1, items)
        np.add.at(self._shown, (positions[shown], block.items[shown]), 1)
        for slot in range(shown.shape[1]):
            for position in np.unique(positions[shown[:, slot], slot]).tolist():
                rows = shown[:, slot] & (positions[:, slot] == position)
                candidates = block.obs["candidates"]
                if candidates.strides[0] == 0:  # one row repeated
                    counted = rows.astype(np.float64) @ policy[:, slot]
                    candidates = candidates[0]
                else:
                    counted = policy[rows, slot].ravel()
                    candidates = candidates[rows].ravel()
                self._wanted[position] += np.bincount(candidates, counted, minlength=items)

    def result(self) -> Overlap:
        """Return what was found so far."""
        unsupported, missing = self._unsupported, self._missing
        if not self.exact:
            beyond = (self._wanted > 0) & (self._shown == 0)
            unsupported = int(np.count_nonzero(beyond))
            missing = float(self._wanted[beyond].sum())
        total = self._total if self.exact else float(self._wanted.sum())
        share = missing / total if total else math.nan
        return Overlap(unsupported, share, self.exact)

    def _grow(self, positions: int, items: int) -> None:
        if positions > len(self._shown):
            added = ((0, positions - len(self._shown)), (0, items - self._shown.shape[1]))
            self._wanted = np.pad(self._wanted, added)
            self._shown = np.pad(self._shown, added)
