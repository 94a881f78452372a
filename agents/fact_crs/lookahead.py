r"""Whether a question is worth its turn.

With r turns left and the posterior p, showing slates to the end gains

.. math:: U_r(p) = \sum_{j \le r} p(S_j) - c \sum_{j < r} \Big(1 - \sum_{l \le j} p(S_l)\Big) - c

S_1, S_2, ... being the slates of the ranking by p, and c the cost of a turn. To ask about f first
gains ``-c + P(yes) U_{r-1}(p | yes) + P(no) U_{r-1}(p | no)``. The best question is asked if that
is more: one step of policy improvement on never asking again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.fact_crs.likelihood import Likelihood

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]

# Answers reorder the items near the end of what can be shown: so many times as many are considered.
_MARGIN = 3


class Outlook(NamedTuple):
    """What is to be gained.

    Attributes:
        question: Best attribute to ask for, -1 where there is none, ``(b,)``.
        ask: Gain if it is asked, -inf where there is none, ``(b,)``.
        show: Gain if slates are shown from now on, ``(b,)``.
        source: Column of the proposal, ``(b,)``.
    """

    question: Ints
    ask: Floats
    show: Floats
    source: Ints


def look_ahead(
    belief: Floats,
    likelihood: Likelihood,
    proposals: Ints,
    turns_left: Ints,
    *,
    slate_size: int,
    turn_cost: float,
) -> Outlook:
    """Compare every proposed question with showing.

    Args:
        belief: p, 0 for what cannot be shown, ``(b, S)``.
        likelihood: Chances of a yes.
        proposals: Attributes, -1 for none, ``(b, C)``.
        turns_left: r, ``(b,)``.
        slate_size: K.
        turn_cost: c.
    """
    count = len(belief)
    asked, source = np.full(count, -1), np.zeros(count, dtype=np.int64)
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
            ask[rows[better]], asked[rows[better]] = value[better], attribute[better]
            source[rows[better]] = column
    return Outlook(asked, ask, show, source)


def _gain(weights: Floats, total: Floats, turns: int, slate_size: int, turn_cost: float) -> Floats:
    """Return ``total`` times U of the distribution ``weights / total``, ``(b,)``."""
    if not turns:
        return np.zeros(len(weights))
    size = turns * slate_size
    ranked = -np.sort(-weights, axis=1)[:, :size].astype(np.float64)
    ranked = np.pad(ranked, ((0, 0), (0, size - ranked.shape[1])))
    found = ranked.reshape(len(ranked), turns, slate_size).sum(axis=2).cumsum(axis=1)
    going_on = total + (total[:, None] - found[:, :-1]).sum(axis=1)
    gain: Floats = found[:, -1] - turn_cost * going_on
    return gain
