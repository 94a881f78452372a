"""What an evaluated policy, or the logging one, must be able to say."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from recsim.errors import UserError
from recsim.estimators.impressions.sample import Floats

# Sums of probabilities may exceed 1 by rounding.
_SLACK = 1e-6
# A policy that only knows the probability of one item at a time is asked for so many, not more.
MOST_ASKED = 200

PropensityFunction = Callable[[Mapping[str, Any], NDArray[np.int64]], "Floats | None"]


@runtime_checkable
class HasPropensities(Protocol):
    """Anything that knows how likely it is to show given items; every agent does, or says None."""

    def propensities(self, obs: Mapping[str, Any], items: NDArray[np.int64]) -> Floats | None:
        """Return the probability of each of ``items`` (B, K) at its position, ``(B, K)``.

        Args:
            obs: Observations of B users, see `SlateLog.observations`.
            items: Item ids, -1 where the position is empty.
        """
        ...


@runtime_checkable
class HasActionProbabilities(Protocol):
    """A policy that can say how likely every candidate is, in one go; agents may."""

    def action_probabilities(self, obs: Mapping[str, Any]) -> Floats | None:
        """Return the probability of each of ``obs["candidates"]`` (B, C) at each position.

        Returns:
            ``(B, K, C)``; None where they are not known.
        """
        ...


Policy = HasPropensities | PropensityFunction


def name_of(policy: Policy) -> str:
    """Return how messages call a policy."""
    return type(policy).__name__ if isinstance(policy, HasPropensities) else repr(policy)


def propensities(
    policy: Policy, obs: Mapping[str, Any], items: NDArray[np.int64], *, first_row: int = 0
) -> Floats:
    """Ask a policy for the probability of items, and refuse what cannot be one.

    Args:
        policy: The policy.
        obs: Observations of B users.
        items: Item ids, ``(B, K)``, -1 where the position is empty.
        first_row: Number of the first row, for messages.

    Returns:
        ``(B, K)``; without meaning at empty positions.

    Raises:
        UserError: If the policy does not know.
        ValueError: If what it gives is no probability.
    """
    ask = policy.propensities if isinstance(policy, HasPropensities) else policy
    answer = ask(obs, items)
    if answer is None:
        raise UserError(
            f"{name_of(policy)} does not know the probability of what it shows, so it cannot be "
            "evaluated on a log, unless from draws: see SampledPolicy."
        )
    answer = np.asarray(answer, dtype=np.float64)
    if answer.shape != items.shape:
        raise ValueError(
            f"{name_of(policy)} gave propensities {answer.shape} for items {items.shape}."
        )
    wrong = ~((answer >= 0) & (answer <= 1 + 1e-9)) & (items >= 0)
    if wrong.any():
        row, position = np.argwhere(wrong)[0]
        raise ValueError(
            f"{name_of(policy)} gave {answer[row, position]} as a probability, for row "
            f"{first_row + row}, position {position}."
        )
    return answer


def knows_actions(policy: Policy) -> bool:
    """Return whether a policy offers the probability of every candidate in one go."""
    return isinstance(policy, HasActionProbabilities)


def is_estimated(policy: Policy) -> bool:
    """Return whether a policy's probabilities are estimates of those of another policy."""
    return bool(getattr(policy, "estimated", False))


def action_probabilities(
    policy: Policy, obs: Mapping[str, Any], slots: int, *, first_row: int = 0
) -> Floats:
    """Ask a policy for the probability of every candidate at every position.

    A policy that only knows `propensities` is asked for one candidate after the other, if there are
    few.

    Args:
        policy: The policy.
        obs: Observations of B users with C candidates.
        slots: Positions, K.
        first_row: Number of the first row, for messages.

    Returns:
        ``(B, K, C)``; may be read-only.

    Raises:
        UserError: If the policy does not know, or would have to be asked too often.
        ValueError: If what it gives cannot be probabilities.
    """
    candidates = obs["candidates"]
    batch, size = candidates.shape
    answer = None
    if isinstance(policy, HasActionProbabilities):
        answer = policy.action_probabilities(obs)
    if answer is None:
        if size > MOST_ASKED:
            raise UserError(
                f"{name_of(policy)} would have to be asked for each of {size} candidates; with "
                f"more than {MOST_ASKED} it needs a method action_probabilities(obs)."
            )
        answer = np.empty((batch, slots, size))
        for column in range(size):
            items = np.broadcast_to(candidates[:, column : column + 1], (batch, slots))
            answer[:, :, column] = propensities(policy, obs, items, first_row=first_row)
    answer = np.asarray(answer, dtype=np.float64)
    if answer.shape != (batch, slots, size):
        raise ValueError(
            f"{name_of(policy)} gave action probabilities {answer.shape}, not "
            f"{(batch, slots, size)}."
        )
    total = answer.sum(axis=2)
    wrong = ~((answer.min(axis=2, initial=0.0) >= 0) & (total <= 1 + _SLACK))
    if wrong.any():
        row, position = np.argwhere(wrong)[0]
        raise ValueError(
            f"{name_of(policy)} gave action probabilities that are none, for row "
            f"{first_row + row}, position {position}: they sum to {total[row, position]}."
        )
    return answer


class SampledPolicy:
    """A policy whose probabilities are counted from M slates that it draws for each observation.

    For a stochastic agent that does not know its own. With ``smoothing`` 0 the shares are unbiased,
    and with them IPS, at more variance; what is never drawn has probability 0. Smoothing adds that
    many draws of every candidate (and of every ordered choice of k, for the first k items), which
    keeps probabilities above 0 and biases them.

    Args:
        agent: An agent; a copy of it draws, so that the given one stays as it is.
        draws: M, slates drawn for each observation.
        smoothing: Draws added for every candidate: 0, or 1 for add-one smoothing.
    """

    estimated = True

    def __init__(self, agent: Any, draws: int = 100, smoothing: float = 0.0) -> None:
        if draws < 1 or smoothing < 0:
            raise UserError(
                f"draws must be at least 1 and smoothing at least 0, got {draws} and {smoothing}."
            )
        self._agent = copy.deepcopy(agent)
        self.draws = draws
        self.smoothing = smoothing

    def action_probabilities(self, obs: Mapping[str, Any]) -> Floats:
        """Return the share of draws with each candidate at each position, ``(B, K, C)``."""
        size = obs["candidates"].shape[1]
        counts: Floats | None = None
        for slates in self._drawn(obs):
            if counts is None:
                counts = np.full((*slates.shape, size), float(self.smoothing))
            rows, slots = np.indices(slates.shape)
            counts[rows, slots, slates] += 1
        assert counts is not None
        shares: Floats = counts / (self.draws + self.smoothing * size)
        return shares

    def propensities(self, obs: Mapping[str, Any], items: NDArray[np.int64]) -> Floats:
        """Return the share of draws with each of ``items`` (B, K) at its position, 1 at padding."""
        shares = self.action_probabilities(obs)
        found = obs["candidates"][:, None, :] == items[:, :, None]  # (B, K, C)
        return np.where(items < 0, 1.0, (shares * found).sum(axis=2))

    def prefix_propensities(self, obs: Mapping[str, Any], items: NDArray[np.int64]) -> Floats:
        """Return the share of draws that begin with the first k of ``items``, ``(B, K)``.

        Padding is left out.
        """
        counts = np.zeros(items.shape)
        for slates in self._drawn(obs):
            same = (np.take_along_axis(obs["candidates"], slates, axis=1) == items) | (items < 0)
            counts += np.logical_and.accumulate(same, axis=1)
        if not self.smoothing:
            return counts / self.draws
        size, length = obs["candidates"].shape[1], np.cumsum(items >= 0, axis=1)  # (B, K)
        ways = np.array([math.perm(size, k) for k in range(items.shape[1] + 1)], dtype=np.float64)
        added = np.where(length > 0, self.smoothing, 0.0)
        shares: Floats = (counts + added) / (self.draws + added * ways[length])
        return shares

    def _drawn(self, obs: Mapping[str, Any]) -> Iterator[NDArray[np.int64]]:
        """Yield M slates for every observation, candidate indices ``(B, K)``."""
        self._agent.begin(len(obs["candidates"]))
        for _ in range(self.draws):
            yield self._agent.act(obs).slates
