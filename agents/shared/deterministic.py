"""Agents that always show the same slate for the same observation."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from agents.shared import slates
from agents.shared.base import BaseSlateAgent
from recsim.arrays import Floats, Ints
from recsim.contracts.slates import Decision, Observation


class Deterministic(BaseSlateAgent, ABC):
    """An agent with one slate per observation: all its probabilities are 0 or 1."""

    @abstractmethod
    def _slates(self, obs: Observation) -> Ints:
        """Return the slate of every user, indices of candidates ``(B, K)``, and change nothing."""

    def act(self, obs: Observation) -> Decision:
        """Show every user their slate."""
        chosen = self._slates(obs)
        return Decision(chosen, np.ones(chosen.shape), np.ones(len(chosen)))

    def propensities(self, obs: Observation, items: Ints) -> Floats:
        """Return 1 where this agent shows the item at the position, else 0."""
        own = np.take_along_axis(obs["candidates"], self._slates(obs), axis=1)
        return slates.matches(own, items)

    def action_probabilities(self, obs: Observation) -> Floats:
        """Return 1 for each candidate shown at its position, else 0, ``(B, K, C)``."""
        return slates.one_hot(self._slates(obs), obs["candidates"].shape[1])
