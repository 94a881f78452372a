"""Counting what a policy of slates would show and the log cannot speak of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from recsim.errors import UserError
from recsim.estimators.impressions.overlap import OverlapSums
from recsim.estimators.impressions.policies import MOST_ASKED, is_estimated, knows_actions
from recsim.estimators.slates.policies import HasSlateDistribution
from recsim.estimators.slates.rows import Rows
from recsim.estimators.tally import PolicyValue

# Ordered slates up to which a policy is made to list them for this alone.
MOST_LISTED = 2000


class SlateOverlap:
    """Counts items that the policy would show at a position and the log, or its policy, never does.

    That an item is supported at its position does not mean that the whole slate is; but a slate
    with an item that is not cannot be.

    Args:
        wanted: Whether to count. None to do so wherever it costs little: for slates of one item
            with few candidates, and for longer ones if the policy knows the probability of every
            candidate or can list its slates, and they are few.
    """

    def __init__(self, wanted: bool | None) -> None:
        self._wanted = wanted
        self._sums: OverlapSums | None = None
        self._off = wanted is False

    def add(self, rows: Rows) -> None:
        """Count a piece.

        Raises:
            UserError: If counting is wanted and the policy does not know enough.
        """
        if self._off or (self._wanted is None and not _cheap(rows)):
            self._off = True
            return
        try:
            policy = rows.policy_marginals
        except UserError:
            if self._wanted:
                raise
            self._off = True
            return
        if self._sums is None:
            self._sums = OverlapSums(exact=_known(rows))
        self._sums.add(rows, policy, rows.logging_marginals if self._sums.exact else None)

    def told(self, values: Sequence[PolicyValue]) -> list[PolicyValue]:
        """Return the values, with what was found."""
        if self._off or self._sums is None:
            return list(values)
        found = self._sums.result()
        return [
            replace(
                value,
                unsupported=found.unsupported,
                unsupported_share=found.share,
                warnings=value.warnings + found.warnings,
            )
            for value in values
        ]


def _cheap(rows: Rows) -> bool:
    """Return whether the probability of every candidate is to be had for little."""
    policy, problem = rows.asked.policy, rows.log.problem
    if problem.slate_size == 1:
        return knows_actions(policy) or problem.num_candidates <= MOST_ASKED
    listed = math.perm(problem.num_candidates, problem.slate_size)
    knows = knows_actions(policy) or isinstance(policy, HasSlateDistribution)
    return knows and listed <= MOST_LISTED


def _known(rows: Rows) -> bool:
    """Return whether the policy that made the log can say what it shows how often."""
    logging, problem = rows.asked.logging, rows.log.problem
    if logging is None or isinstance(logging, str) or is_estimated(logging):
        return False
    listed = math.perm(problem.num_candidates, problem.slate_size)
    if problem.slate_size > 1 and listed > MOST_LISTED:
        return False
    try:
        return rows.logging_marginals is not None
    except UserError:
        return False
