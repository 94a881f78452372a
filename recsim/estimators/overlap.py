"""Unsupported actions: those that a policy would take and the logging policy never does.

No weight makes up for an action with pi > 0 and mu = 0: it is not in the log to be weighted. IPS
then omits what such actions would earn, and doubly robust estimates rely on the reward model there.

Where mu of every action is known, unsupported actions are counted exactly: one for each impression
and action. Where only the propensities of what was shown are known, an item counts as unsupported
at a position where the log never shows it: once for each item and position.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from recsim.arrays import Floats
from recsim.estimators.policies import (
    MOST_CANDIDATES,
    Policy,
    knows_actions,
    knows_only_logged,
)
from recsim.estimators.rows import Rows
from recsim.estimators.tally import PolicyValue

# Share of what the policy would show above which a value comes with a warning.
UNSUPPORTED_SHARE = 0.01


@dataclass(frozen=True)
class Overlap:
    """How much of a policy the log covers.

    Attributes:
        unsupported: Number of actions with pi > 0 and mu = 0.
        share: Their share of what the policy would show.
        exact: Whether mu of every action was known; otherwise an item counts at positions where
            the log never shows it.
    """

    unsupported: int
    share: float
    exact: bool

    @property
    def warnings(self) -> tuple[str, ...]:
        """Reasons to doubt any estimate; empty if there are none."""
        if not self.share > UNSUPPORTED_SHARE:
            return ()
        what = "actions" if self.exact else "pairs of item and position"
        never = "takes" if self.exact else "showed in this log"
        return (
            f"{self.share:.1%} of what the policy would show are {what} that the logging policy "
            f"never {never} ({self.unsupported} of them): the log says nothing about these",
        )

    def attach(self, values: Iterable[PolicyValue]) -> list[PolicyValue]:
        """Return values with these counts and warnings."""
        return [
            replace(
                value,
                unsupported=self.unsupported,
                unsupported_share=self.share,
                warnings=value.warnings + self.warnings,
            )
            for value in values
        ]


class OverlapSums:
    """Counts unsupported actions over a log that is read in pieces.

    Args:
        exact: Whether `add` is given mu of every action.
    """

    def __init__(self, *, exact: bool) -> None:
        self.exact = exact
        self._total = 0.0
        self._unsupported = 0
        self._missing = 0.0
        self._wanted: Floats = np.zeros(
            (0, 0)
        )  # probability under the policy, by position and item
        self._shown = np.zeros((0, 0), dtype=np.int64)

    def add(self, rows: Rows, policy: Floats, logging: Floats | None = None) -> None:
        """Count the unsupported actions of some rows.

        Args:
            rows: The B rows.
            policy: pi of every candidate, ``(B, K, C)``.
            logging: mu of every candidate, ``(B, K, C)``, if ``exact``.
        """
        shown, positions = rows.shown, rows.positions
        if logging is not None:
            self._total += float(policy.sum(axis=2)[shown].sum())
            beyond = (policy > 0) & (logging == 0) & shown[:, :, None]
            self._unsupported += int(np.count_nonzero(beyond))
            self._missing += float(policy[beyond].sum())
            return
        items = rows.problem.num_items
        self._grow(int(positions.max(initial=-1)) + 1, items)
        np.add.at(self._shown, (positions[shown], rows.items[shown]), 1)
        for slot in range(shown.shape[1]):
            for position in np.unique(positions[shown[:, slot], slot]).tolist():
                at = shown[:, slot] & (positions[:, slot] == position)
                candidates = rows.obs["candidates"]
                if candidates.strides[0] == 0:  # one row repeated
                    counted = at.astype(np.float64) @ policy[:, slot]
                    candidates = candidates[0]
                else:
                    counted = policy[at, slot].ravel()
                    candidates = candidates[at].ravel()
                self._wanted[position] += np.bincount(candidates, counted, minlength=items)

    def result(self) -> Overlap:
        """Return the counts so far."""
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


def can_count(policy: Policy, num_candidates: int) -> bool:
    """Return whether the probability of every candidate can be computed without much work.

    Args:
        policy: The policy.
        num_candidates: Candidates of a row, C.
    """
    one_by_one = num_candidates <= MOST_CANDIDATES and not knows_only_logged(policy)
    return knows_actions(policy) or one_by_one
