"""How linear models join a user and an item into one feature vector, without building it.

With ``u = (1, user features)`` of P entries and ``v = (1, item features)`` of Q entries, a linear
model over either joint vector only needs, per slate, ``G = sum v v^T`` (Q, Q) and
``h = sum y v`` (Q,), and per user a linear and a quadratic form in v. So the
joint vectors of all users and candidates are never formed, which makes a step cheap.
"""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import numpy as np

from recsim.arrays import Floats, Ints

# If the catalogue is at most this many times larger than the candidate set, scoring all items by
# one matrix product is faster than gathering features (measured: 15 times faster per item).
_WHOLE_CATALOGUE = 8


class JointFeatures(Protocol):
    """A map from (user, item) to a feature vector x of ``size`` entries."""

    size: int

    def sums(self, users: Floats, gram: Floats, moment: Floats) -> tuple[Floats, Floats]:
        """Return ``sum x x^T`` (d, d) and ``sum y x`` (d,) over slates.

        Args:
            users: u of each slate, ``(N, P)``.
            gram: G of each slate, ``(N, Q, Q)``.
            moment: h of each slate, ``(N, Q)``.
        """
        ...

    def utilities(self, users: Floats, candidates: Ints, theta: Floats) -> Floats:
        """Return ``theta^T x`` of every candidate, ``(B, C)``.

        Args:
            users: u of each user, ``(B, P)``.
            candidates: Item ids, ``(B, C)``.
            theta: ``(d,)``, or one for each user, ``(B, d)``.
        """
        ...

    def moments(
        self, users: Floats, candidates: Ints, theta: Floats, inverse: Floats
    ) -> tuple[Floats, Floats]:
        """Return ``theta^T x`` and ``x^T inverse x`` of every candidate, ``(B, C)`` each.

        Args:
            users: u of each user, ``(B, P)``.
            candidates: Item ids, ``(B, C)``.
            theta: ``(d,)``.
            inverse: Symmetric, ``(d, d)``.
        """
        ...


class Outer:
    """``x = u (outer) v``: every user feature has its own weights over the item features.

    ``x[p Q + q] = u_p v_q``, so d = P Q. Because both vectors start with 1, this holds the plain
    user and item features too.
    """

    def __init__(self, items: Floats, user_size: int) -> None:
        self._items = items  # (I, Q)
        self._shape = user_size, items.shape[1]
        self.size = user_size * items.shape[1]

    @cached_property
    def _item_squares(self) -> Floats:
        return _squares(self._items)

    def sums(self, users: Floats, gram: Floats, moment: Floats) -> tuple[Floats, Floats]:
        """Return ``sum x x^T`` and ``sum y x``; see `JointFeatures`."""
        p, q = self._shape
        pairs = _squares(users).T @ gram.reshape(-1, q * q)  # (PP, N) (N, QQ) -> (PP, QQ)
        # x x^T = (u u^T) (kron) (v v^T): [p, p', q, q'] -> [(p, q), (p', q')]
        square = pairs.reshape(p, p, q, q).transpose(0, 2, 1, 3).reshape(p * q, p * q)
        return square, (users.T @ moment).ravel()

    def utilities(self, users: Floats, candidates: Ints, theta: Floats) -> Floats:
        """Return ``theta^T x`` of every candidate; see `JointFeatures`."""
        weights = theta.reshape(*theta.shape[:-1], *self._shape)  # (P, Q) or (B, P, Q)
        of_user = users @ weights if weights.ndim == 2 else (users[:, None] @ weights)[:, 0]
        return _linear(of_user, self._items, candidates)  # (B, Q) -> (B, C)

    def moments(
        self, users: Floats, candidates: Ints, theta: Floats, inverse: Floats
    ) -> tuple[Floats, Floats]:
        """Return mean and variance of every candidate; see `JointFeatures`."""
        p, q = self._shape
        mean = self.utilities(users, candidates, theta)
        pairs = inverse.reshape(p, q, p, q).transpose(0, 2, 1, 3).reshape(p * p, q * q)
        forms = _squares(users) @ pairs  # (B, PP) (PP, QQ) -> (B, QQ)
        if len(self._items) <= _WHOLE_CATALOGUE * candidates.shape[1]:
            return mean, _linear(forms, self._item_squares, candidates)
        v = self._items[candidates]  # (B, C) -> (B, C, Q)
        return mean, np.einsum("bcq,bcq->bc", v @ forms.reshape(-1, q, q), v)


class Concat:
    """``x = (u, item features)``: d = P + Q - 1, for features too many to multiply out.

    The estimated mean then ranks the items in the same order for every user; only the width of the
    confidence interval is personal.
    """

    def __init__(self, items: Floats, user_size: int) -> None:
        self._items = items  # (I, Q)
        self._user_size = user_size
        self.size = user_size + items.shape[1] - 1

    def sums(self, users: Floats, gram: Floats, moment: Floats) -> tuple[Floats, Floats]:
        """Return ``sum x x^T`` and ``sum y x``; see `JointFeatures`."""
        # v starts with 1, so the first row of G counts the items and sums their features.
        user_item = users.T @ gram[:, 0, 1:]  # (P, N) (N, Q-1) -> (P, Q-1)
        square = np.block(
            [
                [(users * gram[:, :1, 0]).T @ users, user_item],
                [user_item.T, gram[:, 1:, 1:].sum(axis=0)],
            ]
        )
        return square, np.concatenate([users.T @ moment[:, 0], moment[:, 1:].sum(axis=0)])

    def utilities(self, users: Floats, candidates: Ints, theta: Floats) -> Floats:
        """Return ``theta^T x`` of every candidate; see `JointFeatures`."""
        p, v = self._user_size, self._items[:, 1:]
        if theta.ndim == 1:
            return (users @ theta[:p])[:, None] + (v @ theta[p:])[candidates]
        of_user: Floats = np.einsum("bp,bp->b", users, theta[:, :p])
        return of_user[:, None] + _linear(theta[:, p:], v, candidates)

    def moments(
        self, users: Floats, candidates: Ints, theta: Floats, inverse: Floats
    ) -> tuple[Floats, Floats]:
        """Return mean and variance of every candidate; see `JointFeatures`."""
        p, v = self._user_size, self._items[:, 1:]
        mean = self.utilities(users, candidates, theta)
        # (u, v)^T S (u, v) = u S_uu u + 2 u S_uv v + v S_vv v
        of_user = np.einsum("bp,bp->b", users @ inverse[:p, :p], users)
        of_item = np.einsum("iq,iq->i", v @ inverse[p:, p:], v)
        cross = _linear(users @ inverse[:p, p:], v, candidates)
        return mean, of_user[:, None] + 2 * cross + of_item[candidates]


def _squares(rows: Floats) -> Floats:
    """Return the flattened outer square of each row, ``(N, P)`` to ``(N, P P)``."""
    return (rows[:, :, None] * rows[:, None, :]).reshape(len(rows), rows.shape[1] ** 2)


def _linear(weights: Floats, table: Floats, candidates: Ints) -> Floats:
    """Return ``weights_b . table_i`` for the candidates i of each row b, ``(B, C)``."""
    if len(table) <= _WHOLE_CATALOGUE * candidates.shape[1]:
        return np.take_along_axis(weights @ table.T, candidates, axis=1)  # (B, I) -> (B, C)
    scores: Floats = np.einsum("bcq,bq->bc", table[candidates], weights)
    return scores  # (B, C, Q) -> (B, C)
