"""The probabilities of slates that an evaluated policy, or the logging policy, must compute.

Agents may have the methods named here. `recsim.estimators.slates.explicit_policies` has policies
with all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from recsim.arrays import Bools, Floats, Ints
from recsim.errors import EstimationError
from recsim.estimators import policies
from recsim.estimators.policies import name_of
from recsim.estimators.slates.distribution import SlateDistribution
from recsim.estimators.slates.pseudo_inverse import pseudo_inverse_weights
from recsim.estimators.weights import running_product

Observation = Mapping[str, Any]
AdditiveWeights = tuple[Floats, Bools]

# Entries of all matrices Gamma that are kept at a time: 128 MB.
_MATRIX_ENTRIES = 2**24


@runtime_checkable
class HasPrefixPropensities(Protocol):
    """A policy that knows the probability of the first items of a slate; agents may have this."""

    def prefix_propensities(self, obs: Observation, items: Ints) -> Floats | None:
        """Return the probability that the first k positions hold the first k of ``items`` (B, K).

        Args:
            obs: Observations of B users.
            items: Item ids, -1 where a position is empty, which has probability 1.

        Returns:
            ``(B, K)``, the last column for the whole slate; None where not known.
        """
        ...


@runtime_checkable
class HasSlateDistribution(Protocol):
    """A policy that can list every slate with its probability; agents may have this."""

    def slate_distribution(self, obs: Observation) -> SlateDistribution | None:
        """Return the distribution of the slates shown to each of B users; None if not known."""
        ...


@runtime_checkable
class HasAdditiveWeights(Protocol):
    """A logging policy that computes its pseudo-inverse weights without a matrix."""

    def additive_weights(self, obs: Observation, slates: Ints, target: Floats) -> AdditiveWeights:
        """Return the same as `pseudo_inverse_weights`.

        Args:
            obs: Observations of B users.
            slates: Logged slates, candidate indices, ``(B, K)``.
            target: The evaluated policy's marginals, ``(B, K, C)``.
        """
        ...


def prefix_propensities(
    policy: policies.Policy, obs: Observation, items: Ints, *, first_row: int = 0
) -> Floats:
    """Return the probability of every prefix of the slates under a policy, ``(B, K)``.

    A policy without the method must be deterministic, or slates must hold one item.

    Args:
        policy: The policy.
        obs: Observations of B users.
        items: Item ids, ``(B, K)``, -1 where the position is empty.
        first_row: Number of the first row, for messages.

    Raises:
        EstimationError: If the policy does not know.
    """
    if isinstance(policy, HasPrefixPropensities):
        answer = policy.prefix_propensities(obs, items)
        if answer is not None:
            there, what = items >= 0, "prefix propensities"
            return policies.checked(
                policy, answer, items.shape, there=there, first_row=first_row, what=what
            )
    distribution = _distribution(policy, obs)
    if distribution is not None and (items >= 0).all():
        return distribution.prefix_probabilities(
            candidate_index(obs["candidates"], items, first_row=first_row)
        )
    alone = policies.propensities(policy, obs, items, first_row=first_row)
    alone = np.where(items < 0, 1.0, alone)
    certain = ((alone == 0) | (alone == 1)).all()
    if items.shape[1] > 1 and not certain:
        raise EstimationError(
            f"{name_of(policy)} knows the probability of each item at its position, but not of a "
            "whole slate: it needs a method prefix_propensities(obs, items)."
        )
    return running_product(alone)


def item_propensities(
    policy: policies.Policy, obs: Observation, items: Ints, *, first_row: int = 0
) -> Floats:
    """Return the probability of each item at its position under a policy, ``(B, K)``.

    A policy that only knows whole slates must be able to list them.

    Args:
        policy: The policy.
        obs: Observations of B users.
        items: Item ids, ``(B, K)``, -1 where the position is empty.
        first_row: Number of the first row, for messages.

    Raises:
        EstimationError: If the policy does not know.
    """
    try:
        return policies.propensities(policy, obs, items, first_row=first_row)
    except policies.UnknownProbabilities:
        distribution = _distribution(policy, obs)
        if distribution is None:
            raise
    # Empty positions get the index of any candidate.
    filled = np.where(items < 0, obs["candidates"][:, :1], items)
    index = candidate_index(obs["candidates"], filled, first_row=first_row)
    own = distribution.marginals()
    chances: Floats = np.take_along_axis(own, index[:, :, None], axis=2)[:, :, 0]
    return chances


def marginals(
    policy: policies.Policy, obs: Observation, slots: int, *, first_row: int = 0
) -> Floats:
    """Return the probability of every candidate at every position under a policy, ``(B, K, C)``.

    Args:
        policy: The policy.
        obs: Observations of B users.
        slots: K.
        first_row: Number of the first row, for messages.

    Raises:
        EstimationError: If the policy does not know.
    """
    try:
        return policies.action_probabilities(policy, obs, slots, first_row=first_row)
    except policies.UnknownProbabilities:
        distribution = _distribution(policy, obs)
        if distribution is None:
            raise
        return distribution.marginals()


def additive_weights(
    logging: policies.Policy | HasAdditiveWeights, obs: Observation, slates: Ints, target: Floats
) -> AdditiveWeights:
    """Return the pseudo-inverse weights of logged slates, and whether the log determines the value.

    One matrix is inverted for every row, or a single one if the logging policy is the same in all.

    Args:
        logging: The policy that made the log: one with `HasAdditiveWeights`, or whose slates can
            be enumerated.
        obs: Observations of B users.
        slates: Logged slates, candidate indices, ``(B, K)``.
        target: The evaluated policy's marginals, ``(B, K, C)``.

    Raises:
        EstimationError: If the logging policy can do neither.
    """
    if isinstance(logging, HasAdditiveWeights):
        return logging.additive_weights(obs, slates, target)
    distribution = _distribution(logging, obs)
    if distribution is None:
        raise EstimationError(
            f"{name_of(logging)}, the logging policy, cannot list its slates: the pseudo-inverse "
            "estimator needs its method slate_distribution(obs)."
        )
    chance, listed = distribution.probabilities, distribution.slates
    if (chance == chance[:1]).all():  # one matrix for all rows
        common = SlateDistribution(listed, chance[:1], distribution.num_candidates)
        return pseudo_inverse_weights(slates, target, common.second_moments().sum(axis=0))
    size = slates.shape[1] * distribution.num_candidates
    step = max(1, _MATRIX_ENTRIES // (max(size, len(listed)) * size))
    weights, known = np.empty(len(slates)), np.empty(len(slates), dtype=np.bool_)
    for start in range(0, len(slates), step):
        rows = slice(start, start + step)
        part = SlateDistribution(listed, chance[rows], distribution.num_candidates)
        weights[rows], known[rows] = pseudo_inverse_weights(
            slates[rows], target[rows], part.second_moments()
        )
    return weights, known


def next_probabilities(policy: policies.Policy, obs: Observation, items: Ints) -> Floats:
    """Return the probability of every candidate at position k after the first k-1 of ``items``.

    Args:
        policy: A policy that knows its prefix probabilities. Unless it has a method
            ``next_probabilities(obs, items)`` they are computed for one candidate after the other.
        obs: Observations of B users.
        items: Item ids, ``(B, K)``.

    Returns:
        ``(B, K, C)``; zeros where the policy never shows the items before.

    Raises:
        EstimationError: If the policy does not know.
    """
    own = getattr(policy, "next_probabilities", None)
    if own is not None:
        shape = (*items.shape, obs["candidates"].shape[1])
        return policies.checked(policy, own(obs, items), shape, what="next probabilities")
    candidates = obs["candidates"]
    (batch, slots), size = items.shape, candidates.shape[1]
    policies.check_candidates(policy, size, "next_probabilities(obs, items)")
    begun = np.ones((batch, slots))
    begun[:, 1:] = prefix_propensities(policy, obs, items)[:, :-1]
    answer = np.zeros((batch, slots, size))
    for slot in range(slots):
        for column in range(size):
            other = items.copy()
            other[:, slot] = candidates[:, column]
            reached = prefix_propensities(policy, obs, other)[:, slot]
            answer[:, slot, column] = np.divide(
                reached, begun[:, slot], out=np.zeros(batch), where=begun[:, slot] > 0
            )
    return answer


def candidate_index(candidates: Ints, items: Ints, *, first_row: int = 0) -> Ints:
    """Return the index of each item among its row's candidates, ``(B, K)``.

    Args:
        candidates: Item ids, ``(B, C)``.
        items: Item ids, ``(B, K)``.
        first_row: Number of the first row, for messages.

    Raises:
        EstimationError: If an item is not among them; names the row.
    """
    width = candidates.shape[1]
    if candidates.strides[0] == 0 or (candidates == candidates[:1]).all():
        order = np.argsort(candidates[0], kind="stable")  # one list for all rows
        place = np.minimum(np.searchsorted(candidates[0], items, sorter=order), width - 1)
        index: Ints = order[place]
    else:
        index = np.argmax(candidates[:, None, :] == items[:, :, None], axis=2)
    wrong = np.take_along_axis(candidates, index, axis=1) != items
    if wrong.any():
        row, position = np.argwhere(wrong)[0]
        raise EstimationError(
            f"row {first_row + row}, position {position}: item {items[row, position]} is not a "
            "candidate."
        )
    return index


def _distribution(policy: Any, obs: Observation) -> SlateDistribution | None:
    if not isinstance(policy, HasSlateDistribution):
        return None
    return policy.slate_distribution(obs)
