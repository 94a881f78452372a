"""How likely each known item is the one that the user looks for, given what the user said."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.fact_crs.likelihood import Likelihood

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Belief:
    """Posterior over items in B conversations: popularity times the likelihood of the answers.

    Attributes:
        scores: Log-probability of each known item, ``(B, S)``; of differences only.
        known: Answers taken in, ``(B, F)``.
    """

    def __init__(self, likelihood: Likelihood, size: int, attributes: int) -> None:
        self._likelihood = likelihood
        self._prior = np.log(likelihood.counts)
        self.scores: Floats = np.tile(self._prior, (size, 1))
        self.known = np.zeros((size, attributes), dtype=np.int8)

    def forget(self, rows: Ints) -> None:
        """Go back to the prior in some conversations, ``(b,)``."""
        self.scores[rows], self.known[rows] = self._prior, 0

    def hear(self, rows: Ints, answers: NDArray[np.int8]) -> None:
        """Take in the answers of some conversations.

        Args:
            rows: Which of the B, ``(b,)``.
            answers: All their answers so far, 1 yes, 2 no, 0 not asked, ``(b, F)``.
        """
        row, attribute = np.nonzero((answers > 0) & (self.known[rows] == 0))
        place = np.arange(len(row)) - np.searchsorted(
            row, row
        )  # which of a conversation's new answers
        for turn in range(int(place.max(initial=-1)) + 1):
            now = place == turn
            yes = answers[row[now], attribute[now]] == 1
            chance = self._likelihood.chances(attribute[now])  # (n, S)
            self.scores[rows[row[now]]] += np.log(np.where(yes[:, None], chance, 1 - chance))
        self.known[rows] = answers


def probabilities(scores: NDArray[np.floating]) -> Floats:
    """Return the softmax of each row, ``(b, S)``; rows that are -inf throughout give 0."""
    largest = scores.max(axis=1, keepdims=True)
    odds = np.exp(scores - np.where(np.isfinite(largest), largest, 0))
    found: Floats = odds / np.maximum(odds.sum(axis=1, keepdims=True), 1e-30)
    return found
