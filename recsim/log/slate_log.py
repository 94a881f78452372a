"""The one table of logged slates."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recsim.problem import Problem


@dataclass(frozen=True, eq=False)
class SlateLog:
    """M logged slates of K positions, as columns.

    Attributes:
        problem: The catalogue that the item ids refer to, and the reward weights.
        user: User of the row, ``(M,)``; indexes ``user_features``.
        session: The user's session, ``(M,)``.
        day: Day of the row, ``(M,)``.
        step: Step of the session, ``(M,)``.
        slate: Item ids shown, ``(M, K)``, padded with -1.
        clicks: 1 where the item was clicked, ``(M, K)`` int8.
        feedback: Named rewards, each ``(M,)`` float64; the names of ``problem.rewards``.
        user_features: What the system knows of each user, ``(U, F)`` float32.
        propensity: Probability that the logging policy put the item at its position,
            ``(M, K)``, or None where it is not known. In (0, 1]; 1 at padding.
        slate_propensity: Probability of the whole ordered slate, ``(M,)``, or None.
        position: Position on the page of each slot, ``(M, K)``, or None for 0 ... K-1.
        candidates: Item ids that could have been shown, ``(M, C)``, or None for the catalogue.
    """

    problem: Problem
    user: NDArray[np.int64]
    session: NDArray[np.int64]
    day: NDArray[np.int64]
    step: NDArray[np.int64]
    slate: NDArray[np.int64]
    clicks: NDArray[np.int8]
    feedback: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    user_features: NDArray[np.float32] = field(
        default_factory=lambda: np.zeros((0, 0), dtype=np.float32)
    )
    propensity: NDArray[np.float64] | None = None
    slate_propensity: NDArray[np.float64] | None = None
    position: NDArray[np.int64] | None = None
    candidates: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        """Return the number of rows M."""
        return len(self.user)

    @property
    def reward(self) -> NDArray[np.float64]:
        """Scalar reward, ``(M,)``: the weighted sum of the named rewards."""
        total = np.zeros(len(self))
        for name, weight in self.problem.rewards.items():
            if weight:
                total += weight * self.feedback[name]
        return total
