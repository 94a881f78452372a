"""The context of conversations: visited nodes, trees used so far, and effects of rejections."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.fact_crs.model import Model
from recsim.arrays import Floats32, Ints


class Context:
    """Contexts of B conversations.

    Args:
        model: The fitted model.
        size: B.
        num_items: I.

    Attributes:
        tree: Current tree of each conversation, ``(B,)``.
        used: Trees from which a slate was shown, ``(B, trees)``.
        shift: Change of the mean vector of the visited nodes by rejections, ``(B, D)``.
    """

    def __init__(self, model: Model, size: int, num_items: int) -> None:
        self._model, self._config = model, model.config
        self._position = np.full(num_items, -1)
        self._position[model.known] = np.arange(len(model.known))
        width = 0 if model.tables is None else model.tables.width
        dim = 0 if model.items is None else model.items.shape[1]
        self.tree = np.zeros(size, dtype=np.int64)
        self.used = np.zeros((size, len(model.forest)), dtype=np.bool_)
        self._total = np.zeros((size, width), dtype=np.float32)
        self._visits = np.zeros((size, 1), dtype=np.float32)
        self.shift = np.zeros((size, dim), dtype=np.float32)

    def visit(self, rows: Ints, nodes: Ints) -> Floats32:
        """Add the current tree's node to the visited ones and return the mean over all of them.

        With ``walk: forest``, the mean is over the nodes of all trees, and nothing is added.

        Args:
            rows: Conversations, ``(b,)``.
            nodes: One node in each tree, ``(b, trees)``.

        Returns:
            ``(b, W)``, see `agents.fact_crs.node_tables.NodeTables`.
        """
        tables = self._model.tables
        assert tables is not None
        if self._config.walk == "forest":
            return tables.mean(nodes)
        current = self.tree[rows]
        self._total[rows] += tables.at(current, nodes[np.arange(len(rows)), current])
        self._visits[rows] += 1
        mean: Floats32 = self._total[rows] / self._visits[rows]
        return mean

    def shown(self, rows: Ints, slates: Ints, following: Ints, mean: Floats32) -> None:
        r"""Record the effect of slates on the context, in case they are rejected.

        The context vector v becomes :math:`(v + a_+ \bar V_{next} - a_- \bar V_{shown}) /
        (1 + a_+ - a_-)`.

        Args:
            rows: Conversations, ``(b,)``.
            slates: Item ids, padded with -1, ``(b, K)``.
            following: The next items of the ranking, likewise.
            mean: Mean vector of the visited nodes, ``(b, D)``.
        """
        towards, away = self._mean_vector(following), self._mean_vector(slates)
        self.shift[rows] = self._shifted(rows, mean, towards, away) - mean

    def _shifted(
        self,
        rows: Ints,
        mean: Floats32,
        towards: NDArray[np.floating],
        away: NDArray[np.floating],
    ) -> NDArray[np.floating]:
        gain, loss = self._config.feedback_next, self._config.feedback_shown
        before = mean + self.shift[rows]
        after: NDArray[np.floating] = (before + gain * towards - loss * away) / (1 + gain - loss)
        return after

    def next_tree(self, rows: Ints, nodes: Ints) -> None:
        """Switch conversations to another tree if there is an unused one.

        With vectors, it is the tree whose node has the largest product with the context vector;
        otherwise, the tree whose node has the fewest items.

        Args:
            rows: Conversations with a rejected slate, ``(b,)``.
            nodes: Node that the answers lead to in each tree, ``(b, trees)``.
        """
        forest = self._model.forest
        self.used[rows, self.tree[rows]] = True
        if self._config.ranker == "embedding":
            vector = self._vector(rows)
            appeal = np.stack(
                [
                    np.einsum("bd,bd->b", tree.vectors[nodes[:, number]], vector)
                    for number, tree in enumerate(forest.trees)
                ],
                axis=1,
            )
        else:
            appeal = -forest.unique_items(nodes).astype(np.float32)
        best = np.where(self.used[rows], -np.inf, appeal).argmax(axis=1)
        self.tree[rows] = np.where(self.used[rows].all(axis=1), self.tree[rows], best)

    def _vector(self, rows: Ints) -> NDArray[np.floating]:
        """Return the context vectors, ``(b, D)``."""
        vector: NDArray[np.floating] = self._total[rows] / np.maximum(self._visits[rows], 1)
        return vector + self.shift[rows]

    def _mean_vector(self, ids: Ints) -> Floats32:
        items = self._model.items
        assert items is not None
        position = np.where(ids >= 0, self._position[ids], -1)  # (b, K)
        real = (position >= 0)[:, :, None]
        total = np.where(real, items[position], 0).sum(axis=1)
        mean: Floats32 = total / np.maximum(real.sum(axis=1), 1)
        return mean
