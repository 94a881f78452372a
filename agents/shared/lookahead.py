r"""Whether a question is worth its turn.

With r turns left and the posterior p, showing slates until the end gains

.. math:: U_r(p) = \sum_{j \le r} p(S_j) - c \sum_{j < r} \Big(1 - \sum_{l \le j} p(S_l)\Big) - c

where S_1, S_2, ... are the slates of the ranking by p and c is the cost of a turn. Asking about f
first gains ``-c + P(yes) U_{r-1}(p | yes) + P(no) U_{r-1}(p | no)``. The best question is asked if
it gains more than showing: one step of policy improvement on never asking again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.shared.item_posterior import Likelihood
from recsim.arrays import Floats, Ints

# An answer reorders the items near the end of the slates that can still be shown, so this many
# times as many items are considered.
_MARGIN = 3


class Gains(NamedTuple):
    """Expected gains of asking and of showing.

    Attributes:
        question: Best attribute to ask about, -1 if there is none, ``(b,)``.
        ask: Gain of asking about it, -inf if there is none, ``(b,)``.
        show: Gain of showing slates from now on, ``(b,)``.
        source: Column of the best question in the proposals, ``(b,)``.
    """

    question: Ints
    ask: Floats
    show: Floats
    source: Ints


def look_ahead(
    belief: NDArray[np.floating],
    likelihood: Likelihood,
    proposals: Ints,
    turns_left: Ints,
    *,
    slate_size: int,
    turn_cost: float,
) -> Gains:
    """Compare every proposed question with showing.

    Args:
        belief: p, 0 for items that cannot be shown, ``(b, S)``.
        likelihood: Probabilities of a yes.
        proposals: Attributes, -1 for none, ``(b, C)``.
        turns_left: r, ``(b,)``.
        slate_size: K.
        turn_cost: c.
    """
    count = len(belief)
    question, source = np.full(count, -1), np.zeros(count, dtype=np.int64)
    ask, show = np.full(count, -np.inf), np.zeros(count)
    for turns in np.unique(turns_left):
        of = np.flatnonzero(turns_left == turns)
        size = min(belief.shape[1], _MARGIN * int(turns) * slate_size)
        whole = belief[of]
        top = np.argpartition(-whole, size - 1, axis=1)[:, :size]
        near = np.take_along_axis(whole, top, axis=1)  # (b, size)
        show[of] = _gain(near, np.ones(len(of)), int(turns), slate_size, turn_cost)
        for column in range(proposals.shape[1]):
            new = proposals[of, column] >= 0
            new &= ~(proposals[of, :column] == proposals[of, column : column + 1]).any(axis=1)
            at = np.flatnonzero(new)
            if not at.size:
                continue
            rows, attribute = of[at], proposals[of[at], column]
            chance = likelihood.chances(attribute)
            yes = np.einsum("bs,bs->b", whole[at], chance)
            after = near[at] * np.take_along_axis(chance, top[at], axis=1)
            left = int(turns) - 1
            value = _gain(after, yes, left, slate_size, turn_cost) - turn_cost
            value += _gain(near[at] - after, 1 - yes, left, slate_size, turn_cost)
            better = value > ask[rows]
            ask[rows[better]], question[rows[better]] = value[better], attribute[better]
            source[rows[better]] = column
    return Gains(question, ask, show, source)


def _gain(
    weights: NDArray[np.floating],
    total: NDArray[np.floating],
    turns: int,
    slate_size: int,
    turn_cost: float,
) -> NDArray[np.floating]:
    """Return ``total`` times U of the distribution ``weights / total``, ``(b,)``."""
    if not turns:
        return np.zeros(len(weights))
    size = turns * slate_size
    ranked = -np.sort(-weights, axis=1)[:, :size].astype(np.float64)
    ranked = np.pad(ranked, ((0, 0), (0, size - ranked.shape[1])))
    found = ranked.reshape(len(ranked), turns, slate_size).sum(axis=2).cumsum(axis=1)
    turns_taken = total + (total[:, None] - found[:, :-1]).sum(axis=1)
    gain: NDArray[np.floating] = found[:, -1] - turn_cost * turns_taken
    return gain
