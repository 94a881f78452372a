r"""How much of the slates wanted is in the slates generated. Item id -1 is padding throughout.

With N_m items in a generated slate (padding left out), y the distinct items wanted, and an item
counted where it first stands, later on never again:

================================  ===============================================================
function                          value of a slate
================================  ===============================================================
`precision_at`                    hits in the first k / k
`recall`                          hits / size of y; called ROUGE in the papers on slates
`hit_rate_at`                     1 if there is a hit in the first k, else 0
`ndcg_at`                         DCG of the hits in the first k / that of ``min(k, size of y)``
                                  hits on top, gain ``1 / log2(rank + 1)``
`clipped_unigram_precision`       items in common, each as often as both slates hold it, / N_m;
                                  called BLEU in the papers on slates (BLEU-1, no brevity penalty)
`click_precision`                 hits / N_m
================================  ===============================================================

A repeated item keeps its rank and its place in N_m, so repeating a right item does not help.
Padding has neither, wherever it stands: the width of the arrays never matters. Every value is that
of one slate; it is 0 for an empty generated slate, and NaN where nothing is wanted, since no slate
could be right there: average with ``numpy.nanmean``.

References: Zhao et al., "User Retention-oriented Recommendation with Decision Transformer", WWW
2023 (arXiv:2303.06347), and Liu et al., "Sequential Recommendation for Optimizing Both Immediate
Feedback and Long-term Retention", SIGIR 2024 (arXiv:2404.03637), name these measures; their code
counts repeats and padding as hits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.metrics.implicit import discount

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def distinct_hits(generated: Ints, targets: Ints) -> Bools:
    """Return where a generated slate holds a wanted item for the first time, ``(M, N)``.

    Args:
        generated: Generated slates, ``(M, N)``.
        targets: Items wanted, ``(M, T)``.

    Raises:
        ValueError: If the two do not have one row per slate.
    """
    generated, targets = _checked(generated, targets)
    wanted = (generated[:, :, None] == targets[:, None, :]).any(axis=2)  # (M, N, T) -> (M, N)
    hits: Bools = wanted & _first(generated)
    return hits


def precision_at(generated: Ints, targets: Ints, k: int) -> Floats:
    """Return the distinct hits in the first k items over k, ``(M,)``.

    Args:
        generated: Generated slates, ``(M, N)``; a slate of less than k items is not forgiven.
        targets: Items wanted, ``(M, T)``.
        k: Items that count, at least 1.
    """
    return _where_wanted(_hits_at(generated, targets, k).sum(axis=1) / k, targets)


def recall(generated: Ints, targets: Ints) -> Floats:
    """Return the share of the distinct wanted items that were generated, ``(M,)``.

    Args:
        generated: Generated slates, ``(M, N)``.
        targets: Items wanted, ``(M, T)``.
    """
    hits = distinct_hits(generated, targets).sum(axis=1)
    return _where_wanted(hits / np.maximum(_distinct(targets), 1), targets)


def hit_rate_at(generated: Ints, targets: Ints, k: int) -> Floats:
    """Return 1 where one of the first k items is wanted, else 0, ``(M,)``.

    Args:
        generated: Generated slates, ``(M, N)``.
        targets: Items wanted, ``(M, T)``.
        k: Items that count, at least 1.
    """
    hit = _hits_at(generated, targets, k).any(axis=1)
    return _where_wanted(hit.astype(np.float64), targets)


def ndcg_at(generated: Ints, targets: Ints, k: int) -> Floats:
    """Return the normalised discounted cumulative gain of the first k items, ``(M,)``.

    Args:
        generated: Generated slates, ``(M, N)``.
        targets: Items wanted, ``(M, T)``; each is worth the same.
        k: Items that count, at least 1.
    """
    hits = _hits_at(generated, targets, k)
    gain = (hits * discount(np.maximum(_ranks(generated), 1))).sum(axis=1)
    best = np.cumsum(discount(np.arange(1, k + 1)))  # (k,): of 1 ... k hits on top
    possible = np.clip(_distinct(targets), 1, k)
    return _where_wanted(gain / best[possible - 1], targets)


def clipped_unigram_precision(generated: Ints, targets: Ints) -> Floats:
    """Return the items in common over the items generated, ``(M,)``.

    An item counts as often as both slates hold it: once, unless the wanted slate repeats it.

    Args:
        generated: Generated slates, ``(M, N)``.
        targets: Items wanted, ``(M, T)``.
    """
    generated, targets = _checked(generated, targets)
    wanted = (generated[:, :, None] == targets[:, None, :]).sum(axis=2)  # how often, (M, N)
    own = (generated[:, :, None] == generated[:, None, :]).sum(axis=2)  # (M, N)
    common = (np.minimum(wanted, own) * _first(generated)).sum(axis=1)
    return _where_wanted(common / _sizes(generated), targets)


def click_precision(generated: Ints, targets: Ints) -> Floats:
    """Return the distinct hits over the items generated, ``(M,)``.

    With clicked items as targets it is a click rate in hindsight.

    Args:
        generated: Generated slates, ``(M, N)``.
        targets: Items wanted, ``(M, T)``.
    """
    hits = distinct_hits(generated, targets).sum(axis=1)
    return _where_wanted(hits / _sizes(generated), targets)


def _checked(generated: Ints, targets: Ints) -> tuple[Ints, Ints]:
    generated, targets = np.asarray(generated), np.asarray(targets)
    if generated.ndim != 2 or targets.ndim != 2 or len(generated) != len(targets):
        raise ValueError(
            "generated and targets must be (M, N) and (M, T), got shapes "
            f"{generated.shape} and {targets.shape}"
        )
    return generated, targets


def _first(slates: Ints) -> Bools:
    """Where an item stands for the first time, ``(M, N)``; never at padding."""
    same = slates[:, :, None] == slates[:, None, :]  # (M, N, N)
    repeated: Bools = np.tril(same, k=-1).any(axis=2)
    return ~repeated & (slates >= 0)


def _distinct(slates: Ints) -> Ints:
    """Different items of each slate, ``(M,)``."""
    counts: Ints = _first(np.asarray(slates)).sum(axis=1)
    return counts


def _sizes(slates: Ints) -> Ints:
    """Items of each slate, repeats included, ``(M,)``; at least 1, to divide by."""
    sizes: Ints = np.maximum((np.asarray(slates) >= 0).sum(axis=1), 1)
    return sizes


def _ranks(slates: Ints) -> Ints:
    """Rank of each item, 1 is first, padding left out, ``(M, N)``."""
    ranks: Ints = np.cumsum(np.asarray(slates) >= 0, axis=1)
    return ranks


def _hits_at(generated: Ints, targets: Ints, k: int) -> Bools:
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    hits: Bools = distinct_hits(generated, targets) & (_ranks(generated) <= k)
    return hits


def _where_wanted(values: Any, targets: Ints) -> Floats:
    return np.where((np.asarray(targets) >= 0).any(axis=1), values, np.nan)
