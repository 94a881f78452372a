"""Policies over slates with known probabilities.

`UniformSlates`, `IndependentSlots` and `PlackettLuceSlates` compute everything that the slate
estimators need: probabilities of items, prefixes, whole slates and the next item, and the weights
of the pseudo-inverse estimator. They can be the policy that made a log or the evaluated policy, and
draw slates for simulated logs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recsim.arrays import Bools, Floats, Ints
from recsim.errors import EstimationError
from recsim.estimators.policies import of_items
from recsim.estimators.slates.distribution import (
    SlateDistribution,
    draw_plackett_luce,
    plackett_luce,
    plackett_luce_prefixes,
)
from recsim.estimators.slates.policies import AdditiveWeights, Observation, candidate_index
from recsim.estimators.slates.pseudo_inverse import product_weights, uniform_weights
from recsim.estimators.weights import running_product


class UniformSlates:
    """Distinct candidates; all ordered slates have the same probability.

    Args:
        slate_size: K.
    """

    def __init__(self, slate_size: int) -> None:
        self._slots = slate_size

    def draw(self, obs: Observation, rng: np.random.Generator) -> Ints:
        """Draw slates, candidate indices ``(B, K)``."""
        return draw_plackett_luce(rng, np.zeros(obs["candidates"].shape), self._slots)

    def propensities(self, obs: Observation, items: Ints) -> Floats:
        """Return 1/C for every candidate, else 0, and 1 at padding, ``(B, K)``."""
        return np.where(items < 0, 1.0, _offered(obs, items) / obs["candidates"].shape[1])

    def action_probabilities(self, obs: Observation) -> Floats:
        """Return 1/C everywhere, ``(B, K, C)``; read-only."""
        batch, size = obs["candidates"].shape
        return np.broadcast_to(1 / size, (batch, self._slots, size))

    def prefix_propensities(self, obs: Observation, items: Ints) -> Floats:
        """Return (C-k)! / C! for k distinct candidates, else 0, ``(B, K)``, ignoring padding."""
        size = obs["candidates"].shape[1]
        possible = _offered(obs, items) & ~_repeats(items)
        already: Ints = np.cumsum(items >= 0, axis=1) - (items >= 0)
        step = np.where(items < 0, 1.0, possible / np.maximum(size - already, 1))
        return running_product(step)

    def next_probabilities(self, obs: Observation, items: Ints) -> Floats:
        """Return 1 / (C-k+1) for every candidate not yet shown, ``(B, K, C)``."""
        left = ~_shown_before(obs, items)
        following: Floats = left / np.maximum(left.sum(axis=2, keepdims=True), 1)
        return following

    def additive_weights(self, obs: Observation, slates: Ints, target: Floats) -> AdditiveWeights:
        """Return the pseudo-inverse weights in closed form; see `uniform_weights`."""
        return uniform_weights(slates, target), np.ones(len(slates), dtype=np.bool_)


class IndependentSlots:
    """Every position drawn independently, from its own probabilities; items may repeat.

    Args:
        probabilities: From observations to P(candidate c at position k), ``(B, K, C)``, or one
            table ``(K, C)`` for all users.
    """

    def __init__(self, probabilities: Callable[[Observation], Floats] | Floats) -> None:
        self._of = probabilities

    def draw(self, obs: Observation, rng: np.random.Generator) -> Ints:
        """Draw slates, candidate indices ``(B, K)``."""
        upto = np.cumsum(self.action_probabilities(obs), axis=2)
        coin = rng.random(upto.shape[:2])[:, :, None] * upto[:, :, -1:]
        drawn: Ints = (coin >= upto).sum(axis=2)
        return drawn

    def action_probabilities(self, obs: Observation) -> Floats:
        """Return the probabilities, ``(B, K, C)``; may be read-only."""
        if callable(self._of):
            return self._of(obs)
        return np.broadcast_to(self._of, (len(obs["candidates"]), *self._of.shape))

    def propensities(self, obs: Observation, items: Ints) -> Floats:
        """Return the probability of each item at its position, 1 at padding, ``(B, K)``."""
        return of_items(self.action_probabilities(obs), obs, items)

    def prefix_propensities(self, obs: Observation, items: Ints) -> Floats:
        """Return the product of the probabilities so far, ``(B, K)``."""
        return running_product(self.propensities(obs, items))

    def next_probabilities(self, obs: Observation, items: Ints) -> Floats:
        """Return the same as `action_probabilities`: the items before do not matter."""
        return self.action_probabilities(obs)

    def additive_weights(self, obs: Observation, slates: Ints, target: Floats) -> AdditiveWeights:
        """Return the pseudo-inverse weights in closed form; see `product_weights`."""
        own = self.action_probabilities(obs)
        pi = np.take_along_axis(target, slates[:, :, None], axis=2)[:, :, 0]
        mu = np.take_along_axis(own, slates[:, :, None], axis=2)[:, :, 0]
        if not (mu > 0).all():
            row, position = np.argwhere(~(mu > 0))[0]
            raise EstimationError(
                f"row {row}, position {position}: the logged item has probability "
                f"{mu[row, position]} under the logging policy."
            )
        known = ~((target > 0) & (own == 0)).any(axis=(1, 2))
        return product_weights(pi / mu), known


class PlackettLuceSlates:
    """Softmax draws without replacement.

    Args:
        scores: From observations to the score of every candidate, ``(B, C)``.
        slate_size: K.
    """

    def __init__(self, scores: Callable[[Observation], Floats], slate_size: int) -> None:
        self._scores = scores
        self._slots = slate_size

    def draw(self, obs: Observation, rng: np.random.Generator) -> Ints:
        """Draw slates, candidate indices ``(B, K)``."""
        return draw_plackett_luce(rng, self._scores(obs), self._slots)

    def slate_distribution(self, obs: Observation) -> SlateDistribution:
        """Return all slates and their probabilities.

        Raises:
            EstimationError: If there are too many.
        """
        return plackett_luce(self._scores(obs), self._slots)

    def propensities(self, obs: Observation, items: Ints) -> Floats:
        """Return the probability of each item at its position, ``(B, K)``, by enumeration."""
        return of_items(self.action_probabilities(obs), obs, items)

    def action_probabilities(self, obs: Observation) -> Floats:
        """Return the probability of every candidate at every position, by enumeration."""
        return self.slate_distribution(obs).marginals()

    def prefix_propensities(self, obs: Observation, items: Ints) -> Floats:
        """Return the probability of every prefix, ``(B, K)``, without enumerating slates.

        Empty positions at the end have probability 1, items that are not candidates 0.
        """
        empty = items < 0
        known = _offered(obs, items)
        filled = np.where(known, items, obs["candidates"][:, :1])
        index = candidate_index(obs["candidates"], filled)
        prefixes = plackett_luce_prefixes(self._scores(obs), index)
        prefixes = prefixes * np.logical_and.accumulate(known | empty, axis=1)
        last = np.maximum((~empty).sum(axis=1, keepdims=True) - 1, 0)
        after = np.where(empty[:, :1], 1.0, np.take_along_axis(prefixes, last, axis=1))
        return np.where(empty, after, prefixes)

    def next_probabilities(self, obs: Observation, items: Ints) -> Floats:
        """Return the softmax over the candidates not yet shown, ``(B, K, C)``."""
        scores = self._scores(obs)
        chance = np.exp(scores - scores.max(axis=1, keepdims=True))
        left = chance[:, None, :] * ~_shown_before(obs, items)
        total = left.sum(axis=2, keepdims=True)
        following: Floats = left / np.where(total > 0, total, 1.0)
        return following


def _offered(obs: Observation, items: Ints) -> Bools:
    """Return whether each item is a candidate, ``(B, K)``."""
    offered: Bools = (obs["candidates"][:, None, :] == items[:, :, None]).any(axis=2)
    return offered


def _repeats(items: Ints) -> Bools:
    """Return where an item is in the slate already, ``(B, K)``."""
    same = items[:, :, None] == items[:, None, :]
    earlier = np.tri(items.shape[1], k=-1, dtype=np.bool_)
    again: Bools = (same & earlier).any(axis=2)
    return again


def _shown_before(obs: Observation, items: Ints) -> Bools:
    """Return whether each candidate is in the slate before position k, ``(B, K, C)``."""
    own = obs["candidates"][:, None, :] == items[:, :, None]
    before = np.zeros(own.shape, dtype=np.bool_)
    before[:, 1:] = np.logical_or.accumulate(own, axis=1)[:, :-1]
    return before
