"""Where the next event of users stands among all items, ranked by an agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.shared.slates import top_slates_by
from recsim.arrays import Bools, Floats, Ints
from recsim.contracts.reads import reads_of
from recsim.contracts.slates import Agent, begin_users
from recsim.errors import AgentError
from recsim.log import SlateLog, encode
from recsim.log.history import earlier_rows
from recsim.metrics.ranking import mid_ranks, slate_ranks

# Numbers in the histories and in the scores of a batch (32 MiB of int64), and users in it.
_BLOCK, _USERS = 2**22, 512


@dataclass(frozen=True, eq=False)
class Ranking:
    """Rankings of all items for R rows of a log.

    Attributes:
        rank: Rank of the row's item from 1, ``(R,)``; infinite if an agent without scores does not
            show it.
        shown: The first items, ``(R, k)``; -1 where a slate has fewer unseen ones.
        ranked: Number of items that were ranked, the row's item included, ``(R,)``.
        scored: Whether the agent has scores; without them the ranks are places in its slates.
    """

    rank: Floats
    shown: Ints
    ranked: Ints
    scored: bool


def rank_next(
    agent: Agent,
    log: SlateLog,
    rows: Ints,
    *,
    history: int | None = None,
    exclude_seen: bool = True,
    trained: Bools | None = None,
    top: int = 10,
    seed: int = 0,
) -> Ranking:
    """Rank all items at some rows of a log, given the earlier rows of their users.

    Agents with a method ``scores(obs)`` rank by it; others by their slates.

    Args:
        agent: The agent, fitted.
        log: Rows with one event each, in the first slot; slates as wide as the agent's.
        rows: The rows to predict, ``(R,)``.
        history: Past events that the agent sees; None for all.
        exclude_seen: Whether items of earlier events are not ranked, unless they come next.
        trained: Items with an event in training, ``(I,)``. The score of all others is minus
            infinity, unless the agent reads features of items or does not declare what it reads;
            None leaves all scores as they are.
        top: k of `Ranking.shown`.
        seed: Breaks ties among the items shown.

    Raises:
        AgentError: If a score is NaN.
    """
    scores = getattr(agent, "scores", None)
    num_items = log.problem.num_items
    top = min(top, num_items)
    earlier = encode.rank_within(log.user)[rows]  # (R,) number of earlier rows of the user
    keys = np.random.default_rng(seed).permutation(num_items)
    unknown = _unknown(agent, trained, num_items)  # (I,)
    rank, ranked = np.empty(len(rows)), np.empty(len(rows), dtype=np.int64)
    shown = np.full((len(rows), top), -1)
    order = np.argsort(earlier, kind="stable")
    start = 0
    while start < len(rows):
        size = _batch_size(earlier[order[start:]], history, log.problem)
        chunk = order[start : start + size]
        start += size
        longest = max(int(earlier[chunk].max()), 1)
        past = earlier_rows(log, rows[chunk], longest)  # (B, H)
        target = log.slate[rows[chunk], 0]
        seen = _seen(log, past, num_items) if exclude_seen else np.zeros((1, 1), dtype=np.bool_)
        seen = np.broadcast_to(seen, (len(chunk), num_items))
        own = np.take_along_axis(seen, target[:, None], axis=1)[:, 0]
        ranked[chunk] = num_items - seen.sum(axis=1) + own
        begin_users(agent, log.user[rows[chunk]])
        obs: dict[str, Any] = log.observations(
            rows[chunk], history_slates=min(longest, history or longest)
        )
        if scores is None:
            slates = np.take_along_axis(obs["candidates"], agent.act(obs).slates, axis=1)
            rank[chunk] = slate_ranks(slates, target, seen)
            shown[chunk] = _unseen(slates, seen, top)
            continue
        values = np.where(unknown, -np.inf, np.asarray(scores(obs), dtype=np.float64))
        try:
            rank[chunk] = mid_ranks(values, target, seen)
        except ValueError as error:
            raise AgentError(f"{type(agent).__name__}.scores: {error}.") from None
        never = seen | unknown
        best = top_slates_by(
            np.where(never, -np.inf, values), np.broadcast_to(keys, values.shape), top
        )
        shown[chunk] = np.where(np.take_along_axis(never, best, axis=1), -1, best)
    return Ranking(rank, shown, ranked, scores is not None)


def _unknown(agent: Agent, trained: Bools | None, num_items: int) -> Bools:
    """Return the items of which an agent cannot have learned anything, ``(I,)``."""
    reads = reads_of(agent)
    if trained is None or reads is None or "item_features" in reads:
        return np.zeros(num_items, dtype=np.bool_)
    return ~trained


def _batch_size(earlier: Ints, history: int | None, problem: Any) -> int:
    """Return how many of these rows, whose histories grow longer, fit into a batch."""
    longest = np.minimum(earlier[:_USERS], history or earlier[:_USERS].max(initial=1))
    width = np.maximum(longest * problem.slate_size, problem.num_items)
    fits = width * np.arange(1, len(width) + 1) <= _BLOCK
    return max(int(fits.sum()), 1)


def _seen(log: SlateLog, past: Ints, num_items: int) -> Bools:
    """Return which items are in earlier rows (B, H), ``(B, I)``."""
    row, column = np.nonzero(past >= 0)
    seen = np.zeros((len(past), num_items), dtype=np.bool_)
    seen[row, log.slate[past[row, column], 0]] = True
    return seen


def _unseen(slates: Ints, seen: Bools, top: int) -> Ints:
    """Return the first ``top`` items of slates that were not seen, padded with -1."""
    ranked = (slates >= 0) & ~np.take_along_axis(seen, np.maximum(slates, 0), axis=1)
    order = np.argsort(~ranked, axis=1, kind="stable")[:, :top]
    kept = np.take_along_axis(np.where(ranked, slates, -1), order, axis=1)
    return np.pad(kept, ((0, 0), (0, top - kept.shape[1])), constant_values=-1)
