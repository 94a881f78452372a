"""The impressions that reward models are fitted on: a bounded sample of a log read in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Floats, Ints

Columns = tuple[NDArray[Any], ...]


class TrainingRows:
    """A sample of the impressions outside each fold, and the mean reward of every item there.

    Every impression gets a random key. The sample, uniform and without replacement, consists of
    those with the smallest keys; each of them is among the smallest of its own fold, so that no
    others need to be kept. It does not depend on how the log is cut.

    Args:
        folds: Number of folds.
        items: Size of the catalogue, I.
        rows: Most impressions of a sample.
        seed: Seed of the keys.
    """

    def __init__(self, folds: int, items: int, rows: int, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._rows = rows
        self._count = 0
        self._kept: list[list[Columns]] = [[] for _ in range(folds)]  # keys, numbers, columns
        self._sums = np.zeros((folds, items))
        self._shown = np.zeros((folds, items))

    def add(self, folds: Ints, items: Ints, rewards: Floats, *columns: Any) -> None:
        """Add N impressions.

        Args:
            folds: Their folds, ``(N,)``.
            items: Their items, ``(N,)``.
            rewards: Their rewards, ``(N,)``.
            *columns: Further columns to keep, ``(N, ...)`` each.
        """
        size, shape = len(folds), self._sums.shape
        place = folds * shape[1] + items
        self._sums += np.bincount(place, rewards, minlength=self._sums.size).reshape(shape)
        self._shown += np.bincount(place, minlength=self._sums.size).reshape(shape)
        keys = self._rng.random(size)
        numbers = np.arange(self._count, self._count + size)
        self._count += size
        for fold, kept in enumerate(self._kept):
            own = folds == fold
            kept.append(tuple(c[own] for c in (keys, numbers, items, rewards, *columns)))
            if sum(len(piece[0]) for piece in kept) > 2 * self._rows:
                self._kept[fold] = [_smallest(kept, self._rows)]

    def outside(self, fold: int) -> Columns:
        """Return items, rewards and the further columns of the sample outside a fold, in order."""
        kept = [piece for other, own in enumerate(self._kept) if other != fold for piece in own]
        _, numbers, *columns = _smallest(kept, self._rows)
        order = np.argsort(numbers)
        return tuple(column[order] for column in columns)

    def item_means(self, fold: int, smoothing: float) -> Floats:
        """Return the mean reward of every item on all impressions outside a fold, ``(I,)``.

        Args:
            fold: The fold.
            smoothing: Impressions with the overall mean that are added to those of each item.
        """
        others = np.arange(len(self._sums)) != fold
        sums, shown = self._sums[others].sum(axis=0), self._shown[others].sum(axis=0)
        means: Floats = (sums + smoothing * sums.sum() / shown.sum()) / (shown + smoothing)
        return means


def _smallest(pieces: Sequence[Columns], rows: int) -> Columns:
    """Return the impressions with the smallest keys, which are the first column."""
    joined = tuple(np.concatenate(column) for column in zip(*pieces, strict=True))
    if len(joined[0]) <= rows:
        return joined
    chosen = np.argpartition(joined[0], rows)[:rows]
    return tuple(column[chosen] for column in joined)
