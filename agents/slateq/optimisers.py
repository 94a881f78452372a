r"""Slates of K distinct items with a high value under the conditional logit.

.. math:: V(A) = \frac{v_\varnothing Q_\varnothing + \sum_{i \in A} v_i Q_i}
   {v_\varnothing + \sum_{i \in A} v_i}

Source: Ie et al. 2019 (SlateQ, arXiv:1905.12767), section 4.3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Options:
    """The candidates of B users, with their weights and values.

    Attributes:
        weight: v of every candidate, ``(B, C)``; positive.
        value: Q of every candidate, ``(B, C)``.
        nothing_weight: v of no click, ``(B,)``; positive.
        nothing_value: Q of no click, ``(B,)``.
    """

    weight: Tensor
    value: Tensor
    nothing_weight: Tensor
    nothing_value: Tensor

    def slate_value(self, slates: Tensor) -> Tensor:
        """Return V of slates, indices of candidates ``(B, K)``; ``(B,)``."""
        weight = self.weight.gather(1, slates)
        total = (weight * self.value.gather(1, slates)).sum(dim=1)
        total = total + self.nothing_weight * self.nothing_value
        return total / (self.nothing_weight + weight.sum(dim=1))


def options(scores: Tensor, nothing: Tensor, value: Tensor, nothing_value: Tensor) -> Options:
    """Build options from the scores of a choice model.

    Args:
        scores: Score of every candidate, ``(B, C)``; v is its exponential.
        nothing: Score of no click, ``(B,)``.
        value: Q of every candidate, ``(B, C)``.
        nothing_value: Q of no click, ``(B,)``.
    """
    # Only ratios of weights matter, so the largest score is subtracted to avoid overflow.
    largest = torch.maximum(scores.amax(dim=1), nothing)
    return Options(
        (scores - largest[:, None]).exp(), value, (nothing - largest).exp(), nothing_value
    )


def top_k(given: Options, slate_size: int) -> Tensor:
    """Return the items with the largest ``v_i Q_i``, ``(B, K)``."""
    return (given.weight * given.value).topk(slate_size, dim=1).indices


def greedy(given: Options, slate_size: int) -> Tensor:
    """Add the item that gives the slate so far the largest V, K times, ``(B, K)``."""
    gain = given.weight * given.value
    earned = given.nothing_weight * given.nothing_value  # (B,)
    total = given.nothing_weight
    taken = torch.zeros_like(gain, dtype=torch.bool)
    chosen = []
    for _ in range(slate_size):
        worth = (earned[:, None] + gain) / (total[:, None] + given.weight)
        best = worth.masked_fill(taken, -torch.inf).argmax(dim=1, keepdim=True)  # (B, 1)
        taken.scatter_(1, best, True)
        earned = earned + gain.gather(1, best)[:, 0]
        total = total + given.weight.gather(1, best)[:, 0]
        chosen.append(best)
    return torch.cat(chosen, dim=1)


def exact(given: Options, slate_size: int) -> Tensor:
    """Return the slate of exactly K items with the largest V, ``(B, K)``.

    Dinkelbach's method for the ratio V: if lambda is the value of the best slate so far, the K
    items with the largest ``v_i (Q_i - lambda)`` are at least as good; if they are not better, no
    slate is. It solves the fractional linear programme of the paper, whose solutions are integral.

    Source: Dinkelbach, "On Nonlinear Fractional Programming", 1967.
    """
    best = top_k(given, slate_size)
    value = given.slate_value(best)
    while True:
        gain = given.weight * (given.value - value[:, None])
        candidate = gain.topk(slate_size, dim=1).indices
        reached = given.slate_value(candidate)
        # Improvements at the level of rounding errors could cycle forever.
        better = reached > value + 1e-6 * value.abs()
        if not bool(better.any()):
            return best
        best = torch.where(better[:, None], candidate, best)
        value = torch.where(better, reached, value)


Optimiser = Callable[[Options, int], Tensor]

OPTIMISERS: dict[str, Optimiser] = {"top_k": top_k, "greedy": greedy, "exact": exact}
