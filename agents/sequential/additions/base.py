"""What an addition to the training loss looks like."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from agents.sequential.models import SequenceModel
from agents.sequential.sequences import by_length


class Addition(ABC):
    """A further term of the training loss.

    Class attributes:
        updates: Steps of the model on each batch.
    """

    updates: ClassVar[int] = 1

    @abstractmethod
    def loss(self, tokens: Tensor) -> Tensor:
        """Return the term for a batch of windows, ``(B, L + 1)``: a number with its weight."""

    def between(self, tokens: Tensor) -> None:  # noqa: B027  # optional
        """Train what is not part of the model, after the first step on a batch."""


def next_states(model: SequenceModel, tokens: Tensor) -> Tensor:
    """Return the states after sequences of different lengths, ``(B, T) -> (B, D)``."""
    rows, states = [], []
    for group, part in by_length(tokens):
        rows.append(group)
        states.append(model.next_states(part))
    return torch.cat(states)[torch.cat(rows).argsort()]
