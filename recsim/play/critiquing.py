"""Critiquing sessions of an agent: one for every held-out pair of user and item."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from recsim.arrays import AnyFloats, Bools, Floats, Ints
from recsim.contracts.critiquing import CritiquingAgent
from recsim.metrics import critiquing as C
from recsim.play.episodes import batches, user_sums

if TYPE_CHECKING:
    import pandas as pd

CUTOFFS = (1, 5, 10, 20)
_PARTS = ("precision", "recall", "f1")
_OF_GOAL, _OF_ITEM = "justification", "justification_of_item"
_FALLING = tuple(f"f_map@{n}" for n in CUTOFFS[1:])
SESSION_COLUMNS = ("success", "turn", "critiques", "reward", "candidates", *_FALLING)
TURN_COLUMNS = (
    "aspects_shown",
    *(f"{of}_{part}" for of in (_OF_GOAL, _OF_ITEM) for part in _PARTS),
)


@dataclass(frozen=True, eq=False)
class CritiquingSessions:
    """N sessions of at most T turns.

    Attributes:
        sessions: One row per session: ``user``, ``goal``, ``success``, ``turn``, ``critiques``
            (number of aspects), ``reward`` (summed), ``candidates`` (items that could be shown at
            first), and ``f_map@n`` of the first turn's critique, NaN without one.
        ranks: Rank of the goal at every turn, from 0, ``(N, T)``; -1 after the end.
        base_ranks: Ranks of the same sessions without critiques; see `recsim.metrics.critiquing`.
        turns: Values of each turn by name, ``(N, T)``, NaN after the end: ``aspects_shown``, and
            ``precision``, ``recall`` and ``f1`` of the justification against the aspects of the
            goal (``justification_...``) and of the item shown (``justification_of_item_...``).
        aspects: The agent's score of each aspect at the first turn, ``(N, K)``; None if it does not
            rank aspects, or if the environment justifies items by their own aspects.
        goal_aspects: Aspects of the goal, ``(N, K)``.
        item_aspects: Aspects of the item shown first, ``(N, K)``.
    """

    sessions: pd.DataFrame
    ranks: Ints
    base_ranks: Ints
    turns: dict[str, Floats]
    aspects: Floats | None
    goal_aspects: Bools
    item_aspects: Bools


def play_critiquing(
    env: Any,
    agent: CritiquingAgent,
    *,
    seed: int,
    on_batch: Callable[[int], None] | None = None,
) -> CritiquingSessions:
    """Hold one session for every pair of user and item of the environment's split.

    Args:
        env: A vector environment with the observations, actions (``action="scores"``) and infos of
            ``CritiqueRec-v0``. Its number of sub-environments is the batch size, which has no
            influence on the results.
        agent: The agent; fitted, if it needs to be.
        seed: Seed of the users' critiques.
        on_batch: Called after each batch with the number of sessions done.
    """
    import pandas as pd

    pieces = [
        (_play_batch(env, agent, seed, episodes), count)
        for episodes, count in batches(env, on_batch)
    ]

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([piece[name][:count] for piece, count in pieces])

    world, ranks = env.unwrapped, joined("ranks")
    columns = {"user": world.episode_users, "goal": world.episode_goals}
    return CritiquingSessions(
        sessions=pd.DataFrame(columns | {name: joined(name) for name in SESSION_COLUMNS}),
        ranks=ranks,
        base_ranks=C.without_critiques(ranks[:, 0], ranks.shape[1]),
        turns={name: joined(name) for name in TURN_COLUMNS},
        aspects=None if pieces[0][0]["aspects"] is None else joined("aspects"),
        goal_aspects=world.problem.item_aspects[world.episode_goals],
        item_aspects=joined("item_aspects"),
    )


def _play_batch(env: Any, agent: CritiquingAgent, seed: int, episodes: Ints) -> dict[str, Any]:
    """Hold the sessions of one batch; return what `CritiquingSessions` needs by name."""
    world = env.unwrapped
    problem, size = world.problem, len(episodes)
    obs, info = env.reset(seed=seed, options={"index": episodes})
    agent.begin(info["session"])
    justifies = isinstance(world.single_action_space, spaces.Dict)
    goals = problem.item_aspects[world.episode_goals[episodes]]  # (B, K)
    shape = (size, problem.max_turns)
    record: dict[str, Any] = {
        "candidates": info["action_mask"].sum(axis=1),
        "reward": np.zeros(size),
        "critiques": np.zeros(size, dtype=np.int64),
        "turn": np.zeros(size, dtype=np.int64),
        "success": np.zeros(size, dtype=np.bool_),
        "aspects": None,
        "ranks": np.full(shape, -1),
    }
    record |= {name: np.full(shape, np.nan) for name in TURN_COLUMNS}
    record |= {name: np.full(size, np.nan) for name in _FALLING}
    first: Any = None
    active = np.ones(size, dtype=np.bool_)
    for turn in range(problem.max_turns):
        # Finished rows are already in other sessions, whose turns are not recorded.
        showing = agent.act({**obs, "action_mask": info["action_mask"]})
        if turn == 0:
            first = showing.scores
            if justifies and showing.aspects is not None:
                # Rounding removes the effect of the batch size on the last bits of a product.
                record["aspects"] = showing.aspects.astype(np.float32).astype(np.float64)
        if turn == 1:
            critiqued = (obs["critiqued"] < 0) & active[:, None]
            allowed = info["action_mask"] > 0
            record |= _fallen(first, showing.scores, allowed, critiqued, problem.item_aspects)
        action: Any = showing.scores
        if justifies:
            action = {"scores": showing.scores, "justification": showing.justification}
        obs, reward, terminated, truncated, info = env.step(action)
        shown, of_item = info["justification"] > 0, problem.item_aspects[info["item"]]
        if turn == 0:
            record["item_aspects"] = of_item
        record["ranks"][active, turn] = info["gold_rank"][active]
        record["aspects_shown"][active, turn] = shown.sum(axis=1)[active]
        for of, relevant in ((_OF_GOAL, goals), (_OF_ITEM, of_item)):
            scores = C.justification_scores(shown, relevant)
            for part, values in zip(_PARTS, scores, strict=True):
                record[f"{of}_{part}"][active, turn] = values[active]
        record["reward"] += np.where(active, reward, 0.0)
        record["critiques"] += np.where(active, (info["critiques"] != 0).sum(axis=1), 0)
        record["turn"] += active
        record["success"] |= active & info["success"]
        active &= ~(terminated | truncated)
        if not active.any():
            break
    return record


def _fallen(
    first: AnyFloats, second: AnyFloats, allowed: Bools, critiqued: Bools, item_aspects: Bools
) -> dict[str, Floats]:
    """Return how far items with a critiqued aspect fell in the ranking, by cutoff, ``(B,)`` each.

    Only items that may be shown after the critique count; NaN in sessions without a critique.
    """
    before, after = (np.where(allowed, scores, -np.inf) for scores in (first, second))
    affected = allowed & (critiqued.astype(np.float32) @ item_aspects.T > 0)
    missing = np.where(critiqued.any(axis=1), 0.0, np.nan)
    return {
        name: C.falling_map(before, after, affected, n) + missing
        for name, n in zip(_FALLING, CUTOFFS[1:], strict=True)
    }


def critique_metrics(result: CritiquingSessions) -> dict[str, float]:
    """Return the metrics of critiquing sessions.

    ==========================  ===================================================================
    metric                      content
    ==========================  ===================================================================
    ``sr_final@n``              success rate at the last turn, see `recsim.metrics.critiquing`
    ``sr_first@n``              success rate at any turn
    ``al``, ``al@n``            turns until success; ``al`` is ``al@1``, the length of a session
    ``base_...``                ``sr_final@n``, ``al`` and ``al@n`` without critiques
    ``gain``                    ``sr_final@1`` minus ``base_sr_final@1``
    ``won``, ``equal``,         fractions of sessions with fewer, as many and more turns than
    ``lost``                    without critiques
    ``immediate``               fraction that succeeds at turn 1
    ``long_term``               ``0.9^t`` for success at turn t
    ``auc``, ``mrr``,           quality of the ranking at the first turn
    ``hr@n``, ``ndcg@n``
    ``aspects_shown``           aspects of a justification, over all turns
    ``justification_...``,      precision, recall and F1 of justifications over all turns, against
    ``justification_of_item_``  the goal and the item shown; and, if the agent ranks aspects,
    ``...``                     ``ndcg@n``, ``map@n``, ``recall@n`` and ``precision@n`` of its
                                ranking at the first turn
    ``critiques``, ``reward``   per session
    ``f_map@n``                 how far items with an aspect critiqued at the first turn fall
    ==========================  ===================================================================

    n is 1, 5, 10 and 20, except that ``f_map@n`` and the rankings of aspects have no n = 1.
    """
    values = session_values(result)
    numbers = {name: _nanmean(of_sessions.ravel()) for name, of_sessions in values.items()}
    if result.aspects is not None:
        for of, relevant in ((_OF_GOAL, result.goal_aspects), (_OF_ITEM, result.item_aspects)):
            for n in CUTOFFS[1:]:
                ranking = C.aspect_ranking(result.aspects, relevant, n)
                numbers |= {f"{of}_{name}": value for name, value in ranking.items()}
    return numbers


def critique_users(result: CritiquingSessions) -> pd.DataFrame:
    """Return the sums of `critique_metrics` by user, as `recsim.play.episodes.user_sums` does.

    Rankings of aspects are left out.
    """
    return user_sums(result.sessions["user"].to_numpy(), session_values(result))


def session_values(result: CritiquingSessions) -> dict[str, Floats]:
    """Return the values whose means are metrics: ``(N,)`` of sessions or ``(N, T)`` of turns.

    NaN where a session or turn does not count.
    """
    ranks, base = result.ranks, result.base_ranks
    values = {f"sr_final@{n}": C.sr_final(ranks, n) for n in CUTOFFS}
    values |= {f"sr_first@{n}": C.sr_first(ranks, n) for n in CUTOFFS}
    values |= {"al": C.turns_until(ranks)}
    values |= {f"al@{n}": C.turns_until(ranks, n) for n in CUTOFFS[1:]}
    values |= {f"base_sr_final@{n}": C.sr_final(base, n) for n in CUTOFFS}
    values |= {f"base_al@{n}": C.turns_until(base, n) for n in CUTOFFS[1:]}
    values |= {"base_al": C.turns_until(base), "gain": values["sr_final@1"] - C.sr_final(base, 1)}
    values |= {"immediate": C.sr_first(ranks[:, :1], 1), "long_term": C.discounted(ranks)}
    candidates = result.sessions["candidates"].to_numpy()
    values |= C.ranking_of_one(ranks[:, 0], candidates, CUTOFFS)
    values |= {name: result.sessions[name].to_numpy() for name in ("critiques", "reward")}
    change = C.turns_until(ranks) - C.turns_until(base)
    signs = {"won": change < 0, "equal": change == 0, "lost": change > 0}
    values |= {name: sign.astype(np.float64) for name, sign in signs.items()}
    values |= result.turns | {name: result.sessions[name].to_numpy() for name in _FALLING}
    return {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}


def critique_curves(result: CritiquingSessions) -> pd.DataFrame:
    """Return the progress of sessions by turn, from 1.

    Returns:
        A frame indexed by ``turn`` with ``found``, the fraction that has found the goal by that
        turn, ``found_without_critiques``, and ``found_by_critiques``, their difference;
        ``reciprocal_rank`` of the goal and ``base_reciprocal_rank``, that without critiques, where
        finished sessions keep the value of their last turn; ``active``, the fraction that had not
        ended before the turn; and the means of `CritiquingSessions.turns` over active sessions.
    """
    import pandas as pd

    ranks, base = result.ranks, result.base_ranks
    limits = np.arange(1, ranks.shape[1] + 1)
    found, without = _found_by(ranks).mean(axis=0), _found_by(base).mean(axis=0)
    columns = {
        "found": found,
        "found_without_critiques": without,
        "found_by_critiques": found - without,
        "reciprocal_rank": (1 / (C.carried(ranks) + 1)).mean(axis=0),
        "base_reciprocal_rank": (1 / (C.carried(base) + 1)).mean(axis=0),
        "active": (ranks >= 0).mean(axis=0),
    }
    for name, values in result.turns.items():
        columns[name] = np.array([_nanmean(column) for column in values.T])
    return pd.DataFrame(columns, index=pd.Index(limits, name="turn"))


def _found_by(ranks: Ints) -> Floats:
    """Return 1 if a session has found the goal by a turn, else 0, ``(N, T)``."""
    turn = C.first_turn(ranks, 1)[:, None]
    by_turn: Floats = ((turn > 0) & (turn <= np.arange(1, ranks.shape[1] + 1))).astype(np.float64)
    return by_turn


def _nanmean(values: Floats) -> float:
    """Return the mean of the values that are not NaN; NaN if all are."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else np.nan
