"""A log as estimators go through it: in blocks of rows, each item shown an impression."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.errors import UserError, did_you_mean
from recsim.estimators.impressions.policies import Policy, propensities
from recsim.estimators.impressions.sample import Floats
from recsim.estimators.units import Unit, Units
from recsim.log import SlateLog
from recsim.log.history import last_rows
from recsim.problem import Problem

Log = SlateLog | Iterable[SlateLog] | str | Path

# How far a logging policy may be from the logged propensities, relative to the larger: rounding in
# a file is let pass, another policy is not.
AGREEMENT = 1e-3

_CELLS = 2**20  # entries of a table of every candidate, at a time (8 MiB of float64)


@dataclass(frozen=True, eq=False)
class Block:
    """B rows of a log, with what was seen before them.

    Attributes:
        obs: Observations, as `SlateLog.observations` gives them.
        items: Item ids, ``(B, K)``, -1 where a position is empty.
        shown: True where an item was shown, ``(B, K)``.
        propensity: Logged propensities, ``(B, K)``, or None. Not checked yet.
        rewards: Reward of each item, ``(B, K)``.
        units: Independent unit of each item, ``(B, K)``.
        whole: Whether no unit of these rows has further rows.
        first_row: Number of the first row in the log.
        problem: The catalogue, and the weights of the rewards.
    """

    obs: dict[str, NDArray[Any]]
    items: NDArray[np.int64]
    shown: NDArray[np.bool_]
    propensity: Floats | None
    rewards: Floats
    units: NDArray[np.int64]
    whole: bool
    first_row: int
    problem: Problem

    @property
    def positions(self) -> NDArray[np.int64]:
        """Position of each item on the page, ``(B, K)``."""
        if "position" in self.obs:
            return self.obs["position"]
        return np.broadcast_to(np.arange(self.items.shape[1]), self.items.shape)


def blocks(
    log: Log,
    *,
    reward: str | None = None,
    unit: Unit = "user",
    history_slates: int = 5,
    batch_rows: int = 8192,
    first_row: int = 0,
    every_candidate: bool = False,
) -> Iterator[Block]:
    """Yield a log in blocks.

    Args:
        log: The log, its pieces in order, or the folder of a saved one, which is read in pieces.
        reward: Name of the reward; by default the weighted sum of the log's problem.
        unit: What is independent of the rest: the user with all their rows, a session, or the row.
        history_slates: Slates of history that observations hold.
        batch_rows: Most rows of a block.
        first_row: Number of the log's first row, where ``log`` is a share of a longer one.
        every_candidate: Whether tables (B, K, C) are to be made of each block, which then has fewer
            rows if there are many candidates.

    Raises:
        UserError: If there is no such reward or unit, or a reward cannot be shared out.
    """
    units = Units(unit)
    for chunk, joined, start in with_past(chunks(log), history_slates):
        of_rows = units.of(chunk, first_row)[:, None]
        rewards = rewards_of(chunk, reward)
        step = batch_rows
        if every_candidate:
            cells = chunk.problem.slate_size * chunk.problem.num_candidates
            step = max(1, min(batch_rows, _CELLS // cells))
        for begin in range(0, len(chunk), step):
            rows = slice(begin, min(begin + step, len(chunk)))
            obs = joined.observations(
                np.arange(start + rows.start, start + rows.stop), history_slates=history_slates
            )
            items = chunk.slate[rows]
            number = first_row + rows.start
            yield Block(
                obs=obs,
                items=items,
                shown=items >= 0,
                propensity=None if chunk.propensity is None else chunk.propensity[rows],
                rewards=rewards[rows],
                units=np.broadcast_to(of_rows[rows], items.shape),
                whole=unit == "row" or chunk.anonymous,
                first_row=number,
                problem=chunk.problem,
            )
        first_row += len(chunk)


def chunks(log: Log) -> Iterable[SlateLog]:
    """Return the pieces of a log, which may be a single one."""
    if isinstance(log, str | Path):
        return SlateLog.scan(log)
    return [log] if isinstance(log, SlateLog) else log


def logged_propensities(block: Block, logging: Policy | None = None) -> Floats:
    """Return the logged propensities of a block, ``(B, K)``, not checked.

    Args:
        block: The block.
        logging: The logging policy, to be asked where the log has none.

    Raises:
        UserError: If neither knows them.
    """
    if block.propensity is not None:
        return block.propensity
    if logging is None:
        raise UserError(
            "The log has no propensities, so another policy cannot be evaluated on it: the "
            "probability with which each item was shown must be logged."
        )
    return propensities(logging, block.obs, block.items, first_row=block.first_row)


def check_agreement(block: Block, logging: Policy, every: Floats | None = None) -> None:
    """Refuse a logging policy that contradicts the logged propensities: mixed, they mean nothing.

    Args:
        block: The block of B rows.
        logging: The logging policy.
        every: mu of every candidate, ``(B, K, C)``, if it has said so already.

    Raises:
        UserError: If a logged propensity and its probability differ by more than
            `AGREEMENT` of the larger one; names the row.
    """
    if block.propensity is None:
        return
    if every is None:
        told = propensities(logging, block.obs, block.items, first_row=block.first_row)
    else:
        own = block.obs["candidates"][:, None, :] == block.items[:, :, None]  # (B, K, C)
        told = np.where(own, every, 0.0).sum(axis=2)
    larger = np.maximum(told, block.propensity)
    apart = block.shown & ~(np.abs(told - block.propensity) <= AGREEMENT * larger)
    if apart.any():
        row, position = np.argwhere(apart)[0]
        raise UserError(
            f"row {block.first_row + row}, position {position}: the logged propensity is "
            f"{block.propensity[row, position]:g}, but the policy given as 'logging' shows this "
            f"item with probability {told[row, position]:g}. Give the policy that made the log, in "
            "the state in which it did, or with_propensities(log, logging) to go by the policy."
        )


def check_read_twice(log: Log, why: str) -> None:
    """Refuse a log that is gone when it has been read once.

    Args:
        log: The log.
        why: What it must be read for before, for the message.

    Raises:
        UserError: If it is an iterator, such as `SlateLog.scan` gives.
    """
    if isinstance(log, Iterator):
        raise UserError(
            f"{why}, so the log must be read more than once, and an iterator cannot be: give the "
            "folder itself in place of SlateLog.scan(folder), or a list of pieces."
        )


def positions_of(log: SlateLog) -> NDArray[np.int64]:
    """Return the position on the page of every slot, ``(M, K)``."""
    if log.position is not None:
        return log.position
    return np.broadcast_to(np.arange(log.problem.slate_size), log.slate.shape)


def rewards_of(log: SlateLog, reward: str | None) -> Floats:
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


def with_past(
    pieces: Iterable[SlateLog], history_slates: int
) -> Iterator[tuple[SlateLog, SlateLog, int]]:
    """Yield every piece, the piece with the past of its users before it, and where it starts."""
    past: SlateLog | None = None
    for chunk in pieces:
        if chunk.anonymous:
            yield chunk, chunk, 0
            continue
        joined, others = chunk, []
        if past is not None:
            # Only those who come back: what is looked up grows with the piece, not with the log.
            back = np.zeros(len(chunk.user_features), dtype=np.bool_)
            back[chunk.user] = True
            here = back[past.user]
            joined = SlateLog.concat([past.select(here), chunk], same_users=True)
            others = [past.select(~here)]
        yield chunk, joined, len(joined) - len(chunk)
        own = joined.select(last_rows(joined, max(history_slates, 1)))
        past = SlateLog.concat([*others, own], same_users=True)
