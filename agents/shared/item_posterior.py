"""Posterior of the items given a user's answers about attributes.

The prior of an item is its number of interactions, the likelihood of an answer how often the item's
users would have given it; see `Likelihood`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from recsim.arrays import Bools, Floats, Floats32, Ints
from recsim.conversation import AttributeData
from recsim.errors import AgentError

# Interactions whose answers are in a dense table at once.
_CHUNK = 4096


@dataclass(frozen=True, eq=False)
class AnsweredInteractions:
    """n interactions with the answers of their users, and the S items that they cover.

    Attributes:
        answers: 1 if the user would say yes to the attribute, ``(n, F)``, sparse.
        item: Position of each interaction's item in ``known``, ``(n,)``.
        known: Ids of the known items, most popular first, ``(S,)``: those with an interaction, or
            all items.
        counts: Interactions of each known item, or ``unseen`` for items without any, ``(S,)``.
    """

    answers: csr_array
    item: Ints
    known: Ints
    counts: Floats

    @classmethod
    def of(cls, data: AttributeData, *, caring: bool, unseen: float = 0.0) -> Self:
        """Return the train part of some data.

        Args:
            data: The data.
            caring: Whether users say yes only to attributes that they care about.
            unseen: Number of interactions for which an item without any counts; 0 leaves such items
                out.

        Raises:
            AgentError: If the train part is empty.
        """
        rows = data.rows("train")
        if not rows.size:
            raise AgentError("the train part has no interactions to learn from.")
        total = np.maximum(data.counts("train"), unseen)
        known = np.argsort(-total, kind="stable")[: np.count_nonzero(total)]
        position = np.full(data.num_items, -1)
        position[known] = np.arange(len(known))
        pieces = [
            csr_array(data.answers(chunk, caring=caring), dtype=np.float32)
            for chunk in np.split(rows, range(_CHUNK, len(rows), _CHUNK))
        ]
        answers = csr_array(vstack(pieces, format="csr"))
        return cls(answers, position[data.item[rows]], known, total[known].astype(np.float64))

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
        """Return the number of yes answers per attribute and item, ``(F, S)``, sparse."""
        ones = np.ones(len(self), dtype=np.float32)
        of_item = csr_array(
            (ones, (np.arange(len(self)), self.item)), shape=(len(self), self.num_known)
        )
        return csr_array(self.answers.T @ of_item)

    def yes_pairs(self, rows: Ints) -> tuple[Ints, Ints]:
        """Return attribute and item of every yes in some interactions, each ``(Y,)``."""
        first, end = self.answers.indptr[rows], self.answers.indptr[rows + 1]
        each = (end - first).astype(np.int64)
        offset = np.repeat(first - np.concatenate([[0], np.cumsum(each)[:-1]]), each)
        index = np.arange(int(each.sum())) + offset
        return self.answers.indices[index].astype(np.int64), np.repeat(self.item[rows], each)

    def says_yes(self, rows: Ints, attribute: int) -> Bools:
        """Return which of some interactions have a yes to an attribute, ``(n,)``."""
        column = np.zeros(len(self), dtype=np.bool_)
        entries = np.flatnonzero(self.answers.indices == attribute)
        column[np.searchsorted(self.answers.indptr, entries, side="right") - 1] = True
        return column[rows]


class Likelihood:
    r"""P(yes to f | target i), estimated from interactions.

    .. math:: P(\text{yes}_f \mid i) = \frac{n_{i,f} + s\, p_f}{n_i + s}

    if the item has the attribute, where n_i is the number of its interactions, n_{i,f} that with a
    yes, and p_f the fraction of yes answers over all interactions; otherwise ``slip``. The result
    is clipped to ``[slip, 1 - slip]``. If users answer for the item alone, a yes is certain if the
    item has the attribute.

    Args:
        yes: n_{i,f}, ``(F, S)``, sparse.
        counts: n_i, ``(S,)``.
        having: Which known item has which attribute, ``(S, F)`` bool.
        smoothing: s.
        slip: See above.
        certain: Whether users answer for the item alone.
    """

    def __init__(
        self,
        yes: csr_array,
        counts: NDArray[np.floating],
        having: Bools,
        *,
        smoothing: float,
        slip: float,
        certain: bool = False,
    ) -> None:
        self.counts = counts.astype(np.float32)
        self._yes, self._having, self._smoothing, self._slip = yes, having, smoothing, slip
        self._certain = certain
        self._rate = np.asarray(yes.sum(axis=1)).ravel() / counts.sum()  # (F,)
        self._cache: dict[int, Floats32] = {}

    @classmethod
    def of(cls, data: AnsweredInteractions, having: Bools, **settings: Any) -> Self:
        """Return the likelihood estimated from interactions; settings are those of the class."""
        return cls(data.yes_counts(), data.counts, having, **settings)

    def chances(self, attributes: Ints) -> Floats32:
        """Return the probability of a yes to each attribute given each known item, ``(n, S)``.

        The result for an attribute is computed once and cached.
        """
        wanted, position = np.unique(attributes, return_inverse=True)
        return np.stack([self._chances(int(one)) for one in wanted])[position]

    def predicted(self, belief: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the probability of a yes to every attribute, ``(B, F)``.

        Args:
            belief: Probability of each known item, ``(B, S)``.
        """
        # Few items have an attribute; the chance is the same for all others.
        above: NDArray[np.floating] = (self._above_slip @ belief.T).T
        chance: NDArray[np.floating] = above + self._slip * belief.sum(axis=1, keepdims=True)
        return chance

    @cached_property
    def _above_slip(self) -> csr_array:
        """Chance of a yes minus ``slip``, ``(F, S)``, sparse."""
        item, attribute = np.nonzero(self._having)
        yes = np.asarray(self._yes[attribute, item]).ravel()
        above = self._chance(yes, self._rate[attribute], self.counts[item]) - self._slip
        shape = self._having.shape[::-1]
        return csr_array((above.astype(np.float32), (attribute, item)), shape=shape)

    def _chances(self, attribute: int) -> Floats32:
        if attribute not in self._cache:
            yes = self._yes[[attribute]].toarray()[0]
            chance = self._chance(yes, self._rate[attribute], self.counts)
            having = self._having[:, attribute]
            self._cache[attribute] = np.where(having, chance, self._slip).astype(np.float32)
        return self._cache[attribute]

    def _chance(
        self, yes: NDArray[np.floating], rate: NDArray[np.floating] | float, counts: Floats32
    ) -> NDArray[np.floating]:
        """Return the chance of a yes for items that have the attribute."""
        if self._certain:
            return np.full(np.shape(yes), 1 - self._slip)
        chance = (yes + self._smoothing * rate) / (counts + self._smoothing)
        clipped: NDArray[np.floating] = np.clip(chance, self._slip, 1 - self._slip)
        return clipped

    def state_dict(self) -> dict[str, Any]:
        """Return the counts."""
        return {
            "counts": self.counts.copy(),
            "first": self._yes.indptr.copy(),
            "item": self._yes.indices.copy(),
            "yes": self._yes.data.copy(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], having: Bools, **settings: Any) -> Self:
        """Return the likelihood saved by `state_dict`; settings are those of the class."""
        shape = (having.shape[1], having.shape[0])
        yes = csr_array((state["yes"], state["item"], state["first"]), shape=shape)
        counts = np.array(state["counts"], dtype=np.float64)
        return cls(yes, counts, having, **settings)


class Belief:
    """Posterior of the items in B conversations: popularity times the likelihood of the answers.

    Attributes:
        scores: Log-probability of each known item up to a constant, ``(B, S)``.
        known: Answers so far, ``(B, F)``.
    """

    def __init__(self, likelihood: Likelihood, size: int, attributes: int) -> None:
        self._likelihood = likelihood
        self._prior = np.log(likelihood.counts)
        self.scores: Floats32 = np.tile(self._prior, (size, 1))
        self.known = np.zeros((size, attributes), dtype=np.int8)

    def reset(self, rows: Ints) -> None:
        """Return to the prior in some conversations, ``(b,)``."""
        self.scores[rows], self.known[rows] = self._prior, 0

    def update(self, rows: Ints, answers: NDArray[np.int8]) -> None:
        """Condition on the answers in some conversations.

        Args:
            rows: Which of the B conversations, ``(b,)``.
            answers: All their answers so far, 1 yes, 2 no, 0 not asked, ``(b, F)``.
        """
        row, attribute = np.nonzero((answers > 0) & (self.known[rows] == 0))
        # Each conversation's new answers are numbered, and handled one number at a time.
        number = np.arange(len(row)) - np.searchsorted(row, row)
        for turn in range(int(number.max(initial=-1)) + 1):
            now = number == turn
            yes = answers[row[now], attribute[now]] == 1
            chance = self._likelihood.chances(attribute[now])  # (n, S)
            self.scores[rows[row[now]]] += np.log(np.where(yes[:, None], chance, 1 - chance))
        self.known[rows] = answers


def probabilities(scores: NDArray[np.floating]) -> Floats32:
    """Return the softmax of each row, ``(b, S)``; rows with -inf everywhere give 0."""
    largest = scores.max(axis=1, keepdims=True)
    odds = np.exp(scores - np.where(np.isfinite(largest), largest, 0))
    chance: Floats32 = odds / np.maximum(odds.sum(axis=1, keepdims=True), 1e-30)
    return chance
