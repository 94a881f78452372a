"""The probabilities that an evaluated policy, or a logging policy, must be able to compute."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from recsim.arrays import Bools, Floats, Ints
from recsim.errors import EstimationError
from recsim.estimators.rows import Rows

# Probabilities, and sums of them, may exceed 1 by rounding.
_SLACK = 1e-6
# Less is missing from the sum by rounding in float32, more by an error of the policy.
_MISSING = 1e-3
# Most candidates of a policy that can only compute the probability of one item at a time.
MOST_CANDIDATES = 200
# Largest relative difference between logged propensities and those of a logging policy: more than
# rounding in a file, less than another policy.
AGREEMENT = 1e-3

PropensityFunction = Callable[[Mapping[str, Any], Ints], "Floats | None"]


class WrongProbabilities(EstimationError):
    """A policy returned something else than probabilities, which another method would not mend."""


class UnknownProbabilities(EstimationError):
    """A policy cannot compute the probabilities that were wanted; another method may know them."""


@runtime_checkable
class HasPropensities(Protocol):
    """Anything that knows the probability of showing given items; every agent has the method."""

    def propensities(self, obs: Mapping[str, Any], items: Ints) -> Floats | None:
        """Return the probability of each of ``items`` (B, K) at its position.

        Args:
            obs: Observations of B users, see `SlateLog.observations`.
            items: Item ids, -1 where the position is empty.

        Returns:
            ``(B, K)``; None where they are not known.
        """
        ...


@runtime_checkable
class HasActionProbabilities(Protocol):
    """A policy that knows the probability of every candidate; agents may have the method."""

    def action_probabilities(self, obs: Mapping[str, Any]) -> Floats | None:
        """Return the probability of each of ``obs["candidates"]`` (B, C) at each position.

        Returns:
            ``(B, K, C)``; None where they are not known.
        """
        ...


Policy = HasPropensities | PropensityFunction


def name_of(policy: Policy) -> str:
    """Return the name of a policy in messages."""
    if not isinstance(policy, HasPropensities):
        return repr(policy)
    named: str = getattr(policy, "policy_name", type(policy).__name__)
    return named


def propensities(
    policy: Policy, obs: Mapping[str, Any], items: Ints, *, first_row: int = 0
) -> Floats:
    """Return the probability that a policy shows items, checked.

    Args:
        policy: The policy.
        obs: Observations of B users.
        items: Item ids, ``(B, K)``, -1 where the position is empty.
        first_row: Number of the first row, for messages.

    Returns:
        ``(B, K)``; meaningless at empty positions.

    Raises:
        EstimationError: If the policy does not know its probabilities, or returns something else
            than probabilities.
    """
    function = policy.propensities if isinstance(policy, HasPropensities) else policy
    if not callable(function):
        raise UnknownProbabilities(
            f"{policy!r} is not a policy: give an agent, such as agents.make(...), or a function "
            "of observations and items; for logging=, also what estimate_logging(log) returns."
        )
    answer = function(obs, items)
    if answer is None:
        raise UnknownProbabilities(
            f"{name_of(policy)} does not know the probability of what it shows. To evaluate it on "
            "a log, estimate its probabilities from draws: 'draws: 100' in a scenario, "
            "SampledPolicy(agent) in Python."
        )
    return checked(policy, answer, items.shape, there=items >= 0, first_row=first_row)


def checked(
    policy: Policy,
    answer: Any,
    shape: tuple[int, ...],
    *,
    there: Bools | None = None,
    first_row: int = 0,
    what: str = "propensities",
) -> Floats:
    """Return probabilities that a policy computed.

    Args:
        policy: The policy.
        answer: What it returned.
        shape: ``(B, K)`` or ``(B, K, C)``.
        there: Where the entries count, of the same shape; None for all.
        first_row: Number of the first row, for messages.
        what: What they are, for messages.

    Raises:
        WrongProbabilities: If they have another shape, or are not numbers from 0 to 1.
    """
    found = numbers(policy, answer)
    if found.shape != shape:
        raise WrongProbabilities(
            f"{name_of(policy)} returned {what} of shape {found.shape}; they must have {shape}."
        )
    wrong = ~((found >= 0) & (found <= 1 + _SLACK))
    if there is not None:
        wrong &= there
    if wrong.any():
        row, position, *_ = place = np.argwhere(wrong)[0]
        raise WrongProbabilities(
            f"{name_of(policy)} returned {found[tuple(place)]} as a probability, for row "
            f"{first_row + row}, position {position}; it must be from 0 to 1."
        )
    return found


def numbers(policy: Policy, answer: Any) -> Floats:
    """Return what a policy answered as float64."""
    try:
        numbers: Floats = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise WrongProbabilities(
            f"{name_of(policy)} returned a {type(answer).__name__} that holds no array of "
            f"probabilities: {error}."
        ) from error
    return numbers


def knows_actions(policy: Policy) -> bool:
    """Return whether a policy has a method for the probability of every candidate."""
    return isinstance(policy, HasActionProbabilities)


def knows_only_logged(policy: Policy) -> bool:
    """Return whether a policy knows the probabilities of the logged items and no others."""
    return bool(getattr(policy, "only_logged", False))


def is_estimated(policy: Policy) -> bool:
    """Return whether a policy's probabilities are estimates of those of another policy."""
    return bool(getattr(policy, "estimated", False))


def doubts(policy: Policy | str | None) -> tuple[str, ...]:
    """Return reasons to doubt every value that rests on a logging policy, if it gives any."""
    return tuple(getattr(policy, "warnings", ()))


def check_candidates(policy: Policy, size: int, method: str) -> None:
    """Refuse to compute the probability of too many candidates one by one.

    Args:
        policy: The policy.
        size: Number of candidates.
        method: The method that would compute all of them at once, for the message.

    Raises:
        EstimationError: If there are more than `MOST_CANDIDATES`.
    """
    if size > MOST_CANDIDATES:
        raise UnknownProbabilities(
            f"{name_of(policy)} can only compute the probability of one of its {size} candidates "
            f"at a time; with more than {MOST_CANDIDATES} it needs a method {method}."
        )


def action_probabilities(
    policy: Policy, obs: Mapping[str, Any], slots: int, *, first_row: int = 0
) -> Floats:
    """Return the probability of every candidate at every position, checked.

    A policy that only has `propensities` is called for one candidate after the other, if there are
    few.

    Args:
        policy: The policy.
        obs: Observations of B users with C candidates.
        slots: Positions, K.
        first_row: Number of the first row, for messages.

    Returns:
        ``(B, K, C)``; may be read-only.

    Raises:
        EstimationError: If the policy does not know, would have to be called too often, or returns
            something else than probabilities that sum to 1.
    """
    candidates = obs["candidates"]
    batch, size = candidates.shape
    answer = None
    if isinstance(policy, HasActionProbabilities):
        answer = policy.action_probabilities(obs)
    if answer is None:
        if knows_only_logged(policy):
            raise UnknownProbabilities(
                f"of the policy {name_of(policy)!r} the log has only the probabilities of the "
                "items shown. Estimators with a reward model need that of every candidate: use "
                "'ips', 'snips' or 'clipped_ips', or give the policy itself."
            )
        check_candidates(policy, size, "action_probabilities(obs)")
        answer = np.empty((batch, slots, size))
        for column in range(size):
            items = np.broadcast_to(candidates[:, column : column + 1], (batch, slots))
            answer[:, :, column] = propensities(policy, obs, items, first_row=first_row)
    answer = numbers(policy, answer)
    if answer.shape != (batch, slots, size):
        raise WrongProbabilities(
            f"{name_of(policy)} returned action probabilities {answer.shape}, not "
            f"{(batch, slots, size)}."
        )
    total = answer.sum(axis=2)
    wrong = ~((answer.min(axis=2, initial=0.0) >= 0) & (total <= 1 + _SLACK))
    what = "below 0 or with a sum above 1"
    if not wrong.any() and not is_estimated(policy):
        # Where a policy shows nothing, e.g. because too few candidates are left, all are 0.
        wrong = (total < 1 - _MISSING) & (total > 0)
        what = "that do not sum to 1"
    if wrong.any():
        row, position = np.argwhere(wrong)[0]
        raise WrongProbabilities(
            f"{name_of(policy)} returned action probabilities {what}, for row {first_row + row}, "
            f"position {position}: they sum to {total[row, position]:.6g}."
        )
    return answer


def of_items(table: Floats, obs: Mapping[str, Any], items: Ints) -> Floats:
    """Return the entries of a table of candidates that belong to items.

    Args:
        table: A number for each candidate at each position, ``(B, K, C)``.
        obs: Observations of B users.
        items: Item ids, ``(B, K)``, -1 where the position is empty.

    Returns:
        ``(B, K)``; 0 for items that are not candidates, 1 at empty positions.
    """
    same = obs["candidates"][:, None, :] == items[:, :, None]  # (B, K, C)
    return np.where(items < 0, 1.0, np.where(same, table, 0.0).sum(axis=2))


def logged_propensities(rows: Rows, logging: Policy | None = None) -> Floats:
    """Return the logged propensities of some rows, ``(B, K)``, not checked.

    Args:
        rows: The rows.
        logging: The logging policy, which computes them where the log has none.

    Raises:
        EstimationError: If the log has none and no logging policy is given.
    """
    if rows.log.propensity is not None:
        return rows.log.propensity
    if logging is None:
        raise EstimationError(
            "The log has no propensities, the probabilities with which items were shown, so "
            "another policy cannot be evaluated on it. Name their column, or have them estimated: "
            "'logging: auto' in a scenario, logging=estimate_logging(log) in Python."
        )
    return propensities(logging, rows.obs, rows.items, first_row=rows.first)


def check_agreement(rows: Rows, logging: Policy, every: Floats | None = None) -> None:
    """Refuse a logging policy that contradicts the logged propensities.

    Weights from the one and corrections from the other would not belong together.

    Args:
        rows: The B rows.
        logging: The logging policy.
        every: mu of every candidate, ``(B, K, C)``, if it is known already.

    Raises:
        EstimationError: If a logged propensity and its probability differ by more than
            `AGREEMENT` of the larger one; names the row.
    """
    logged = rows.log.propensity
    if logged is None:
        return
    if every is None:
        own = propensities(logging, rows.obs, rows.items, first_row=rows.first)
    else:
        own = of_items(every, rows.obs, rows.items)
    differ = rows.shown & ~(np.abs(own - logged) <= AGREEMENT * np.maximum(own, logged))
    if differ.any():
        row, position = np.argwhere(differ)[0]
        raise EstimationError(
            f"row {rows.first + row}, position {position}: the logged propensity is "
            f"{logged[row, position]:g}, but the policy given as 'logging' shows this item with "
            f"probability {own[row, position]:g}. Give the policy that made the log, in the state "
            "in which it was then, or use with_propensities(log, logging) to replace the logged "
            "propensities."
        )


class SampledPolicy:
    """A policy whose probabilities are estimated from M slates that it draws for each observation.

    For a stochastic agent that does not know its probabilities. With ``smoothing`` 0 the shares are
    unbiased, and so is IPS, with more variance; an item that is never drawn has probability 0.
    Smoothing adds that many draws of every candidate (and of every ordered choice of k, for the
    first k items), which keeps probabilities above 0 and biases them.

    Args:
        agent: An agent; it is copied, and the original does not change.
        draws: M, slates drawn for each observation.
        smoothing: Draws added for every candidate: 0, or 1 for add-one smoothing.
    """

    estimated = True

    def __init__(self, agent: Any, draws: int = 100, smoothing: float = 0.0) -> None:
        if draws < 1 or smoothing < 0:
            raise EstimationError(
                f"draws must be at least 1 and smoothing at least 0, got {draws} and {smoothing}."
            )
        self._agent = copy.deepcopy(agent)
        self.problem: Any = getattr(agent, "problem", None)
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

    def propensities(self, obs: Mapping[str, Any], items: Ints) -> Floats:
        """Return the share of draws with each of ``items`` (B, K) at its position, 1 at padding."""
        return of_items(self.action_probabilities(obs), obs, items)

    def prefix_propensities(self, obs: Mapping[str, Any], items: Ints) -> Floats:
        """Return the share of draws that begin with the first k of ``items``, ``(B, K)``.

        Empty positions are ignored.
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

    def _drawn(self, obs: Mapping[str, Any]) -> Iterator[Ints]:
        """Yield M slates for every observation, candidate indices ``(B, K)``."""
        self._agent.begin(len(obs["candidates"]))
        for _ in range(self.draws):
            yield self._agent.act(obs).slates
