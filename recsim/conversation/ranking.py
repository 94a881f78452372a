"""Slates of the best items among those that may still be shown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Bools, Ints
from recsim.conversation.problem import ConversationProblem
from recsim.errors import AgentError


def unshown(shown: Ints, num_items: int) -> Bools:
    """Return which items have not been shown yet, ``(B, I)``.

    Args:
        shown: Ids of the items shown so far, padded with -1, ``(B, S)``.
        num_items: I.
    """
    free = np.ones((len(shown), num_items), dtype=np.bool_)
    row, place = np.nonzero(shown >= 0)
    free[row, shown[row, place]] = False
    return free


def consistent(
    problem: ConversationProblem, answers: NDArray[np.int8], *, by_no: bool | None = None
) -> Bools:
    """Return which items are consistent with the answers, ``(B, I)``.

    Args:
        problem: Decides what a yes and a no rule out.
        answers: 1 for yes, 2 for no; other values have no effect, ``(B, F)``.
        by_no: Whether a no rules out the items that have the attribute; None for what the problem
            says.

    Raises:
        AgentError: If ``by_no`` is True although a no does not imply that the target lacks the
            attribute.
    """
    if by_no and not problem.no_filters:
        raise AgentError(
            "items cannot be filtered by a no here: users also say no to attributes that they do "
            "not care about, or by mistake, so the filter would remove the target."
        )
    having = problem.item_attributes
    left = np.ones((len(answers), problem.num_items), dtype=np.bool_)
    counts_no = problem.no_filters if by_no is None else by_no
    for answer, wanted, counts in ((1, having, problem.yes_filters), (2, ~having, counts_no)):
        row, attribute = np.nonzero(answers == answer)
        if counts and len(row):
            np.logical_and.at(left, row, wanted.T[attribute])
    return left


def first_allowed(order: Ints, allowed: Bools, size: int) -> Ints:
    """Return the first items of one common ranking that each conversation may show.

    Args:
        order: All items, best first, ``(I,)``.
        allowed: Which items may be shown, ``(B, I)``.
        size: K.

    Returns:
        Slates ``(B, K)``, padded with -1 where fewer items are allowed.
    """
    slates = np.full((len(allowed), size), -1)
    short, width = np.arange(len(allowed)), 8 * size
    # The top of the ranking is enough for most conversations as long as few items are ruled out.
    while short.size:
        ordered = allowed[short[:, None], order[:width]]  # (n, width)
        place = np.cumsum(ordered, axis=1, dtype=np.int32)
        row, column = np.nonzero(ordered & (place <= size))
        slates[short[row], place[row, column] - 1] = order[column]
        if width >= len(order):
            break
        short, width = short[place[:, -1] < size], 8 * width
    return slates


def best_allowed(scores: NDArray[np.floating], allowed: Bools, size: int) -> Ints:
    """Return the allowed items with the highest scores in each conversation.

    Ties go to the item with the lower id.

    Args:
        scores: ``(B, I)``.
        allowed: Which items may be shown, ``(B, I)``.
        size: K.

    Returns:
        Slates ``(B, K)``, best first, padded with -1 where fewer items are allowed.
    """
    key = np.where(allowed, scores, -np.inf)
    if size < key.shape[1]:
        best = np.argpartition(-key, size - 1, axis=1)[:, :size]
        least = np.take_along_axis(key, best, axis=1).min(axis=1)  # (B,)
        # The partition takes any of several items that share the lowest score of the slate.
        tied = np.flatnonzero((key >= least[:, None]).sum(axis=1) > size)
        if tied.size:
            best[tied] = np.argsort(-key[tied], axis=1, kind="stable")[:, :size]
        best = np.sort(best, axis=1)
    else:
        best = np.broadcast_to(np.arange(key.shape[1]), key.shape)
    values = np.take_along_axis(key, best, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    slates = np.where(np.isneginf(values), -1, best)
    padded = np.full((len(key), size), -1)
    padded[:, : order.shape[1]] = np.take_along_axis(slates, order, axis=1)
    return padded


def filled(slates: Ints, order: Ints, allowed: Bools) -> Ints:
    """Return slates whose empty slots are filled with the first allowed items of a ranking.

    Args:
        slates: Item ids, padded with -1, ``(B, K)``.
        order: Items, best first, ``(I,)``.
        allowed: Which items may be shown, ``(B, I)``.
    """
    short = np.flatnonzero(slates[:, -1] < 0)
    if not short.size:
        return slates
    left, size = allowed[short].copy(), slates.shape[1]
    row, slot = np.nonzero(slates[short] >= 0)
    left[row, slates[short][row, slot]] = False
    both = np.concatenate([slates[short], first_allowed(order, left, size)], axis=1)  # (n, 2K)
    items_first = np.argsort(both < 0, axis=1, kind="stable")[:, :size]
    slates = slates.copy()
    slates[short] = np.take_along_axis(both, items_first, axis=1)
    return slates
