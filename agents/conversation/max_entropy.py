"""Asks for the attribute that halves the candidates best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from agents.conversation.popularity import Counting, filled
from recsim.contracts.conversations import Turn
from recsim.contracts.slates import Observation
from recsim.conversation import ConversationProblem
from recsim.conversation.ranking import first_allowed


class MaxEntropyAgent(Counting):
    """Asks for the attribute of highest entropy among the candidates, or shows popular ones.

    It shows with probability K / n of the n candidates left, on the last turn, and when no question
    is left; the baseline of that name in Lei et al., KDD 2020 (arXiv:2007.00194), whose rule for
    showing is not published in full.
    """

    name: ClassVar[str] = "conv_max_entropy"

    def __init__(self, config: Any, problem: ConversationProblem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._rng = np.random.default_rng(seed)
        self._told: list[str] = []

    def act(self, obs: Observation) -> Turn:
        """Ask or show, in every conversation."""
        problem, order = self._problem, self.order
        fits = self.fitting(obs)
        left = fits.sum(axis=1)  # (B,)
        share = having_share(fits, problem.item_attributes)
        may = obs["action_mask"][:, :-1] > 0
        key = np.where(may, binary_entropy(share), -1.0)  # (B, F)
        best = np.argmax(key, axis=1)
        some = key[np.arange(len(best)), best] > 0
        show = self._rng.random(len(left)) * left < problem.slate_size
        ask = np.where(some & ~show, best, -1)
        slates = first_allowed(order, fits, problem.slate_size)
        names = problem.attribute_names
        self._told = [
            f"Asked for '{names[one]}': {part:.0%} of {count:,} candidates have it."
            if one >= 0
            else f"Showed the most popular of {count:,} candidates."
            for one, part, count in zip(
                ask.tolist(), share[np.arange(len(best)), best], left.tolist(), strict=True
            )
        ]
        return Turn(ask, filled(slates, order, self.free(obs)))

    def explain(self, row: int) -> str:
        """Say why the last turn of a conversation was what it was."""
        return self._told[row]

    def state_dict(self) -> dict[str, Any]:
        """Return the counts and the state of the random generator."""
        return super().state_dict() | {"rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what the saved agent knew."""
        super().load_state_dict(state)
        self._rng.bit_generator.state = state["rng"]


def having_share(candidates: NDArray[np.bool_], having: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return which share of the candidates ``(B, I)`` has each attribute, ``(B, F)``."""
    count = np.maximum(candidates.sum(axis=1, keepdims=True), 1)
    # Of many attributes an item has few.
    found = (csr_array(having.T, dtype=np.float64) @ candidates.T.astype(np.float64)).T
    share: NDArray[np.float64] = found / count
    return share


def binary_entropy(share: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the entropy of a yes with these probabilities, in nats."""
    chance = np.clip(share.astype(np.float64), 1e-12, 1 - 1e-12)
    entropy: NDArray[np.float64] = -chance * np.log(chance) - (1 - chance) * np.log1p(-chance)
    return np.where((share <= 0) | (share >= 1), 0.0, entropy)
