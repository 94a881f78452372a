"""Counting the unsupported actions of a policy of slates."""

from __future__ import annotations

import math
from collections.abc import Sequence

from recsim.estimators.overlap import OverlapSums, can_count
from recsim.estimators.policies import (
    UnknownProbabilities,
    is_estimated,
    knows_actions,
)
from recsim.estimators.slates.policies import HasSlateDistribution
from recsim.estimators.slates.rows import SlateRows
from recsim.estimators.tally import PolicyValue

# Most ordered slates that a policy must list for this purpose alone.
MOST_LISTED = 2000


class SlateOverlap:
    """Counts items that the policy would show at a position where the logging policy never does.

    A slate with an unsupported item is unsupported; a slate of supported items may be too.

    Args:
        wanted: Whether to count. None to do so wherever it is cheap: for slates of one item with
            few candidates, and for longer ones if the policy knows the probability of every
            candidate or can list its slates, and they are few.
    """

    def __init__(self, wanted: bool | None) -> None:
        self._wanted = wanted
        self._sums: OverlapSums | None = None
        self._off = wanted is False

    def add(self, rows: SlateRows) -> None:
        """Count the unsupported actions of some rows.

        Raises:
            UserError: If counting is wanted and the policy does not know enough.
        """
        if self._off or (self._wanted is None and not _cheap(rows)):
            self._off = True
            return
        try:
            policy = rows.policy_marginals
        except UnknownProbabilities:
            if self._wanted:
                raise
            self._off = True
            return
        if self._sums is None:
            self._sums = OverlapSums(exact=_logging_is_known(rows))
        self._sums.add(rows, policy, rows.logging_marginals if self._sums.exact else None)

    def attach(self, values: Sequence[PolicyValue]) -> list[PolicyValue]:
        """Return the values with these counts, if there are any, and their warnings."""
        if self._off or self._sums is None:
            return list(values)
        return self._sums.result().attach(values)


def _cheap(rows: SlateRows) -> bool:
    """Return whether the probability of every candidate is cheap to compute."""
    policy, problem = rows.evaluation.policy, rows.problem
    if problem.slate_size == 1:
        return can_count(policy, problem.num_candidates)
    knows = knows_actions(policy) or isinstance(policy, HasSlateDistribution)
    return knows and math.perm(problem.num_candidates, problem.slate_size) <= MOST_LISTED


def _logging_is_known(rows: SlateRows) -> bool:
    """Return whether the policy that made the log knows the probability of every candidate."""
    logging, problem = rows.evaluation.logging_policy, rows.problem
    if logging is None or is_estimated(logging):
        return False
    listed = math.perm(problem.num_candidates, problem.slate_size)
    if problem.slate_size > 1 and listed > MOST_LISTED:
        return False
    try:
        return rows.logging_marginals is not None
    except UnknownProbabilities:
        return False
