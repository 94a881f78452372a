"""The oracle slate: exact maximisers of the expected payoff of one step.

The payoff of an item is the reward of a click on it; the value of a slate is the sum over slots of
click probability times payoff. The best slate may have fewer than K items (an item with a small
payoff takes clicks from one with a large payoff): the remaining slots repeat the first item and
show nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.world.backend import Array
from envs.world.checked import called, shaped
from envs.world.choice import Cascade, MultinomialLogit, PositionBased
from envs.world.contracts import ChoicePart


def best_slate(
    xp: Any, choice: ChoicePart, utility: Array, payoff: Array, slate_size: int
) -> Array:
    """Return indices of the slate with the largest expected payoff, ``(B, K)``.

    Args:
        xp: Array namespace of the arguments.
        choice: Choice model of the users.
        utility: Utility of every candidate, ``(B, C)``.
        payoff: Reward of a click on it, ``(B, C)``; may be negative.
        slate_size: K, at most C.
    """
    if type(choice).best_slate is not ChoicePart.best_slate:
        found = choice.best_slate(xp, utility, payoff, slate_size)
        shape = (utility.shape[0], slate_size)
        return shaped(found, [shape], f"choice {called(choice)!r}: best_slate")
    if type(choice) is MultinomialLogit:
        return _best_multinomial(xp, choice, utility, payoff, slate_size)
    if type(choice) is PositionBased:
        gain = choice.attraction(xp, utility) * payoff
        best = top_k(gain, slate_size)
        return _drop(xp, best, xp.take_along_axis(gain, best, axis=1) > 0)
    if type(choice) is Cascade:
        return _best_cascade(xp, choice, utility, payoff, slate_size)
    return _best_alone(xp, choice, utility, payoff, slate_size)


def finds_best(choice: ChoicePart) -> bool:
    """Return whether `best_slate` is exact for a choice model."""
    if type(choice).best_slate is not ChoicePart.best_slate:
        return True
    return type(choice) in (MultinomialLogit, PositionBased, Cascade)


def top_k(scores: Array, k: int) -> Array:
    """Return indices of the k largest scores of each row, best first, ``(B, k)``."""
    if not isinstance(scores, np.ndarray):
        return scores.topk(k, dim=1).indices
    if k < scores.shape[1]:
        part = np.argpartition(scores, -k, axis=1)[:, -k:]
    else:
        part = np.broadcast_to(np.arange(k), scores.shape)
    order = np.argsort(-np.take_along_axis(scores, part, axis=1), axis=1, kind="stable")
    return np.take_along_axis(part, order, axis=1)


def _drop(xp: Any, slate: Array, keep: Array) -> Array:
    """Replace slots that are not kept with repeats of the first."""
    return xp.where(keep, slate, slate[:, :1])


def _best_alone(
    xp: Any, choice: ChoicePart, utility: Array, payoff: Array, slate_size: int
) -> Array:
    """Return the items that are worth most when they are shown alone: a guess."""
    gain = choice.probabilities(xp, xp.reshape(utility, (-1, 1))).reshape(utility.shape) * payoff
    best = top_k(gain, slate_size)
    keep = xp.take_along_axis(gain, best, axis=1) > 0
    return _drop(xp, best, keep)


def _best_multinomial(
    xp: Any, choice: MultinomialLogit, utility: Array, payoff: Array, slate_size: int
) -> Array:
    r"""Dinkelbach's method for the ratio :math:`\sum w r / (w_\varnothing + \sum w)`.

    At the optimal value v the best slate consists of the items with the largest positive
    :math:`w_i (r_i - v)`. The value of that slate is the next v, until it no longer increases.
    Source: Dinkelbach 1967; Rusmevichientong, Shen and Shmoys 2010 use the same parametric form for
    assortments.
    """
    weights = xp.exp(utility)
    gain = weights * payoff
    reached = -float("inf")
    while True:
        best = top_k(gain, slate_size)
        keep = xp.take_along_axis(gain, best, axis=1) > 0
        # One item is always shown, even if no item has a positive gain.
        keep[:, 0] = True
        click = choice.probabilities(xp, xp.take_along_axis(utility, best, axis=1), keep)
        value = (click * xp.take_along_axis(payoff, best, axis=1)).sum(1)[:, None]  # (B, 1)
        if not bool((value > reached + 1e-6 * abs(value)).any()):
            return _drop(xp, best, keep)
        reached = value
        gain = weights * (payoff - value)


def _best_cascade(
    xp: Any, choice: Cascade, utility: Array, payoff: Array, slate_size: int
) -> Array:
    r"""Dynamic programme over items in the order of :math:`a r / (1 - \gamma (1 - a))`.

    An exchange of neighbours shows that this order is best in any slate. It remains to choose the
    items: :math:`V_i(k) = \max(V_{i+1}(k),\; a_i r_i + \gamma (1-a_i) V_{i+1}(k-1))`.
    """
    attraction = choice.attraction(xp, utility)
    passing = choice.patience * (1 - attraction)
    # The small number avoids 0 / 0 for an item that is always passed and never clicked.
    order = xp.argsort(-(attraction * payoff) / (1 - passing + 1e-30), axis=1)  # (B, C)
    a_r = xp.take_along_axis(attraction * payoff, order, axis=1)
    passing = xp.take_along_axis(passing, order, axis=1)
    users, num = order.shape
    value = xp.zeros((users, slate_size + 1), dtype=a_r.dtype, device=a_r.device)
    takes = []
    for i in range(num - 1, -1, -1):
        taken = a_r[:, i : i + 1] + passing[:, i : i + 1] * value[:, :-1]  # (B, K)
        take = taken > value[:, 1:]
        takes.append(take)
        value[:, 1:] = xp.where(take, taken, value[:, 1:])
    takes.reverse()
    # If no item has a positive payoff, the one with the smallest loss is shown alone.
    slate = xp.argmax(attraction * payoff, axis=1)[:, None] + 0 * order[:, :slate_size]
    left = slate_size + 0 * order[:, 0]  # (B,) slots still free
    for i in range(num):
        full = xp.take_along_axis(takes[i], xp.maximum(left - 1, 0 * left)[:, None], axis=1)
        take = full[:, 0] & (left > 0)
        at = (slate_size - left)[:, None] == xp.arange(slate_size, device=order.device)[None, :]
        slate = xp.where(at & take[:, None], order[:, i : i + 1], slate)
        left = left - xp.astype(take, left.dtype)
    filled = xp.arange(slate_size, device=order.device)[None, :] < (slate_size - left)[:, None]
    return _drop(xp, slate, filled)
