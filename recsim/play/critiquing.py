"""An agent is criticised in one session about every pair of a user and an item held out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from gymnasium import spaces
from numpy.typing import NDArray

from recsim.contracts.critiquing import CritiquingAgent
from recsim.metrics import critiquing as C
from recsim.statistics import Comparison, band, paired_comparison

__all__ = ["Criticised", "criticise", "critique_curves", "critique_metrics", "gain", "gain_by_turn"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Scores = NDArray[np.floating[Any]]

PLACES = (1, 5, 10, 20)
_PARTS = ("precision", "recall", "f1")
_OF_GOAL, _OF_ITEM = "justification", "justification_of_item"
_FALLING = tuple(f"f_map@{n}" for n in PLACES[1:])
OF_SESSIONS = ("success", "turn", "critiques", "reward", "candidates", *_FALLING)
OF_TURNS = ("aspects_shown", *(f"{of}_{part}" for of in (_OF_GOAL, _OF_ITEM) for part in _PARTS))


@dataclass(frozen=True, eq=False)
class Criticised:
    """N sessions of T turns at most.

    Attributes:
        sessions: One row each: ``user``, ``goal``, ``success``, ``turn``, ``critiques`` (aspects),
            ``reward`` (their sum), ``candidates`` (items that could be shown at first), and
            ``f_map@n`` of the first turn's critique; NaN if there was none.
        ranks: Rank of the goal at every turn from 0 on, ``(N, T)``, -1 after the end.
        base_ranks: The same had nobody criticised; see `recsim.metrics.critiquing`.
        turns: By name, values ``(N, T)`` of each turn, NaN after the end: ``aspects_shown``, and
            ``precision``, ``recall`` and ``f1`` of the justification against the aspects of the
            goal (``justification_...``) and of the item shown (``justification_of_item_...``).
        aspects: How strongly the agent means each aspect at the first turn, ``(N, K)``; None if it
            does not say, or items justify themselves.
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


def criticise(
    env: Any,
    agent: CritiquingAgent,
    *,
    seed: int,
    on_batch: Callable[[int], None] | None = None,
) -> Criticised:
    """Hold one session about every pair of the environment's split.

    Args:
        env: A vector environment with the observations, actions (``action="scores"``) and infos of
            ``CritiqueRec-v0``; its number of sessions is the size of a batch, and has no influence
            on the outcome.
        agent: Fitted, if it needs that.
        seed: Seed of whoever criticises.
        on_batch: Called after each batch with the number of sessions done.
    """
    world = env.unwrapped
    batch, total = world.num_envs, world.num_episodes
    pieces = []
    for start in range(0, total, batch):
        numbers = np.arange(start, start + batch) % total  # the last batch is filled up
        pieces.append((_one_batch(env, agent, seed, numbers), min(batch, total - start)))
        if on_batch is not None:
            on_batch(min(start + batch, total))

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([piece[name][:count] for piece, count in pieces])

    told = {"user": world.episode_users, "goal": world.episode_goals}
    told |= {name: joined(name) for name in OF_SESSIONS}
    ranks = joined("ranks")
    return Criticised(
        sessions=pd.DataFrame(told),
        ranks=ranks,
        base_ranks=C.without_critiques(ranks[:, 0], ranks.shape[1]),
        turns={name: joined(name) for name in OF_TURNS},
        aspects=None if pieces[0][0]["aspects"] is None else joined("aspects"),
        goal_aspects=world.problem.item_aspects[world.episode_goals],
        item_aspects=joined("item_aspects"),
    )


def _one_batch(env: Any, agent: CritiquingAgent, seed: int, numbers: Ints) -> dict[str, Any]:
    world = env.unwrapped
    problem, size = world.problem, len(numbers)
    obs, info = env.reset(seed=seed, options={"index": numbers})
    agent.begin(info["session"])
    justifies = isinstance(world.single_action_space, spaces.Dict)
    goals = problem.item_aspects[world.episode_goals[numbers]]  # (B, K)
    found: dict[str, Any] = {
        "candidates": info["action_mask"].sum(axis=1),
        "reward": np.zeros(size),
    }
    found |= {"critiques": np.zeros(size, dtype=np.int64), "turn": np.zeros(size, dtype=np.int64)}
    found |= {"success": np.zeros(size, dtype=np.bool_)}
    found["ranks"] = np.full((size, problem.max_turns), -1)
    found |= {name: np.full((size, problem.max_turns), np.nan) for name in OF_TURNS}
    found |= {name: np.full(size, np.nan) for name in _FALLING}
    first: Any = None
    going = np.ones(size, dtype=np.bool_)
    for turn in range(problem.max_turns):
        # Rows that are over hold other sessions, and what happens there does not matter.
        showing = agent.act({**obs, "action_mask": info["action_mask"]})
        if turn == 0:
            first = showing.scores
            found["aspects"] = None
            if justifies and showing.aspects is not None:
                # What the size of the batch does to the last bits of a product is rounded away.
                found["aspects"] = showing.aspects.astype(np.float32).astype(np.float64)
        if turn == 1:
            blamed = (obs["critiqued"] < 0) & going[:, None]
            allowed = info["action_mask"] > 0
            found |= _fallen(first, showing.scores, allowed, blamed, problem.item_aspects)
        action: Any = showing.scores
        if justifies:
            action = {"scores": showing.scores, "justification": showing.justification}
        obs, reward, terminated, truncated, info = env.step(action)
        shown = info["justification"] > 0
        if turn == 0:
            found["item_aspects"] = problem.item_aspects[info["item"]]
        found["ranks"][going, turn] = info["gold_rank"][going]
        found["aspects_shown"][going, turn] = shown.sum(axis=1)[going]
        for of, wanted in ((_OF_GOAL, goals), (_OF_ITEM, problem.item_aspects[info["item"]])):
            values = C.justification_scores(shown, wanted)
            for part, value in zip(_PARTS, values, strict=True):
                found[f"{of}_{part}"][going, turn] = value[going]
        found["reward"] += np.where(going, reward, 0.0)
        found["critiques"] += np.where(going, (info["critiques"] != 0).sum(axis=1), 0)
        found["turn"] += going
        found["success"] |= going & info["success"]
        going &= ~(terminated | truncated)
        if not going.any():
            break
    return found


def _fallen(
    first: Scores, second: Scores, allowed: Bools, blamed: Bools, item_aspects: Bools
) -> dict[str, Floats]:
    """Return how far items fell, ``(B,)`` each, of those that may be shown after the critique."""
    before, after = (np.where(allowed, scores, -np.inf) for scores in (first, second))
    having = allowed & (blamed.astype(np.float32) @ item_aspects.T > 0)
    nothing = np.where(blamed.any(axis=1), 0.0, np.nan)
    return {
        name: C.falling_map(before, after, having, n) + nothing
        for name, n in zip(_FALLING, PLACES[1:], strict=True)
    }


def critique_metrics(result: Criticised) -> dict[str, float]:
    """Return the sessions in numbers.

    Returns:
        ``sr_final@n``, ``sr_first@n`` and ``al@n`` for n of 1, 5, 10 and 20 (see
        `recsim.metrics.critiquing`; ``al@1`` is ``al``, the length of a session); the same without
        critiques, ``base_sr_final@n`` (then ``sr_first@n`` too), ``base_al`` and ``base_al@n``;
        ``gain``, ``sr_final@1`` less ``base_sr_final@1``;
        ``won``, ``equal`` and ``lost``, shares of sessions with fewer, as many, and more turns than
        without critiques; ``immediate``, found at turn 1, and ``long_term``, ``0.9^t`` if found at
        turn t; of the ranking at the first turn ``auc``, ``mrr``, ``hr@k`` and ``ndcg@k``; of all
        turns ``aspects_shown`` and precision, recall and F1 of justifications; ``critiques`` and
        ``reward`` per session; ``f_map@n`` for n of 5, 10 and 20, how far items of what is
        criticised at the first turn fall by it; and if the agent ranks aspects, of its ranking at
        the first turn ``justification_...`` and ``justification_of_item_...`` with ``ndcg@n``,
        ``map@n``, ``recall@n`` and ``precision@n``.
    """
    ranks, base = result.ranks, result.base_ranks
    found = {f"sr_final@{n}": C.sr_final(ranks, n) for n in PLACES}
    found |= {f"sr_first@{n}": C.sr_first(ranks, n) for n in PLACES}
    found |= {"al": C.turns_until(ranks)}
    found |= {f"al@{n}": C.turns_until(ranks, n) for n in PLACES[1:]}
    found |= {f"base_sr_final@{n}": C.sr_final(base, n) for n in PLACES}
    found |= {f"base_al@{n}": C.turns_until(base, n) for n in PLACES[1:]}
    found |= {"base_al": C.turns_until(base), "gain": found["sr_final@1"] - C.sr_final(base, 1)}
    found |= {"immediate": C.sr_first(ranks[:, :1], 1), "long_term": C.discounted(ranks)}
    candidates = result.sessions["candidates"].to_numpy()
    found |= C.ranking_of_one(ranks[:, 0], candidates, PLACES)
    found |= {name: result.sessions[name].to_numpy() for name in ("critiques", "reward")}
    numbers = {name: float(np.mean(values)) for name, values in found.items()}
    numbers |= dict(zip(("won", "equal", "lost"), C.win_equal_loss(ranks, base), strict=True))
    numbers |= {name: _mean(values.ravel()) for name, values in result.turns.items()}
    numbers |= {name: _mean(result.sessions[name].to_numpy()) for name in _FALLING}
    if result.aspects is not None:
        for of, wanted in ((_OF_GOAL, result.goal_aspects), (_OF_ITEM, result.item_aspects)):
            for n in PLACES[1:]:
                values = C.aspect_ranking(result.aspects, wanted, n)
                numbers |= {f"{of}_{name}": value for name, value in values.items()}
    return numbers


def critique_curves(result: Criticised) -> pd.DataFrame:
    """Return how sessions went by turn, from 1 on.

    Returns:
        A frame indexed by ``turn`` with ``found``, the share that has found the goal by then,
        ``found_without_critiques``, and ``found_by_critiques``, their difference;
        ``reciprocal_rank`` of the goal and ``base_reciprocal_rank``, that without critiques, which
        stay at the last turn's for sessions that are over; ``active``, the share that had not ended
        before the turn; and of these the means of what `Criticised.turns` tells.
    """
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
        columns[name] = np.array([_mean(column) for column in values.T])
    return pd.DataFrame(columns, index=pd.Index(limits, name="turn"))


def gain(first: Criticised, second: Criticised | None = None, n: int = 1) -> Comparison:
    """Compare sessions by ``sr_final@n``, pair by pair of user and goal.

    Args:
        first: Some sessions.
        second: Others about the same pairs; None for the first ones without critiques.
        n: Places that count.

    Returns:
        The mean difference, with a bootstrap interval over sessions.
    """
    other = first.base_ranks if second is None else second.ranks
    return paired_comparison(C.sr_final(first.ranks, n), C.sr_final(other, n), statistic=np.mean)


def gain_by_turn(
    first: Criticised, second: Criticised | None = None, *, level: float = 0.95
) -> pd.DataFrame:
    """Compare sessions by the share that has found the goal, turn by turn.

    Args:
        first: Some sessions.
        second: Others about the same pairs; None for the first ones without critiques.
        level: Nominal coverage of the intervals at each turn.

    Returns:
        A frame indexed by ``turn`` with ``gain``, the mean difference, and ``low`` and ``high``,
        ends of its bootstrap interval over pairs of sessions.
    """
    other = first.base_ranks if second is None else second.ranks
    value, low, high = band(
        _found_by(first.ranks) - _found_by(other), statistic=np.mean, level=level
    )
    turns = pd.Index(np.arange(1, len(value) + 1), name="turn")
    return pd.DataFrame({"gain": value, "low": low, "high": high}, index=turns)


def _found_by(ranks: Ints) -> Floats:
    """Return 1 where a session has found the goal by a turn, else 0, ``(N, T)``."""
    turn = C.first_turn(ranks, 1)[:, None]
    found: Floats = ((turn > 0) & (turn <= np.arange(1, ranks.shape[1] + 1))).astype(np.float64)
    return found


def _mean(values: Floats) -> float:
    """Return the mean of the values that there are; NaN if there are none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else np.nan
