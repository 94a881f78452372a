"""Stochastic policies: slates follow the Plackett-Luce distribution of candidates' scores."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from agents.shared import slates
from agents.shared.base import BaseSlateAgent
from agents.shared.randomised import Randomised
from recsim.arrays import Floats, Ints
from recsim.contracts.slates import Decision, Observation
from recsim.draws import Purpose
from recsim.estimators import PlackettLuceSlates, SlateDistribution

NOISE = Purpose("noise of candidates")


class PlackettLuce(Randomised, BaseSlateAgent, ABC):
    """An agent that draws slates from a logit for every candidate.

    Propensities are exact: of the whole slate and its prefixes always; of an item at its position
    if slates have one item, else None. The marginals of longer slates are sums over all orders; if
    there are few slates, `slate_distribution` lists them.
    """

    @abstractmethod
    def _logits_of(self, obs: Observation) -> Floats:
        """Return the logit of every candidate, ``(B, C)``, and change nothing."""

    def _draw(self, logits: Floats) -> Decision:
        """Draw a slate for every row of logits, ``(B, C)``."""
        noise = self._draws.next(len(logits)).gumbel(NOISE, logits.shape[1])
        chosen = slates.top_slates(logits + noise, self._slate_size)
        prefixes = prefix_propensities(logits, chosen)
        alone = prefixes if self._slate_size == 1 else None
        return Decision(chosen, alone, prefixes[:, -1], prefixes)

    def propensities(self, obs: Observation, items: Ints) -> Floats | None:
        """Return the probability of each item with slates of one item, else None."""
        if self._slate_size > 1:
            return None
        same = items == obs["candidates"]  # (B, 1) and (B, C) -> (B, C)
        chance = softmax(self._logits_of(obs))
        return np.where(items < 0, 1.0, (chance * same).sum(axis=1, keepdims=True))

    def action_probabilities(self, obs: Observation) -> Floats | None:
        """Return the probability of every candidate with slates of one item, else None."""
        if self._slate_size > 1:
            return None
        return softmax(self._logits_of(obs))[:, None, :]  # (B, C) -> (B, 1, C)

    def prefix_propensities(self, obs: Observation, items: Ints) -> Floats:
        """Return the exact probability of the first k items, ``(B, K)``.

        Empty positions at the end have probability 1; a slate that repeats an item has 0.
        """
        return self._luce(obs).prefix_propensities(obs, items)

    def slate_distribution(self, obs: Observation) -> SlateDistribution:
        """Return all slates and their exact probabilities.

        Raises:
            UserError: If they are too many.
        """
        return self._luce(obs).slate_distribution(obs)

    def next_probabilities(self, obs: Observation, items: Ints) -> Floats:
        """Return the probability of every candidate at k after the first k-1 items, (B, K, C)."""
        return self._luce(obs).next_probabilities(obs, items)

    def _luce(self, obs: Observation) -> PlackettLuceSlates:
        logits = self._logits_of(obs)
        return PlackettLuceSlates(lambda _: logits, self._slate_size)


class PlackettLuceOrBest(PlackettLuce, ABC):
    """A `PlackettLuce` agent that can also show the best slate, with probabilities of 0 and 1."""

    @property
    @abstractmethod
    def _stochastic(self) -> bool:
        """Whether slates are drawn; otherwise each user gets the items with the largest logits."""

    def act(self, obs: Observation) -> Decision:
        """Draw a slate for every user, or show them the best one."""
        if self._stochastic:
            return self._draw(self._logits_of(obs))
        best = self._best(obs)
        return Decision(best, np.ones(best.shape), np.ones(len(best)), np.ones(best.shape))

    def _best(self, obs: Observation) -> Ints:
        return slates.top_slates(self._logits_of(obs), self._slate_size)

    def propensities(self, obs: Observation, items: Ints) -> Floats | None:
        """Return the probability of each item at its position if it is known, else None."""
        if self._stochastic:
            return super().propensities(obs, items)
        own = np.take_along_axis(obs["candidates"], self._best(obs), axis=1)
        return slates.matches(own, items)

    def action_probabilities(self, obs: Observation) -> Floats | None:
        """Return the probability of every candidate at every position if known, else None."""
        if self._stochastic:
            return super().action_probabilities(obs)
        return slates.one_hot(self._best(obs), obs["candidates"].shape[1])

    def prefix_propensities(self, obs: Observation, items: Ints) -> Floats:
        """Return the exact probability of the first k items, ``(B, K)``."""
        if self._stochastic:
            return super().prefix_propensities(obs, items)
        alone = self.propensities(obs, items)
        assert alone is not None
        prefixes: Floats = np.cumprod(alone, axis=1, dtype=np.float64)
        return prefixes

    def slate_distribution(self, obs: Observation) -> SlateDistribution:
        """Return all possible slates and their exact probabilities.

        Raises:
            UserError: If there are too many slates.
        """
        if self._stochastic:
            return super().slate_distribution(obs)
        listed, own = np.unique(self._best(obs), axis=0, return_inverse=True)
        chance = np.eye(len(listed))[own.reshape(-1)]  # (B, S)
        return SlateDistribution(listed, chance, obs["candidates"].shape[1])

    def next_probabilities(self, obs: Observation, items: Ints) -> Floats:
        """Return the probability of every candidate at k after the first k-1 items, (B, K, C)."""
        if self._stochastic:
            return super().next_probabilities(obs, items)
        reached = np.ones(items.shape)
        reached[:, 1:] = self.prefix_propensities(obs, items)[:, :-1]
        table = slates.one_hot(self._best(obs), obs["candidates"].shape[1])
        return table * reached[:, :, None]


def softmax(logits: Floats) -> Floats:
    """Probabilities proportional to ``exp(logits)`` in each row, ``(B, C)``."""
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    chance: Floats = weights / weights.sum(axis=1, keepdims=True)
    return chance


def entropy(logits: Floats) -> Floats:
    """Return the entropy of `softmax` in each row, in nats, ``(B, C) -> (B,)``."""
    chance = softmax(logits)
    known = np.where(chance > 0, chance, 1.0)
    total: Floats = -(chance * np.log(known)).sum(axis=1)
    return total


def temperatures_of_entropy(logits: Floats, wanted: Floats) -> Floats:
    """Return the temperature at which each row has a certain entropy, ``(B, 1)``.

    Args:
        logits: ``(B, C)``; entries of -inf stay without probability.
        wanted: The entropy in nats, ``(B,)``. If a row cannot reach it because its largest logits
            are equal, the nearest temperature between 1e-6 and 1e6 times its range is returned.
    """
    finite = np.isfinite(logits)
    least = np.where(finite, logits, np.inf).min(axis=1)
    most = np.where(finite, logits, -np.inf).max(axis=1)
    scale = np.where(most > least, most - least, 1.0)[:, None]
    low, high = np.full(scale.shape, -6.0), np.full(scale.shape, 6.0)
    for _ in range(40):  # bisection of the exponent: the entropy rises with the temperature
        middle = (low + high) / 2
        above = entropy(logits / (scale * 10**middle)) > wanted
        high = np.where(above[:, None], middle, high)
        low = np.where(above[:, None], low, middle)
    found: Floats = scale * 10 ** ((low + high) / 2)
    return found


def slate_propensities(logits: Floats, chosen: Ints) -> Floats:
    """Plackett-Luce probability of ordered slates, ``(B,)``; see `prefix_propensities`."""
    return prefix_propensities(logits, chosen)[:, -1]


def prefix_propensities(logits: Floats, chosen: Ints) -> Floats:
    """Plackett-Luce probability of the first k items of ordered slates, ``(B, K)``.

    Args:
        logits: Scores over temperature of every candidate, ``(B, C)``.
        chosen: Indices of candidates, distinct in a row, ``(B, K)``.
    """
    picked = np.take_along_axis(logits, chosen, axis=1)  # (B, K)
    others = logits.copy()
    np.put_along_axis(others, chosen, -np.inf, axis=1)
    # Log-sum-exp of the items that remain before pick k: first those never picked, then the last
    # pick, the last but one, ...
    left = np.concatenate([np.logaddexp.reduce(others, axis=1)[:, None], picked[:, ::-1]], axis=1)
    left = np.logaddexp.accumulate(left, axis=1)[:, :0:-1]  # (B, K + 1) -> (B, K)
    prefixes: Floats = np.exp(np.cumsum(picked - left, axis=1))
    return prefixes
