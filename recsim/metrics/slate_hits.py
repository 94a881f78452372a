r"""Overlap of generated slates with target items. Item id -1 is padding throughout.

N_m is the number of items in a generated slate (without padding), y the set of its target items. A
repeated item counts only at its first position:

================================  ===============================================================
function                          value of a slate
================================  ===============================================================
`precision_at`                    hits in the first k / k
`recall`                          hits / size of y; called ROUGE in papers on slates
`hit_rate_at`                     1 if there is a hit in the first k, else 0
`ndcg_at`                         DCG of the hits in the first k / that of ``min(k, size of y)``
                                  hits on top, gain ``1 / log2(rank + 1)``
`clipped_unigram_precision`       common items, each as often as both slates have it, / N_m;
                                  called BLEU in papers on slates (BLEU-1, no brevity penalty)
`click_precision`                 hits / N_m
================================  ===============================================================

A repeated item still takes a rank and counts in N_m, so repeating a target does not help. Padding
does neither, so the width of the arrays never matters. Every function returns one value per slate:
0 for an empty generated slate, NaN without targets. Average with ``numpy.nanmean``.

References: Zhao et al., "User Retention-oriented Recommendation with Decision Transformer", WWW
2023 (arXiv:2303.06347), and Liu et al., "Sequential Recommendation for Optimizing Both Immediate
Feedback and Long-term Retention", SIGIR 2024 (arXiv:2404.03637), name these measures; their code
counts repeats and padding as hits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from recsim.arrays import Bools, Floats, Ints
from recsim.metrics.implicit import discount


def distinct_hits(generated: Ints, targets: Ints) -> Bools:
    """Return where a generated slate has a target for the first time, ``(M, N)``.

    Args:
        generated: Generated slates, ``(M, N)``.
        targets: Target items, ``(M, T)``.

    Raises:
        ValueError: If the arrays do not have one row per slate.
    """
    generated, targets = _checked(generated, targets)
    wanted = (generated[:, :, None] == targets[:, None, :]).any(axis=2)  # (M, N, T) -> (M, N)
    hits: Bools = wanted & _first(generated)
    return hits


def precision_at(generated: Ints, targets: Ints, k: int) -> Floats:
    """Return the distinct hits in the first k items over k, ``(M,)``.

    Args:
        generated: Generated slates, ``(M, N)``; the divisor is k for shorter slates too.
        targets: Target items, ``(M, T)``.
        k: Cutoff, at least 1.
    """
    return _nan_without_targets(_hits_at(generated, targets, k).sum(axis=1) / k, targets)


def recall(generated: Ints, targets: Ints) -> Floats:
    """Return the share of the distinct targets that were generated, ``(M,)``.

    Args:
        generated: Generated slates, ``(M, N)``.
        targets: Target items, ``(M, T)``.
    """
    hits = distinct_hits(generated, targets).sum(axis=1)
    return _nan_without_targets(hits / np.maximum(_distinct(targets), 1), targets)


def hit_rate_at(generated: Ints, targets: Ints, k: int) -> Floats:
    """Return 1 if one of the first k items is a target, else 0, ``(M,)``.

    Args:
        generated: Generated slates, ``(M, N)``.
        targets: Target items, ``(M, T)``.
        k: Cutoff, at least 1.
    """
    hit = _hits_at(generated, targets, k).any(axis=1)
    return _nan_without_targets(hit.astype(np.float64), targets)


def ndcg_at(generated: Ints, targets: Ints, k: int) -> Floats:
    """Return the normalised discounted cumulative gain of the first k items, ``(M,)``.

    Args:
        generated: Generated slates, ``(M, N)``.
        targets: Target items, ``(M, T)``, all with the same gain.
        k: Cutoff, at least 1.
    """
    hits = _hits_at(generated, targets, k)
    gain = (hits * discount(np.maximum(_ranks(generated), 1))).sum(axis=1)
    best = np.cumsum(discount(np.arange(1, k + 1)))  # (k,): of 1 ... k hits on top
    possible = np.clip(_distinct(targets), 1, k)
    return _nan_without_targets(gain / best[possible - 1], targets)


def clipped_unigram_precision(generated: Ints, targets: Ints) -> Floats:
    """Return the number of common items divided by that of generated items, ``(M,)``.

    An item counts as often as both slates have it: once, unless the targets repeat it.

    Args:
        generated: Generated slates, ``(M, N)``.
        targets: Target items, ``(M, T)``.
    """
    generated, targets = _checked(generated, targets)
    wanted = (generated[:, :, None] == targets[:, None, :]).sum(axis=2)  # how often, (M, N)
    own = (generated[:, :, None] == generated[:, None, :]).sum(axis=2)  # (M, N)
    common = (np.minimum(wanted, own) * _first(generated)).sum(axis=1)
    return _nan_without_targets(common / _sizes(generated), targets)


def click_precision(generated: Ints, targets: Ints) -> Floats:
    """Return the distinct hits divided by the number of generated items, ``(M,)``.

    With clicked items as targets it is a click rate in hindsight.

    Args:
        generated: Generated slates, ``(M, N)``.
        targets: Target items, ``(M, T)``.
    """
    hits = distinct_hits(generated, targets).sum(axis=1)
    return _nan_without_targets(hits / _sizes(generated), targets)


def _checked(generated: Ints, targets: Ints) -> tuple[Ints, Ints]:
    generated, targets = np.asarray(generated), np.asarray(targets)
    if generated.ndim != 2 or targets.ndim != 2 or len(generated) != len(targets):
        raise ValueError(
            "generated and targets must be (M, N) and (M, T), got shapes "
            f"{generated.shape} and {targets.shape}"
        )
    return generated, targets


def _first(slates: Ints) -> Bools:
    """Return where an item occurs for the first time, ``(M, N)``; never at padding."""
    same = slates[:, :, None] == slates[:, None, :]  # (M, N, N)
    repeated: Bools = np.tril(same, k=-1).any(axis=2)
    return ~repeated & (slates >= 0)


def _distinct(slates: Ints) -> Ints:
    """Return the number of distinct items of each slate, ``(M,)``."""
    counts: Ints = _first(np.asarray(slates)).sum(axis=1)
    return counts


def _sizes(slates: Ints) -> Ints:
    """Return the number of items of each slate, with repeats, ``(M,)``; at least 1."""
    sizes: Ints = np.maximum((np.asarray(slates) >= 0).sum(axis=1), 1)
    return sizes


def _ranks(slates: Ints) -> Ints:
    """Return the rank of each item without padding, counted from 1, ``(M, N)``."""
    ranks: Ints = np.cumsum(np.asarray(slates) >= 0, axis=1)
    return ranks


def _hits_at(generated: Ints, targets: Ints, k: int) -> Bools:
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    hits: Bools = distinct_hits(generated, targets) & (_ranks(generated) <= k)
    return hits


def _nan_without_targets(values: Any, targets: Ints) -> Floats:
    return np.where((np.asarray(targets) >= 0).any(axis=1), values, np.nan)
