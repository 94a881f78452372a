"""The rows that trees are grown on: interactions, with the answers that their users would give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from recsim.conversation import AttributeData
from recsim.errors import UserError

# Rows whose answers are held as a dense table at a time.
_CHUNK = 4096


@dataclass(frozen=True, eq=False)
class Rows:
    """n interactions, and the S items that count as known: those with an interaction, or all.

    Attributes:
        answers: 1 where the answer is yes, ``(n, F)``, sparse.
        item: Place of each row's item in ``known``, ``(n,)``.
        known: Ids of known items, most popular first, ``(S,)``.
        counts: Interactions of each known item, or what one without is worth, ``(S,)``.
    """

    answers: csr_array
    item: NDArray[np.int64]
    known: NDArray[np.int64]
    counts: NDArray[np.float64]

    @classmethod
    def of(cls, data: AttributeData, *, caring: bool, unseen: float = 0.0) -> Rows:
        """Return the train part of some data.

        Args:
            data: The data.
            caring: Whether users say yes only to attributes that they care for.
            unseen: Interactions that an item without any counts for; 0 leaves such items out.

        Raises:
            UserError: The train part is empty.
        """
        rows = data.rows("train")
        if not rows.size:
            raise UserError("agent 'fact_crs': the train part has no interactions.")
        total = np.maximum(data.counts("train"), unseen)
        known = np.argsort(-total, kind="stable")[: np.count_nonzero(total)]
        place = np.full(data.num_items, -1)
        place[known] = np.arange(len(known))
        pieces = [
            csr_array(data.answers(chunk, caring=caring), dtype=np.float32)
            for chunk in np.split(rows, range(_CHUNK, len(rows), _CHUNK))
        ]
        answers = csr_array(vstack(pieces, format="csr"))
        return cls(answers, place[data.item[rows]], known, total[known].astype(np.float64))

    def __len__(self) -> int:
        """Return the number of interactions, n."""
        return len(self.item)

    @property
    def num_attributes(self) -> int:
        """F."""
        return int(self.answers.shape[1])

    @property
    def num_known(self) -> int:
        """S."""
        return len(self.known)

    def yes_counts(self) -> csr_array:
        """Return how often the answer about an item was yes, ``(F, S)``, sparse."""
        ones = np.ones(len(self), dtype=np.float32)
        of_item = csr_array(
            (ones, (np.arange(len(self)), self.item)), shape=(len(self), self.num_known)
        )
        return csr_array(self.answers.T @ of_item)

    def yes_pairs(self, members: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return attribute and item of every yes of some rows, each ``(Y,)``."""
        first, end = self.answers.indptr[members], self.answers.indptr[members + 1]
        each = (end - first).astype(np.int64)
        offset = np.repeat(first - np.concatenate([[0], np.cumsum(each)[:-1]]), each)
        at = np.arange(int(each.sum())) + offset
        return self.answers.indices[at].astype(np.int64), np.repeat(self.item[members], each)

    def says_yes(self, members: NDArray[np.int64], attribute: int) -> NDArray[np.bool_]:
        """Return which of some rows answer yes to an attribute, ``(n,)``."""
        column = np.zeros(len(self), dtype=np.bool_)
        column[self._saying(attribute)] = True
        return column[members]

    def _saying(self, attribute: int) -> NDArray[np.int64]:
        place = np.flatnonzero(self.answers.indices == attribute)
        return np.searchsorted(self.answers.indptr, place, side="right") - 1
