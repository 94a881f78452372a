"""How well choices from slates were foreseen: the mean log-probability of what was chosen.

Item id -1 is padding; choice 0 is "nothing", k the k-th item. Means over different choice sets
(what was shown, or random items) must not be compared with each other, only with the references of
the same set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class MeanLogProbability:
    """The mean over some choices.

    Attributes:
        value: Mean natural logarithm of the probability of what was chosen.
        choices: How many.
    """

    value: float
    choices: int


def mean_log_probability(
    log_probability: Floats, kind: NDArray[np.integer]
) -> dict[int, MeanLogProbability]:
    """Return the mean log-probability of each kind of choice, in the order of the kinds.

    Args:
        log_probability: Of what was chosen, any shape; NaN where a choice does not count.
        kind: Kind of each choice, of the same shape: slots of the slate, search or
            recommendation ...
    """
    counted = ~np.isnan(log_probability)
    values, kinds = log_probability[counted], kind[counted]
    return {
        int(one): MeanLogProbability(float(values[kinds == one].mean()), int((kinds == one).sum()))
        for one in np.unique(kinds)
    }


def uniform_choice(items: Ints) -> Floats:
    """Return the log-probability of any choice if all that is offered is alike, ``(...)``.

    Args:
        items: Items of the slate, ``(..., S)``; "nothing" is offered beside them.
    """
    least: Floats = -np.log(1.0 + (items >= 0).sum(axis=-1))
    return least


def weighted_choice(items: Ints, choice: Ints, weights: Floats, nothing: float) -> Floats:
    """Return the log-probability of what was chosen if options are chosen by their weight.

    Args:
        items: Items of the slate, ``(..., S)``.
        choice: What was chosen, ``(...)``.
        weights: Weight of each item, ``(I,)``, above 0.
        nothing: Weight of choosing nothing, above 0.
    """
    offered = np.where(items >= 0, weights[items], 0.0)  # (..., S)
    total = nothing + offered.sum(axis=-1)
    place = np.maximum(choice - 1, 0)[..., None]
    chosen = np.take_along_axis(offered, place, axis=-1)[..., 0]
    return np.asarray(np.log(np.where(choice > 0, chosen, nothing) / total), dtype=np.float64)


def choice_rates(items: Ints, choice: Ints, num_items: int) -> tuple[Floats, float]:
    """Return how often each item is chosen where it is shown, and how often nothing is.

    Each rate is ``(chosen + 1) / (shown + L)`` with L the mean number of options, so that what was
    never shown has the rate of a random choice.

    Args:
        items: Items of the slates, ``(N, S)``.
        choice: What was chosen, ``(N,)``.
        num_items: I.

    Returns:
        The rates ``(I,)`` and that of nothing: weights for `weighted_choice`.
    """
    real = items >= 0
    options = 1 + real.sum(axis=1).mean() if len(items) else 1.0
    shown = np.bincount(items[real], minlength=num_items)
    taken = items[np.arange(len(items)), np.maximum(choice - 1, 0)][choice > 0]
    chosen = np.bincount(taken, minlength=num_items)
    nothing = int((choice == 0).sum())
    return (chosen + 1.0) / (shown + options), float((nothing + 1) / (len(items) + options))
