"""A baseline that asks about the attribute that comes closest to halving the candidates."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from agents.conversation.popularity import PopularityBase
from agents.shared.randomised import Randomised
from recsim.arrays import Bools, Floats
from recsim.contracts.conversations import Turn
from recsim.contracts.slates import Observation
from recsim.conversation import ConversationProblem
from recsim.conversation.ranking import filled, first_allowed
from recsim.draws import Purpose

SHOW = Purpose("show")


class MaxEntropyAgent(Randomised, PopularityBase):
    """Asks about the attribute with the highest entropy, or shows the most popular candidates.

    It shows a slate with probability K / n if n candidates are left, on the last turn, and if no
    question is left. This is the baseline of that name in Lei et al., KDD 2020 (arXiv:2007.00194),
    whose rule for showing is not published in full.
    """

    name: ClassVar[str] = "conv_max_entropy"
    reads = frozenset({"item_features", "item_ids"})

    def __init__(self, config: Any, problem: ConversationProblem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._explanations: list[str] = []

    def act(self, obs: Observation) -> Turn:
        """Ask or show, in every conversation."""
        problem, order = self._problem, self.order
        fits = self.fitting(obs)
        left = fits.sum(axis=1)  # (B,)
        share = attribute_rates(fits, problem.item_attributes)
        may = obs["action_mask"][:, :-1] > 0
        key = np.where(may, binary_entropy(share), -1.0)  # (B, F)
        best = np.argmax(key, axis=1)
        some = key[np.arange(len(best)), best] > 0
        chance = self._draws.next(len(left)).uniform(SHOW, 1)[:, 0]
        show = chance * left < problem.slate_size
        ask = np.where(some & ~show, best, -1)
        slates = first_allowed(order, fits, problem.slate_size)
        names = problem.attribute_names
        self._explanations = [
            f"Asked about '{names[one]}': {part:.0%} of {count:,} candidates have it."
            if one >= 0
            else f"Showed the most popular of {count:,} candidates."
            for one, part, count in zip(
                ask.tolist(), share[np.arange(len(best)), best], left.tolist(), strict=True
            )
        ]
        return Turn(ask, filled(slates, order, self.free(obs)))

    def explain(self, row: int) -> str:
        """Return the reason of the last turn of a conversation in words."""
        return self._explanations[row]


def attribute_rates(candidates: Bools, having: Bools) -> Floats:
    """Return the fraction of the candidates ``(B, I)`` that has each attribute, ``(B, F)``."""
    count = np.maximum(candidates.sum(axis=1, keepdims=True), 1)
    # Sparse, because an item has few of many attributes.
    total = (csr_array(having.T, dtype=np.float64) @ candidates.T.astype(np.float64)).T
    rates: Floats = total / count
    return rates


def binary_entropy(share: NDArray[np.floating]) -> Floats:
    """Return the entropy of a yes with these probabilities, in nats."""
    chance = np.clip(share.astype(np.float64), 1e-12, 1 - 1e-12)
    entropy: Floats = -chance * np.log(chance) - (1 - chance) * np.log1p(-chance)
    return np.where((share <= 0) | (share >= 1), 0.0, entropy)
