"""What a policy would have earned on a log."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from recsim.errors import UserError, did_you_mean
from recsim.estimators.bandit import make_estimator
from recsim.estimators.sample import Floats, Sample
from recsim.estimators.tally import PolicyValue, Tally
from recsim.log import SlateLog
from recsim.log.history import last_rows

Unit = Literal["user", "row"]
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


Policy = HasPropensities | PropensityFunction


def evaluate(
    log: SlateLog | Iterable[SlateLog],
    policy: Policy,
    estimators: Sequence[str] = ("ips", "snips", "clipped_ips"),
    *,
    clip: float = 10.0,
    level: float = 0.95,
    samples: int = 1000,
    seed: int = 0,
    reward: str | None = None,
    unit: Unit = "user",
    history_slates: int = 5,
) -> list[PolicyValue]:
    """Estimate what a policy would have earned per impression, from a log of another policy.

    In a log of slates of several items every item shown is an impression, weighted by the
    propensity of that item at that position; its reward is its own click. That is unbiased if a
    click depends on nothing else in the slate, and for users in the state in which the logging
    policy left them.

    Args:
        log: The log, or its pieces in order, such as `SlateLog.scan` gives.
        policy: The evaluated policy: an agent, or a function of observations and items.
        estimators: Names from `ESTIMATORS`.
        clip: Largest weight that the clipped estimators keep.
        level: Nominal coverage of the bootstrap intervals.
        samples: Bootstrap samples.
        seed: Seed of the bootstrap.
        reward: Name of the reward; by default the weighted sum of the log's problem.
        unit: What is resampled, as independent of the rest: the user with all their rows, or the
            row. The same in an anonymous log.
        history_slates: Slates of history that the policy is shown.

    Returns:
        One value per estimator, in their order.

    Raises:
        UserError: If the log has no propensities, the policy does not know its own, or a name is
            unknown.
    """
    tally = Tally(
        [make_estimator(name, clip=clip) for name in estimators], samples=samples, seed=seed
    )
    for sample in policy_samples(
        log, policy, reward=reward, unit=unit, history_slates=history_slates
    ):
        tally.add(sample)
    return tally.values(level)


def log_value(
    log: SlateLog | Iterable[SlateLog],
    *,
    level: float = 0.95,
    samples: int = 1000,
    seed: int = 0,
    reward: str | None = None,
    unit: Unit = "user",
) -> PolicyValue:
    """Return what the logging policy itself earned per impression: the mean of the log.

    Needs no propensities. For the arguments see `evaluate`.
    """
    mean = dataclasses.replace(make_estimator("ips"), name="logged")
    tally = Tally([mean], samples=samples, seed=seed)
    first_row = 0
    for chunk in _chunks(log):
        shown = chunk.slate >= 0
        rewards = _rewards(chunk, reward)[shown]
        units = _units(chunk, unit, first_row, shown)
        tally.add(Sample(np.ones(len(rewards)), rewards, units))
        first_row += len(chunk)
    return tally.values(level)[0]


def policy_samples(
    log: SlateLog | Iterable[SlateLog],
    policy: Policy,
    *,
    reward: str | None = None,
    unit: Unit = "user",
    history_slates: int = 5,
    batch_rows: int = 8192,
    first_row: int = 0,
) -> Iterator[Sample]:
    """Yield the impressions of a log as the evaluated policy sees them, to add to a `Tally`.

    Args:
        log: The log, or its pieces in order.
        policy: The evaluated policy.
        reward: Name of the reward; by default the weighted sum of the log's problem.
        unit: What bootstrap intervals resample.
        history_slates: Slates of history that the policy is shown.
        batch_rows: Rows that the policy is asked about at a time.
        first_row: Number of the log's first row, where ``log`` is a share of a longer one.

    Raises:
        UserError: See `evaluate`.
    """
    for chunk, joined, start in _with_past(_chunks(log), history_slates):
        if chunk.propensity is None:
            raise UserError(
                "The log has no propensities, so another policy cannot be evaluated on it: the "
                "probability with which each item was shown must be logged."
            )
        rewards = _rewards(chunk, reward)
        for begin in range(0, len(chunk), batch_rows):
            rows = slice(begin, min(begin + batch_rows, len(chunk)))
            obs = joined.observations(
                np.arange(start + rows.start, start + rows.stop), history_slates=history_slates
            )
            items = chunk.slate[rows]
            shown = items >= 0
            probability = _propensities(policy, obs, items, first_row + rows.start)
            weights = probability[shown] / chunk.propensity[rows][shown]
            units = _units(chunk.select(rows), unit, first_row + rows.start, shown)
            yield Sample(weights, rewards[rows][shown], units)
        first_row += len(chunk)


def _chunks(log: SlateLog | Iterable[SlateLog]) -> Iterable[SlateLog]:
    return [log] if isinstance(log, SlateLog) else log


def _with_past(
    chunks: Iterable[SlateLog], history_slates: int
) -> Iterator[tuple[SlateLog, SlateLog, int]]:
    """Yield every piece, the piece with the past of its users before it, and where it starts."""
    past: SlateLog | None = None
    for chunk in chunks:
        if chunk.anonymous or past is None:
            joined = chunk
        else:
            joined = SlateLog.concat([past, chunk], same_users=True)
        yield chunk, joined, len(joined) - len(chunk)
        if not chunk.anonymous:
            past = joined.select(last_rows(joined, max(history_slates, 1)))


def _propensities(
    policy: Policy, obs: Mapping[str, Any], items: NDArray[np.int64], first_row: int
) -> Floats:
    """Ask the policy and refuse what cannot be probabilities, ``(B, K)``."""
    ask = policy.propensities if isinstance(policy, HasPropensities) else policy
    answer = ask(obs, items)
    name = type(policy).__name__ if isinstance(policy, HasPropensities) else repr(policy)
    if answer is None:
        raise UserError(
            f"{name} does not know the probability of what it shows, so it cannot be evaluated on "
            "a log."
        )
    answer = np.asarray(answer, dtype=np.float64)
    if answer.shape != items.shape:
        raise ValueError(f"{name} gave propensities {answer.shape} for items {items.shape}.")
    wrong = ~((answer >= 0) & (answer <= 1 + 1e-9)) & (items >= 0)
    if wrong.any():
        row, position = np.argwhere(wrong)[0]
        raise ValueError(
            f"{name} gave {answer[row, position]} as a probability, for row {first_row + row}, "
            f"position {position}."
        )
    return answer


def _rewards(log: SlateLog, reward: str | None) -> Floats:
    """Return the reward of every item shown, ``(M, K)``."""
    if reward is not None and reward not in log.feedback:
        raise UserError(f"The log has no reward {reward!r}.{did_you_mean(reward, log.feedback)}")
    if log.problem.slate_size == 1:
        return (log.reward if reward is None else log.feedback[reward])[:, None]
    counted = {name for name, weight in log.problem.rewards.items() if weight}
    if reward == "click" or (reward is None and counted == {"click"}):
        weight = 1.0 if reward else log.problem.rewards["click"]
        return weight * log.clicks.astype(np.float64)
    raise UserError(
        f"The reward {reward or ' + '.join(sorted(counted))!r} belongs to a slate of several items "
        "and cannot be shared out among them: use reward='click'."
    )


def _units(
    log: SlateLog, unit: Unit, first_row: int, shown: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the independent unit of every item shown."""
    if unit not in ("user", "row"):
        raise UserError(f"Unknown unit {unit!r}.{did_you_mean(unit, ('user', 'row'))}")
    by_row = unit == "row" or log.anonymous
    numbers = np.arange(first_row, first_row + len(log)) if by_row else log.user
    return np.broadcast_to(numbers[:, None], shown.shape)[shown]
