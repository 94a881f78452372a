r"""The model of `cascade_dr`: the reward expected from a position of the slate to its end.

Under a cascade the reward at position k depends on the user and on the items up to k. Q_k(x, a_1:k)
is the expected reward of position k and those after it if the evaluated policy fills the rest, and
E Q_k its mean over what that policy shows at k after a_1:k-1. It is fitted backwards from the last
position; see `recsim.estimators.backward`.

Reference: Kiyohara et al. 2022, "Doubly Robust Off-Policy Evaluation for Ranking Policies under the
Cascade Behavior Model", arXiv 2202.01562.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsim.arrays import Bools, Floats, Ints
from recsim.problem import Problem

# With more items than this an item has no column of its own, only its features.
MOST_COLUMNS = 64
# Most products of user and item features.
MOST_PRODUCTS = 1024


@dataclass(frozen=True, eq=False)
class CascadeStages:
    """Positions of N slates as stages; see `recsim.estimators.backward.Stages`.

    The features are those of the user, of the item, the sum of those of the items before it, the
    products of that sum with the item's (its similarity to the items before it), and, if they are
    few, the products of each of the user's with each of the item's.

    Attributes:
        users: User features, ``(N, F)``.
        slates: Item ids, ``(N, K)``, -1 where a position is empty.
        candidates: Item ids, ``(N, C)``.
        next_probabilities: The evaluated policy's probability of every candidate at k after the
            logged items before k, ``(N, K, C)``.
        rewards: ``(N, K)``.
        items: Features of every item, ``(I, D)``.
    """

    users: Floats
    slates: Ints
    candidates: Ints
    next_probabilities: Floats
    rewards: Floats
    items: Floats

    @property
    def there(self) -> Bools:
        """False at empty positions, ``(N, K)``."""
        return self.slates >= 0

    @property
    def width(self) -> int:
        """Number of features, P."""
        users, items = self.users.shape[1], self.items.shape[1]
        return int(users + 3 * items + (users * items if self._products else 0))

    def shown(self, stage: int, rows: Ints) -> Floats:
        """Return the features of the item shown at a position, ``(n, P)``."""
        table: Floats = self._table(stage, rows, self.slates[rows, stage : stage + 1])[:, 0]
        return table

    def chances(self, stage: int, rows: Ints) -> Floats:
        """Return the probability of every candidate, ``(n, C)``."""
        chances: Floats = self.next_probabilities[rows, stage]
        return chances

    def options(self, stage: int, rows: Ints) -> Floats:
        """Return the features of every candidate at a position, ``(n, C, P)``."""
        return self._table(stage, rows, self.candidates[rows])

    def _table(self, stage: int, rows: Ints, items: Ints) -> Floats:
        """Return the features of items (n, A) at a position after those logged before it."""
        own = self.items[items]  # (n, A, D)
        before = self.items[self.slates[rows, :stage]].sum(axis=1)[:, None]  # (n, 1, D)
        users = self.users[rows][:, None]  # (n, 1, F)

        def repeated(values: Floats) -> Floats:
            return np.broadcast_to(values, (*items.shape, values.shape[2]))

        columns = [repeated(users), own, repeated(before), before * own]
        if self._products:
            products = users[:, :, :, None] * own[:, :, None, :]  # (n, A, F, D)
            columns.append(products.reshape(*items.shape, -1))
        return np.concatenate(columns, axis=2)

    @property
    def _products(self) -> bool:
        return bool(self.users.shape[1] * self.items.shape[1] <= MOST_PRODUCTS)


def item_table(problem: Problem) -> Floats:
    """Return the features of every item, with a column for each item if there are few, ``(I, D)``.

    Args:
        problem: The catalogue.
    """
    count = problem.num_items
    table = problem.item_features.astype(np.float64).reshape(count, -1)
    return np.concatenate([table, np.eye(count)], axis=1) if count <= MOST_COLUMNS else table
