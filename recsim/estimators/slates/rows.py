"""Rows of a log as the estimators of slates and trajectories see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recsim.errors import UserError, did_you_mean
from recsim.estimators.impressions.policies import Policy
from recsim.estimators.impressions.rows import Log, chunks, positions_of, rewards_of, with_past
from recsim.estimators.impressions.sample import Floats
from recsim.estimators.ratios import probability_ratio
from recsim.estimators.slates import policies as slate_policies
from recsim.estimators.slates.pseudo_inverse import product_weights
from recsim.estimators.slates.sample import check_position_weights
from recsim.estimators.units import Unit, Units
from recsim.log import SlateLog
from recsim.problem import Problem

Logging = Policy | Literal["independent"]

# Matrices and tables of every candidate at every position, at a time: 64 MiB of float64.
_CELLS = 2**23


@dataclass(frozen=True)
class Asked:
    """What an evaluation needs of a log.

    Attributes:
        policy: The evaluated policy.
        logging: What made the log, or None.
        reward: Name of the reward, or None for the scalar one.
        unit: What is independent of the rest.
        history_slates: Slates of history that the policy is shown.
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
            raise UserError(f"Unknown logging {self.logging!r}: give a policy or 'independent'.")


@dataclass(frozen=True, eq=False)
class Rows:
    """B rows of the log, with what was seen before them, as the estimators see them.

    Attributes:
        log: The rows themselves.
        obs: Observations.
        first: Number of the first row.
        asked: What is wanted of them.
        units: Independent unit of every slate, ``(B,)``.
    """

    log: SlateLog
    obs: dict[str, NDArray[Any]]
    first: int
    asked: Asked
    units: NDArray[np.int64]

    @property
    def items(self) -> NDArray[np.int64]:
        """Item ids, ``(B, K)``, -1 where a position is empty."""
        return self.log.slate

    @property
    def shown(self) -> NDArray[np.bool_]:
        """True where an item was shown, ``(B, K)``."""
        return self.log.slate >= 0

    @property
    def positions(self) -> NDArray[np.int64]:
        """Position of each item on the page, ``(B, K)``."""
        return positions_of(self.log)

    @property
    def problem(self) -> Problem:
        """The catalogue."""
        return self.log.problem

    @cached_property
    def policy_marginals(self) -> Floats:
        """Probability of every candidate at every position under the policy, ``(B, K, C)``."""
        slots = self.log.problem.slate_size
        return slate_policies.marginals(self.asked.policy, self.obs, slots, first_row=self.first)

    @cached_property
    def logging_marginals(self) -> Floats | None:
        """The same under the logging policy, ``(B, K, C)``; None where none was given."""
        logging, slots = self.asked.logging, self.log.problem.slate_size
        if logging is None or isinstance(logging, str):
            return None
        return slate_policies.marginals(logging, self.obs, slots, first_row=self.first)

    @cached_property
    def rewards(self) -> tuple[Floats, Floats | None]:
        """Reward of every slate, and of every item if it can be shared out."""
        log, name, alpha = self.log, self.asked.reward, self.asked.position_weights
        if name is not None and name not in log.feedback:
            raise UserError(f"The log has no reward {name!r}.{did_you_mean(name, log.feedback)}")
        try:
            by_slot = np.where(log.slate >= 0, rewards_of(log, name), 0.0)
        except UserError:
            if self.asked.needs & {"slot_weights", "prefix_weights"} or alpha is not None:
                raise
            return (log.reward if name is None else log.feedback[name]), None
        if alpha is not None:
            by_slot = by_slot * check_position_weights(alpha, by_slot.shape[1])
        return by_slot.sum(axis=1), by_slot

    @cached_property
    def slot_weights(self) -> Floats:
        """w_k, ``(B, K)``."""
        pi = slate_policies.item_propensities(
            self.asked.policy, self.obs, self.log.slate, first_row=self.first
        )
        return probability_ratio(
            pi, self._marginals, shown=self.log.slate >= 0, first_row=self.first
        )

    @cached_property
    def prefix_weights(self) -> Floats:
        """w_1:k, ``(B, K)``."""
        slate, logging = self.log.slate, self.asked.logging
        mu: Floats
        if self.log.prefix_propensity is not None:
            mu = self.log.prefix_propensity
        elif logging == "independent" or slate.shape[1] == 1:
            mu = np.cumprod(np.where(slate < 0, 1.0, self._marginals), axis=1).astype(np.float64)
        elif logging is None or isinstance(logging, str):
            raise UserError(
                "The log has no probabilities of the first k items of a slate. Give the policy "
                "that made the log as logging, or logging='independent' if it filled every "
                "position for itself."
            )
        else:
            mu = slate_policies.prefix_propensities(logging, self.obs, slate, first_row=self.first)
        name = "prefix propensity" if slate.shape[1] > 1 else "propensity"
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
    def additive_weights(self) -> tuple[Floats, NDArray[np.bool_]]:
        """Pseudo-inverse weights, and where the log can tell the value, ``(B,)`` each."""
        slate, logging = self.log.slate, self.asked.logging
        if logging == "independent":
            return product_weights(self.slot_weights), np.ones(len(slate), dtype=np.bool_)
        if logging is None or isinstance(logging, str):
            raise UserError(
                "The pseudo-inverse estimator needs the policy that made the log as logging, or "
                "logging='independent' if it filled every position for itself."
            )
        if (slate < 0).any():
            row = int(np.argmax((slate < 0).any(axis=1))) + self.first
            raise UserError(
                f"row {row}: the slate has an empty position, and the pseudo-inverse estimator "
                "takes full slates only."
            )
        index = slate_policies.candidate_index(self.obs["candidates"], slate, first_row=self.first)
        return slate_policies.additive_weights(logging, self.obs, index, self.policy_marginals)

    @cached_property
    def _marginals(self) -> Floats:
        """Probability of each item at its position under the logging policy, ``(B, K)``."""
        logging = self.asked.logging
        if self.log.propensity is not None:
            return self.log.propensity
        if logging is None or isinstance(logging, str):
            raise UserError(
                "The log has no propensities of items: they must be logged, or the policy that "
                "made the log given as logging."
            )
        return slate_policies.item_propensities(
            logging, self.obs, self.log.slate, first_row=self.first
        )

    @cached_property
    def _prefixes(self) -> Floats:
        """Probability of every prefix under the evaluated policy, ``(B, K)``."""
        return slate_policies.prefix_propensities(
            self.asked.policy, self.obs, self.log.slate, first_row=self.first
        )


def row_blocks(log: Log, asked: Asked) -> Iterator[Rows]:
    """Yield the log in blocks of rows."""
    first, units = 0, Units(asked.unit)
    for chunk, joined, start in with_past(chunks(log), asked.history_slates):
        of_rows = units.of(chunk, first)
        cells = chunk.problem.slate_size * chunk.problem.num_candidates
        step = max(1, min(8192, _CELLS // cells))
        for begin in range(0, len(chunk), step):
            rows = np.arange(begin, min(begin + step, len(chunk)))
            obs = joined.observations(start + rows, history_slates=asked.history_slates)
            yield Rows(chunk.select(rows), obs, first + begin, asked, of_rows[rows])
        first += len(chunk)
