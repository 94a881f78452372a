"""Rows of a log with the rewards and weights that estimators of slates and trajectories need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from recsim.arrays import Bools, Floats
from recsim.errors import EstimationError
from recsim.estimators.balanced import refuse_balanced
from recsim.estimators.policies import Policy
from recsim.estimators.rows import Log, Rows, item_rewards, read_rows, slate_rewards
from recsim.estimators.slates import policies as slate_policies
from recsim.estimators.slates.pseudo_inverse import product_weights
from recsim.estimators.slates.sample import check_position_weights
from recsim.estimators.units import Unit
from recsim.estimators.weights import probability_ratio, running_product

Logging = Policy | Literal["independent"]

# Matrices and tables of every candidate at every position, at a time: 64 MiB of float64.
_CELLS = 2**23


@dataclass(frozen=True)
class Evaluation:
    """What one evaluation reads from a log.

    Attributes:
        policy: The evaluated policy.
        logging: What made the log, or None.
        reward: Name of the reward, or None for the weighted sum of the log's problem.
        unit: What is independent of the rest.
        history_slates: Slates of history in the policy's observations.
        needs: Columns of a `SlateSample` that are needed.
        position_weights: ``(K,)``, or None.
    """

    policy: Policy
    logging: Logging | None
    reward: str | None
    unit: Unit
    history_slates: int
    needs: frozenset[str]
    position_weights: Floats | None = None

    def __post_init__(self) -> None:
        if isinstance(self.logging, str) and self.logging != "independent":
            raise EstimationError(
                f"Unknown logging {self.logging!r}: give a policy or 'independent'."
            )

    @property
    def logging_policy(self) -> Policy | None:
        """The policy that made the log, if it is given."""
        return None if isinstance(self.logging, str) else self.logging

    def read(self, log: Log) -> Iterator[SlateRows]:
        """Yield a log in blocks of rows."""
        for rows in read_rows(
            log,
            unit=self.unit,
            history_slates=self.history_slates,
            cells=_CELLS,
            policies=(self.policy, self.logging),
        ):
            yield SlateRows(**vars(rows), evaluation=self)


@dataclass(frozen=True, eq=False)
class SlateRows(Rows):
    """B rows of a log in one evaluation.

    Attributes:
        evaluation: What is read from the log.
    """

    evaluation: Evaluation

    @cached_property
    def policy_marginals(self) -> Floats:
        """Probability of every candidate at every position under the policy, ``(B, K, C)``."""
        return self._marginals_of(self.evaluation.policy)

    @cached_property
    def logging_marginals(self) -> Floats | None:
        """The same under the logging policy, ``(B, K, C)``; None if it is not given."""
        logging = self.evaluation.logging_policy
        return None if logging is None else self._marginals_of(logging)

    def _marginals_of(self, policy: Policy) -> Floats:
        slots = self.problem.slate_size
        return slate_policies.marginals(policy, self.obs, slots, first_row=self.first)

    @cached_property
    def rewards(self) -> tuple[Floats, Floats | None]:
        """Reward of every slate, and of every item if they have rewards of their own."""
        log, name, alpha = self.log, self.evaluation.reward, self.evaluation.position_weights
        of_slates = slate_rewards(log, name)
        try:
            by_slot = np.where(self.shown, item_rewards(log, name), 0.0)
        except EstimationError:
            if "slot_rewards" in self.evaluation.needs or alpha is not None:
                raise
            return of_slates, None
        if alpha is not None:
            by_slot = by_slot * check_position_weights(alpha, by_slot.shape[1])
        return by_slot.sum(axis=1), by_slot

    @cached_property
    def slot_weights(self) -> Floats:
        """w_k, ``(B, K)``."""
        pi = self._of_items(slate_policies.item_propensities, self.evaluation.policy)
        return probability_ratio(pi, self._marginals, shown=self.shown, first_row=self.first)

    @cached_property
    def prefix_weights(self) -> Floats:
        """w_1:k, ``(B, K)``."""
        slots, logging = self.problem.slate_size, self.evaluation.logging_policy
        if slots > 1:
            refuse_balanced(self.log, self.first)
        if self.log.prefix_propensity is not None:
            mu = self.log.prefix_propensity
        elif self.evaluation.logging == "independent" or slots == 1:
            mu = running_product(np.where(self.shown, self._marginals, 1.0))
        elif logging is None:
            raise EstimationError(
                "The log has no probabilities of the first k items of a slate. Give the policy "
                "that made the log as logging, or logging='independent' if it filled every "
                "position independently."
            )
        else:
            mu = self._of_items(slate_policies.prefix_propensities, logging)
        name = "prefix propensity" if slots > 1 else "propensity"
        return probability_ratio(self._prefixes, mu, name=name, first_row=self.first)

    @cached_property
    def slate_weights(self) -> Floats:
        """w_1:K, ``(B,)``."""
        mu = self.log.slate_propensity
        if mu is None:
            return self.prefix_weights[:, -1]
        pi = self._prefixes[:, -1]
        return probability_ratio(pi, mu, name="slate propensity", first_row=self.first)

    @cached_property
    def additive_weights(self) -> tuple[Floats, Bools]:
        """Pseudo-inverse weights, and where the log determines the value, ``(B,)`` each."""
        if self.evaluation.logging == "independent":
            return product_weights(self.slot_weights), np.ones(len(self), dtype=np.bool_)
        logging = self.evaluation.logging_policy
        if logging is None:
            raise EstimationError(
                "The pseudo-inverse estimator needs the policy that made the log as logging, or "
                "logging='independent' if it filled every position independently."
            )
        if not self.shown.all():
            row = int(np.argmin(self.shown.all(axis=1))) + self.first
            raise EstimationError(
                f"row {row}: the slate has an empty position, but the pseudo-inverse estimator "
                "needs full slates."
            )
        index = slate_policies.candidate_index(
            self.obs["candidates"], self.items, first_row=self.first
        )
        return slate_policies.additive_weights(logging, self.obs, index, self.policy_marginals)

    @cached_property
    def _marginals(self) -> Floats:
        """Probability of each item at its position under the logging policy, ``(B, K)``."""
        logging = self.evaluation.logging_policy
        if self.log.propensity is not None:
            return self.log.propensity
        if logging is None:
            raise EstimationError(
                "The log has no propensities of items: log them, or give the policy that made the "
                "log as logging."
            )
        return self._of_items(slate_policies.item_propensities, logging)

    @cached_property
    def _prefixes(self) -> Floats:
        """Probability of every prefix under the evaluated policy, ``(B, K)``."""
        return self._of_items(slate_policies.prefix_propensities, self.evaluation.policy)

    def _of_items(self, function: Callable[..., Floats], policy: Policy) -> Floats:
        """Return some probability of the items shown under a policy, ``(B, K)``."""
        return function(policy, self.obs, self.items, first_row=self.first)
