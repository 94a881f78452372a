"""Policies that are written with the names of items and users instead of their numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Floats, Ints
from recsim.errors import EstimationError, UserError
from recsim.estimators.policies import Policy
from recsim.estimators.slates.explicit_policies import IndependentSlots
from recsim.log import SlateLog
from recsim.problem import Names, Problem

# Keys of an observation that hold items.
_ITEMS = ("candidates", "history_items")
# Methods of a policy whose second argument, if any, are items (B, K).
_METHODS = ("action_probabilities", "prefix_propensities")
# Sums of probabilities that people write may miss 1 by this much.
_ROUNDING = 1e-6


def by_name(policy: Any, log: SlateLog | Problem) -> Policy:
    """Return a policy for `evaluate` and its relatives from one that is written with names.

    Args:
        policy: A mapping from the names of items to probabilities that sum to 1, which hold for
            every user and, in slates of several items, at every position independently. Or a
            function ``(obs, items) -> (B, K)``, or an object with such a method ``propensities``
            and, if it knows them, ``action_probabilities`` and ``prefix_propensities``. These
            receive names: ``items`` (B, K) and ``candidates`` and ``history_items`` of ``obs`` hold
            names, None at padding, and so does ``user`` if the log names its users.
        log: The log that the policy is evaluated on, or its problem.

    Raises:
        EstimationError: If the log has no names of items, a name is unknown, or the probabilities
            of a mapping are not probabilities that sum to 1.
    """
    problem = log.problem if isinstance(log, SlateLog) else log
    if problem.item_names is None:
        raise EstimationError(
            "the log has no names of items, so a policy cannot be written with them: write it with "
            f"the numbers 0 ... {problem.num_items - 1}, without by_name."
        )
    if isinstance(policy, Mapping):
        return ItemDistribution(policy, problem.item_names, problem)
    named = policy.propensities if hasattr(policy, "propensities") else policy
    if not callable(named):
        raise EstimationError(
            f"by_name takes a mapping from names to probabilities, a function of observations and "
            f"items, or a policy, not {policy!r}."
        )
    return NamedPolicy(policy, named, problem)


class NamedPolicy:
    """A policy that receives names; see `by_name`.

    Args:
        policy: The policy.
        propensities: Its function of observations and items.
        problem: A problem with names of items.
    """

    def __init__(self, policy: Any, propensities: Callable[..., Any], problem: Problem) -> None:
        assert problem.item_names is not None
        self._items, self.problem = problem.item_names, problem
        self._propensities = propensities
        self.policy_name: str = getattr(policy, "__name__", type(policy).__name__)
        for method in _METHODS:  # what the policy lacks, this one must lack too
            if hasattr(policy, method):
                setattr(self, method, self._translated(getattr(policy, method)))

    def propensities(self, obs: Mapping[str, Any], items: Ints) -> Floats | None:
        """Return the probability of each of ``items`` (B, K) at its position, or None."""
        answer: Floats | None = self._translated(self._propensities)(obs, items)
        return answer

    def _translated(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(obs: Mapping[str, Any], *items: Ints) -> Any:
            return function(_Named(obs, self.problem), *(self._items.at(one) for one in items))

        return call


class _Named(Mapping[str, Any]):
    """An observation with names in place of numbers, translated when they are read."""

    def __init__(self, obs: Mapping[str, Any], problem: Problem) -> None:
        self._obs, self._problem = obs, problem

    def __getitem__(self, key: str) -> NDArray[Any]:
        values: NDArray[Any] = self._obs[key]
        if key in _ITEMS and self._problem.item_names is not None:
            return self._problem.item_names.at(values)
        if key == "user" and self._problem.user_names is not None:
            return self._problem.user_names.at(values)
        return values

    def __iter__(self) -> Iterator[str]:
        return iter(self._obs)

    def __len__(self) -> int:
        return len(self._obs)


class ItemDistribution(IndependentSlots):
    """A policy that draws every position from one distribution over items; see `by_name`.

    Args:
        probabilities: By name of the item.
        items: Names of all items.
        problem: The problem of the log.
    """

    def __init__(self, probabilities: Mapping[Any, float], items: Names, problem: Problem) -> None:
        chances = _chances(probabilities, items)  # (I,)
        self.problem = problem

        def table(obs: Mapping[str, Any]) -> Floats:
            every = chances[obs["candidates"]]  # (B, C)
            return np.broadcast_to(every[:, None], (len(every), problem.slate_size, every.shape[1]))

        super().__init__(table)


def _chances(probabilities: Mapping[Any, float], items: Names) -> Floats:
    """Return probabilities by number of the item, ``(I,)``; they are checked."""
    try:
        numbers = items.numbers(list(probabilities))
    except UserError as error:
        raise EstimationError(f"policy: {error}") from error
    chances = np.zeros(len(items))
    try:
        chances[numbers] = np.array(list(probabilities.values()), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EstimationError(f"policy: the probabilities are no numbers: {error}.") from error
    if not (chances >= 0).all() or abs(chances.sum() - 1) > _ROUNDING:
        raise EstimationError(
            f"policy: the probabilities must be 0 or more and sum to 1, not {chances.sum():.6g}."
        )
    return chances
