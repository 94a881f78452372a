"""How well a model predicts choices from slates: the mean log-probability of the observed choices.

Item id -1 is padding; choice 0 is "nothing", k the k-th item. Compare means only with reference
values for the same choice sets, never across different choice sets (shown items, or random items).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Floats, Ints


@dataclass(frozen=True)
class MeanLogProbability:
    """A mean log-probability.

    Attributes:
        value: Mean natural logarithm of the probability of the observed choices.
        choices: Number of choices.
    """

    value: float
    choices: int


def mean_log_probability(
    log_probability: Floats, kind: NDArray[np.integer]
) -> dict[int, MeanLogProbability]:
    """Return the mean log-probability of each kind of choice, in the order of the kinds.

    Args:
        log_probability: Log-probability of each observed choice, of any shape; NaN leaves it out.
        kind: Kind of each choice, of the same shape, e.g. the number of slots of the slate.
    """
    counted = ~np.isnan(log_probability)
    values, kinds = log_probability[counted], kind[counted]
    return {
        int(k): MeanLogProbability(float(values[kinds == k].mean()), int((kinds == k).sum()))
        for k in np.unique(kinds)
    }


def uniform_choice(items: Ints) -> Floats:
    """Return the log-probability of a choice if all options are equally likely, ``(...)``.

    Args:
        items: Items of the slate, ``(..., S)``; "nothing" is one more option.
    """
    log_probability: Floats = -np.log(1.0 + (items >= 0).sum(axis=-1))
    return log_probability


def weighted_choice(items: Ints, choice: Ints, weights: Floats, nothing: float) -> Floats:
    """Return the log-probability of the observed choices if options are chosen by their weight.

    Args:
        items: Items of the slate, ``(..., S)``.
        choice: Observed choices, ``(...)``.
        weights: Weight of each item, ``(I,)``, above 0.
        nothing: Weight of choosing nothing, above 0.
    """
    offered = np.where(items >= 0, weights[items], 0.0)  # (..., S)
    total = nothing + offered.sum(axis=-1)
    place = np.maximum(choice - 1, 0)[..., None]
    chosen = np.take_along_axis(offered, place, axis=-1)[..., 0]
    return np.asarray(np.log(np.where(choice > 0, chosen, nothing) / total), dtype=np.float64)


def choice_rates(items: Ints, choice: Ints, num_items: int) -> tuple[Floats, float]:
    """Return the rate at which each item is chosen when shown, and that of choosing nothing.

    Each rate is ``(chosen + 1) / (shown + L)`` with L the mean number of options, so that an item
    that was never shown has the rate of a random choice.

    Args:
        items: Items of the slates, ``(N, S)``.
        choice: Observed choices, ``(N,)``.
        num_items: I.

    Returns:
        The rates of the items, ``(I,)``, and of nothing: weights for `weighted_choice`.
    """
    real = items >= 0
    options = 1 + real.sum(axis=1).mean() if len(items) else 1.0
    shown = np.bincount(items[real], minlength=num_items)
    taken = items[np.arange(len(items)), np.maximum(choice - 1, 0)][choice > 0]
    chosen = np.bincount(taken, minlength=num_items)
    nothing = int((choice == 0).sum())
    return (chosen + 1.0) / (shown + options), float((nothing + 1) / (len(items) + options))
