"""What was visited in a conversation that walks one tree at a time, and where it goes next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.fact_crs.model import Model

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Context:
    """B walks through the trees of a forest, and what rejections changed.

    Args:
        model: What was learned.
        size: B.
        catalogue: Ids of items are below this.

    Attributes:
        tree: Tree that each conversation walks, ``(B,)``.
        used: Trees that a slate was shown from, ``(B, trees)``.
        shift: What rejections added to the mean vector of the visited nodes, ``(B, D)``.
    """

    def __init__(self, model: Model, size: int, catalogue: int) -> None:
        self._model, self._config = model, model.config
        self._place = np.full(catalogue, -1)
        self._place[model.known] = np.arange(len(model.known))
        width = 0 if model.tables is None else model.tables.width
        dim = 0 if model.items is None else model.items.shape[1]
        self.tree = np.zeros(size, dtype=np.int64)
        self.used = np.zeros((size, len(model.forest)), dtype=np.bool_)
        self._total = np.zeros((size, width), dtype=np.float32)
        self._visits = np.zeros((size, 1), dtype=np.float32)
        self.shift = np.zeros((size, dim), dtype=np.float32)
        self._for_next = np.zeros((size, dim), dtype=np.float32)

    def visit(self, rows: Ints, nodes: Ints) -> Floats:
        """Add nodes, one in each tree, of which that of the walked tree counts; return the means.

        With ``walk: forest`` the mean is over the nodes of all trees, and nothing is kept.

        Args:
            rows: Conversations, ``(b,)``.
            nodes: ``(b, trees)``.

        Returns:
            ``(b, W)``, see `agents.fact_crs.rankers.NodeTables`.
        """
        tables = self._model.tables
        assert tables is not None
        if self._config.walk == "forest":
            return tables.mean(nodes)
        walked = self.tree[rows]
        self._total[rows] += tables.at(walked, nodes[np.arange(len(rows)), walked])
        self._visits[rows] += 1
        mean: Floats = self._total[rows] / self._visits[rows]
        return mean

    def shown(self, rows: Ints, slates: Ints, following: Ints, mean: Floats) -> None:
        r"""Note what slates change, should they be rejected.

        The vector v of the context becomes :math:`(v + a_+ \bar V_{next} - a_- \bar V_{shown}) /
        (1 + a_+ - a_-)`. In the published code the means are of the items' ids, a number that is
        added to every component, and the result reaches the choice of the next tree only.

        Args:
            rows: Conversations, ``(b,)``.
            slates: Item ids, padded with -1, ``(b, K)``.
            following: The next items of the ranking, likewise.
            mean: Mean vector of the visited nodes, ``(b, D)``.
        """
        config = self._config
        gain, loss = config.feedback_next, config.feedback_shown
        paper = config.feedback == "paper"
        towards: NDArray[np.floating] = (
            _mean_id(following) if paper else self._mean_vector(following)
        )
        away: NDArray[np.floating] = _mean_id(slates) if paper else self._mean_vector(slates)
        before = mean + self.shift[rows]
        after = (before + gain * towards - loss * away) / (1 + gain - loss)
        if paper:
            self._for_next[rows] = after
        else:
            self.shift[rows] = after - mean

    def next_tree(self, rows: Ints, nodes: Ints) -> None:
        """Leave the trees of some conversations for others, if there are any left.

        With vectors the next is the one whose node goes best with the context; else the one whose
        node has the fewest items.

        Args:
            rows: Conversations that were rejected, ``(b,)``.
            nodes: Node that the answers lead to in each tree, ``(b, trees)``.
        """
        forest = self._model.forest
        self.used[rows, self.tree[rows]] = True
        if self._config.ranker == "embedding":
            vector: NDArray[np.floating] = self._for_next[rows]
            if self._config.feedback != "paper":
                vector = self._total[rows] / np.maximum(self._visits[rows], 1) + self.shift[rows]
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

    def _mean_vector(self, ids: Ints) -> Floats:
        items = self._model.items
        assert items is not None
        place = np.where(ids >= 0, self._place[ids], -1)  # (b, K)
        real = (place >= 0)[:, :, None]
        total = np.where(real, items[place], 0).sum(axis=1)
        found: Floats = total / np.maximum(real.sum(axis=1), 1)
        return found


def _mean_id(ids: Ints) -> NDArray[np.float64]:
    real = ids >= 0
    found: NDArray[np.float64] = np.where(real, ids, 0).sum(axis=1, keepdims=True) / np.maximum(
        real.sum(axis=1, keepdims=True), 1
    )
    return found
