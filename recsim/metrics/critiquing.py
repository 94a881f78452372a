r"""Metrics of critiquing sessions, in which one item at a time is shown and critiqued.

A session is given by a row of a matrix of ranks, ``(N, T)``: at each turn, the rank of the goal
among the items that may still be shown, counted from 0; -1 after the end of the session. A session
ends with rank 0, after T turns, or when the user gives up.

==================  ===============================================================================
function            value of a session
==================  ===============================================================================
`sr_final`          1 if the rank is below n at the last turn, else 0
`sr_first`          1 if the rank is below n at any turn, else 0
`first_turn`        the first such turn, counted from 1; 0 if there is none
`turns_until`       the same, T if there is none: ``al@n``, and with n = 1 ``al``, the length
`discounted`        ``gamma^t`` if the goal is shown at turn t, counted from 1, else 0
==================  ===============================================================================

The two success rates differ because a rank may rise again. Metrics are averages of these values
over sessions. Without critiques the ranks would fall by one at every turn, because rejected items
leave the ranking (`without_critiques`): compare with that by any of the above on both matrices.

References: Li et al., arXiv:2112.05197, for ``sr_final``; Luo et al., "Latent Linear Critiquing for
Conversational Recommender Systems", WWW 2020, for ``sr_first``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recsim.arrays import Bools, Floats, Ints
from recsim.metrics.implicit import discount, ranking_values


def without_critiques(first: Ints, max_turns: int) -> Ints:
    """Return the ranks of the same sessions without critiques, ``(N, T)``.

    Args:
        first: Rank of the goal at the first turn, ``(N,)``.
        max_turns: T.
    """
    ranks = first[:, None] - np.arange(max_turns)
    return np.where(ranks >= 0, ranks, -1)


def last_rank(ranks: Ints) -> Ints:
    """Return the rank at the last turn of each session, ``(N,)``.

    Args:
        ranks: ``(N, T)``, -1 after the end.
    """
    last = (_checked(ranks) >= 0).sum(axis=1) - 1
    rank: Ints = ranks[np.arange(len(ranks)), last]
    return rank


def sr_final(ranks: Ints, n: int) -> Floats:
    """Return 1 where the goal is among the first n at the last turn, else 0, ``(N,)``.

    Args:
        ranks: ``(N, T)``, -1 after the end.
        n: Cutoff; with 1, whether the goal was shown.
    """
    return (last_rank(ranks) < n).astype(np.float64)


def sr_first(ranks: Ints, n: int) -> Floats:
    """Return 1 where the goal is among the first n at any turn, else 0, ``(N,)``.

    Args:
        ranks: ``(N, T)``, -1 after the end.
        n: Cutoff.
    """
    return (first_turn(ranks, n) > 0).astype(np.float64)


def first_turn(ranks: Ints, n: int) -> Ints:
    """Return the first turn with the goal among the first n, from 1; 0 if none, ``(N,)``.

    Args:
        ranks: ``(N, T)``, -1 after the end.
        n: Cutoff.
    """
    hit = (_checked(ranks) >= 0) & (ranks < n)
    return np.where(hit.any(axis=1), hit.argmax(axis=1) + 1, 0)


def turns_until(ranks: Ints, n: int = 1) -> Floats:
    """Return the turns until the goal is among the first n, T if it never is, ``(N,)``.

    Args:
        ranks: ``(N, T)``, -1 after the end.
        n: Cutoff.
    """
    turn = first_turn(ranks, n)
    return np.where(turn > 0, turn, ranks.shape[1]).astype(np.float64)


def discounted(ranks: Ints, gamma: float = 0.9) -> Floats:
    """Return ``gamma^t`` where the goal is shown at turn t, counted from 1, else 0, ``(N,)``.

    Args:
        ranks: ``(N, T)``, -1 after the end.
        gamma: Discount per turn.
    """
    turn = first_turn(ranks, 1)
    return np.where(turn > 0, gamma**turn, 0.0)


def carried(ranks: Ints) -> Ints:
    """Return the ranks with padding replaced by the last rank of the session, ``(N, T)``.

    Args:
        ranks: ``(N, T)``, -1 after the end.
    """
    return np.where(ranks >= 0, ranks, last_rank(ranks)[:, None])


def ranking_of_one(rank: Ints, candidates: Ints, cutoffs: Sequence[int]) -> dict[str, Floats]:
    """Return metrics of rankings with one relevant item, ``(N,)`` each.

    Args:
        rank: Rank of the relevant item, counted from 0, ``(N,)``.
        candidates: Number of ranked items, ``(N,)``.
        cutoffs: k of the metrics.

    Returns:
        ``auc`` (share of the other items that are ranked lower), ``mrr``, ``hr@k``, ``ndcg@k``.
    """
    values = {"auc": 1 - rank / np.maximum(candidates - 1, 1), "mrr": 1 / (rank + 1)}
    values |= {f"hr@{k}": (rank < k).astype(np.float64) for k in cutoffs}
    return values | {f"ndcg@{k}": np.where(rank < k, discount(rank + 1), 0.0) for k in cutoffs}


def justification_scores(shown: Bools, wanted: Bools) -> tuple[Floats, Floats, Floats]:
    """Return precision, recall and F1 of sets of aspects, ``(M,)`` each.

    They are 0 for an empty justification, and NaN if no aspect is correct.

    Args:
        shown: Aspects of each justification, ``(M, K)``.
        wanted: Correct aspects, those of the goal or of the item shown, ``(M, K)``.
    """
    hits, size, correct = (bits.sum(axis=1) for bits in (shown & wanted, shown, wanted))
    undefined = np.where(correct > 0, 0.0, np.nan)
    precision = hits / np.maximum(size, 1) + undefined
    recall = hits / np.maximum(correct, 1) + undefined
    f1 = 2 * hits / np.maximum(size + correct, 1) + undefined
    return precision, recall, f1


def aspect_ranking(scores: Floats, wanted: Bools, k: int) -> dict[str, float]:
    """Return metrics of rankings of aspects, averaged over the rows with a correct aspect.

    Average precision is the textbook's, over all correct aspects; published figures of critiquing
    recommenders often average the precision over all k ranks instead.

    Args:
        scores: Score of every aspect, ``(M, K)``; ties go to the lower number.
        wanted: Correct aspects, ``(M, K)``.
        k: Cutoff.

    Returns:
        ``ndcg@k``, ``map@k``, ``recall@k`` and ``precision@k``.
    """
    rows, aspects = scores.shape
    names = [f"{name}@{k}" for name in ("ndcg", "map", "recall")]
    users = np.repeat(np.arange(rows), aspects)
    values = ranking_values(users, scores.ravel(), wanted.ravel().astype(np.int64), names)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    hits = np.take_along_axis(wanted, best, axis=1).sum(axis=1)[wanted.any(axis=1)]
    precision = float(np.mean(hits / k)) if hits.size else np.nan
    return {value.metric: value.value for value in values} | {f"precision@{k}": precision}


def falling_map(before: Floats, after: Floats, having: Bools, n: int) -> Floats:
    """Return how far items with a critiqued aspect fall after the critique: F-MAP@n, ``(M,)``.

    It is "MAP" before the critique minus "MAP" after it. This "MAP" is not average precision: it is
    the mean over *all* ranks 1 ... n of the share of items up to that rank that have the aspect.
    The result is above 0 if they fall, 0 if the critique had no effect, and at most 1.

    Reference: Wu et al., "Deep Language-based Critiquing for Recommender Systems", RecSys 2019.

    Args:
        before: Scores of all items, ``(M, I)``; ties go to the lower number. An item that may not
            be shown after the critique (-inf) should be excluded before it too, or it falls for
            that reason alone.
        after: Scores after the critique, ``(M, I)``.
        having: Items with the aspect, ``(M, I)``.
        n: Cutoff; all items if there are fewer.
    """
    earlier, later = (_mean_precision(scores, having, n) for scores in (before, after))
    return earlier - later


def _mean_precision(scores: Floats, having: Bools, n: int) -> Floats:
    best = np.argsort(-scores, axis=1, kind="stable")[:, :n]  # (M, n)
    hits = np.take_along_axis(having, best, axis=1).cumsum(axis=1)
    mean: Floats = (hits / np.arange(1, best.shape[1] + 1)).mean(axis=1)
    return mean


def _checked(ranks: Ints) -> Ints:
    """Return the ranks, if every session has a first turn and then only one end."""
    active = ranks >= 0
    if ranks.ndim != 2 or not active[:, :1].all() or (active[:, 1:] & ~active[:, :-1]).any():
        raise ValueError("ranks must be (N, T): at least one per session, then -1 after its end.")
    return ranks
