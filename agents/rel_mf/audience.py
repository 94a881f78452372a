"""Learned vectors of users and items, and the vectors of known and unknown users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Floats32, Ints
from recsim.contracts.slates import Observation


@dataclass(frozen=True, eq=False)
class Audience:
    """Vectors of the U users and I items of a log.

    Attributes:
        known: Rows of the users in the log's table of users, sorted, ``(U,)``.
        features: Their features there, ``(U, F)``.
        users: Their vectors, ``(U, d)``.
        items: Vectors of the items, ``(I, d)``.
        clickers: Mean vector of the users who clicked each item, ``(I, d)``; of all users if there
            are none.
        everybody: Mean vector of all users, ``(d,)``.
    """

    known: Ints
    features: Floats32
    users: Floats32
    items: Floats32
    clickers: Floats32
    everybody: Floats32

    @staticmethod
    def of(
        known: Ints,
        features: Floats32,
        users: Floats32,
        items: Floats32,
        clicking: Ints,
        clicked: Ints,
    ) -> Audience:
        """Build it from vectors and distinct pairs: user ``clicking`` clicked item ``clicked``."""
        everybody = users.mean(axis=0)
        sums = np.zeros_like(items)
        np.add.at(sums, clicked, users[clicking])
        counts = np.bincount(clicked, minlength=len(items)).astype(np.float32)[:, None]
        clickers = np.where(counts > 0, sums / np.maximum(counts, 1), everybody)
        return Audience(known, features, users, items, clickers, everybody)

    def scores(self, obs: Observation) -> Floats32:
        """Return the score of every candidate, ``(B, C)``."""
        candidates = obs["candidates"]
        scores: Floats32 = self.vectors(obs) @ self.items.T  # (B, d) (d, I) -> (B, I)
        return np.take_along_axis(scores, candidates, axis=1)

    def vectors(self, obs: Observation) -> Floats32:
        """Return the vector of every user, ``(B, d)``.

        A user of the log has a vector. Any other user gets the mean of ``everybody`` and of the
        ``clickers`` of each item clicked in the observed history.
        """
        vectors = self._of_unknown(obs)
        if "user" not in obs:
            return vectors
        users = np.asarray(obs["user"])
        place = np.minimum(np.searchsorted(self.known, users), len(self.known) - 1)
        known = self.known[place] == users
        if self.features.shape[1]:
            # The same row in the table of another log is another user.
            known &= (self.features[place] == obs["user_features"]).all(axis=1)
        return np.where(known[:, None], self.users[place], vectors)

    def _of_unknown(self, obs: Observation) -> Floats32:
        batch = len(obs["candidates"])
        if "history_clicks" not in obs:
            return np.broadcast_to(self.everybody, (batch, len(self.everybody)))
        items = obs["history_items"]
        clicked = (obs["history_clicks"] == 1) & (items >= 0)  # (B, H)
        sums = np.einsum("bh,bhd->bd", clicked.astype(np.float32), self.clickers[items])
        total: Floats32 = (sums + self.everybody) / (1 + clicked.sum(axis=1, keepdims=True))
        return total.astype(np.float32)

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Return the arrays."""
        return {name: array.copy() for name, array in asdict(self).items()}

    @staticmethod
    def from_state(state: Mapping[str, Any]) -> Audience:
        """Build it from what `state_dict` returned."""
        return Audience(**{name: np.array(array) for name, array in state.items()})
