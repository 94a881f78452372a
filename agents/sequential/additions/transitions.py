"""Distillation of counted transitions into item vectors: MQSA-TED (arXiv:2311.01056).

The label of an input item is the softmax of its transition counts, divided by the largest of them
and by a temperature. The student is the softmax of ``sqrt(D) (W e_i) . e_j`` over all items j,
divided by the same temperature.

Differences from the paper: its code has no W, so that its student is symmetric and cannot represent
a transition that goes one way only. W begins at random: with the identity, the student begins by
predicting the item itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import scipy.sparse
import torch
from torch import Tensor
from torch.nn import functional

from agents.sequential.additions.base import Addition
from agents.sequential.sequences import PADDING, Sequences
from recsim.arrays import Ints

# Temperature of labels and student, and input items per batch.
_TEMPERATURE, _ITEMS = 0.1, 256


class TransitionCounts:
    """How often each item came right after each other item, by row.

    Args:
        before: Earlier item of each observed transition, ``(n,)``.
        after: Later item of each, ``(n,)``.
        num_items: I.
        device: Device of the tensors.
    """

    def __init__(self, before: Ints, after: Ints, num_items: int, device: str = "cpu") -> None:
        table = scipy.sparse.coo_array(
            (np.ones(len(before)), (before, after)), shape=(num_items, num_items)
        ).tocsr()
        table.sum_duplicates()
        self.num_items = num_items
        self.begin = torch.as_tensor(table.indptr, dtype=torch.int64, device=device)  # (I + 1,)
        self.item = torch.as_tensor(table.indices, dtype=torch.int64, device=device)
        self.count = torch.as_tensor(table.data, dtype=torch.float32, device=device)

    def known(self, items: Tensor) -> Tensor:
        """Return the items that were ever followed by another, of ``(n,)``, in order."""
        return items[self.begin[items + 1] > self.begin[items]]

    def rows(self, items: Tensor) -> Tensor:
        """Return the counts after some items, ``(n,) -> (n, I)``."""
        begin, size = self.begin[items], self.begin[items + 1] - self.begin[items]
        row = torch.repeat_interleave(torch.arange(len(items), device=items.device), size)
        offset = torch.arange(len(row), device=items.device) - (size.cumsum(0) - size)[row]
        place = begin[row] + offset
        dense = self.count.new_zeros(len(items), self.num_items)
        dense[row, self.item[place]] = self.count[place]
        return dense

    def labels(self, items: Tensor, temperature: float) -> Tensor:
        """Return the label distributions of items that have successors, ``(n, I)``."""
        counts = self.rows(items)
        scaled = counts / counts.max(dim=1, keepdim=True).values
        return (scaled / temperature).softmax(dim=1)


def distillation(
    counts: TransitionCounts,
    items: Tensor,
    vectors: Tensor,
    temperature: float,
    direction: Tensor | None,
) -> Tensor:
    """Return the mean cross-entropy between counted and learned transitions.

    Args:
        counts: The counted transitions.
        items: Input items, ``(n,)``; those without a successor are skipped.
        vectors: Vectors of all items, ``(I, D)``.
        temperature: Divisor of the scaled counts and of the scores.
        direction: W, ``(D, D)``, or None for the symmetric student.
    """
    items = counts.known(items)
    if not len(items):
        return vectors.new_zeros(())
    source = vectors[items] * math.sqrt(vectors.shape[1])  # (n, D)
    if direction is not None:
        source = source @ direction.T
    scores = source @ vectors.T / temperature  # (n, I)
    return functional.cross_entropy(scores, counts.labels(items, temperature))


class Distillation(Addition):
    """The weighted distillation as a term of the training loss.

    Args:
        vectors: Returns the vectors of all items, ``(I, D)``.
        direction: W, ``(D, D)``, trained with the model.
        sequences: The sequences to train on.
        num_items: I.
        weight: Weight of the term.
    """

    def __init__(
        self,
        vectors: Callable[[], Tensor],
        direction: Tensor,
        sequences: Sequences,
        num_items: int,
        weight: float,
    ) -> None:
        self._vectors, self._direction, self._weight = vectors, direction, weight
        user, item = sequences.items()
        follows = user[1:] == user[:-1]
        device = str(direction.device)
        self._counts = TransitionCounts(item[:-1][follows], item[1:][follows], num_items, device)

    def loss(self, tokens: Tensor) -> Tensor:
        """Return the weighted distillation of random events of the windows."""
        events = tokens[(tokens != PADDING) & (tokens <= self._counts.num_items)] - 1
        drawn = events[torch.randint(len(events), (_ITEMS,), device=tokens.device)]
        term = distillation(self._counts, drawn, self._vectors(), _TEMPERATURE, self._direction)
        return self._weight * term
