"""An encoder, what it is trained to predict, and how it scores the item to come."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from agents.sequential import losses
from agents.sequential.config import (
    BERT4RecConfig,
    GRU4RecConfig,
    SASRecConfig,
    SequentialConfig,
)
from agents.sequential.encoders import Embedding, Recurrent, Transformer
from agents.sequential.sequences import PADDING, special_tokens

_SAMPLED = {"bce": losses.bce, "bpr": losses.bpr, "top1_max": losses.top1_max}


class SequenceModel(nn.Module, ABC):
    """Base of the three models.

    Args:
        config: Settings.
        num_items: I.
    """

    encoder: nn.Module

    def __init__(self, config: SequentialConfig, num_items: int) -> None:
        super().__init__()
        self.num_items = num_items
        self.embedding = Embedding(num_items, config.dim)
        self.start, self.mask = special_tokens(num_items)

    def states(self, tokens: Tensor) -> Tensor:
        """Return the state at every token, start token included, ``(B, T + 1, D)``.

        Args:
            tokens: Padded at the right, without a start token, ``(B, T)``.
        """
        first = tokens.new_full((len(tokens), 1), self.start)
        tokens = torch.cat([first, tokens], dim=1)
        states: Tensor = self.encoder(self.embedding(tokens), tokens != PADDING)
        return states

    @abstractmethod
    def next_states(self, tokens: Tensor) -> Tensor:
        """Return the states from which the next event is predicted, ``(B, D)``."""

    @abstractmethod
    def examples(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return n states and the items to predict from them, ``(n, D)`` and ``(n,)``."""

    @abstractmethod
    def losses(self, states: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each example, ``(n,)``."""

    def vectors(self) -> Tensor:
        """Return the output vector of each item, ``(I, D)``; by default the input vector."""
        return self.embedding.items()

    def offsets(self) -> Tensor:
        """Return the bias of each item's score, ``(I,)``; by default 0."""
        return self.vectors().new_zeros(self.num_items)

    def score_all(self, states: Tensor) -> Tensor:
        """Return the scores of all items, ``(n, D) -> (n, I)``."""
        return states @ self.vectors().T + self.offsets()

    def score(self, states: Tensor, items: Tensor) -> Tensor:
        """Return the scores of some items of each row, ``(n, D), (n, C) -> (n, C)``."""
        return torch.einsum("bd,bcd->bc", states, self.vectors()[items]) + self.offsets()[items]

    def _loss(self, name: str, negatives: int, states: Tensor, target: Tensor) -> Tensor:
        if name == "cross_entropy":
            return losses.cross_entropy(self.score_all(states), target)
        others = losses.draw_negatives(target, self.num_items, negatives)
        scores = self.score(states, torch.cat([target[:, None], others], dim=1))  # (n, 1 + N)
        return _SAMPLED[name](scores[:, 0], scores[:, 1:])


class _LeftToRight(SequenceModel):
    """Every state predicts the next item from the earlier ones."""

    def next_states(self, tokens: Tensor) -> Tensor:
        """Return the state at the last event, or at the start token."""
        return _at(self.states(tokens), (tokens != PADDING).sum(dim=1))

    def examples(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return the state before every event, and the event."""
        states = self.states(tokens[:, :-1])  # (B, T, D)
        real = tokens != PADDING
        return states[real], tokens[real] - 1


class SASRec(_LeftToRight):
    """Causal self-attention."""

    def __init__(self, config: SASRecConfig, num_items: int) -> None:
        super().__init__(config, num_items)
        self._settings = config.loss, config.negatives
        self.encoder = Transformer(
            config.dim,
            config.layers,
            config.heads,
            config.dropout,
            config.max_length + 1,
            causal=True,
        )

    def losses(self, states: Tensor, target: Tensor) -> Tensor:
        """Return the loss of the settings."""
        return self._loss(*self._settings, states, target)


class GRU4Rec(_LeftToRight):
    """A recurrent network with separate input and output vectors of items."""

    def __init__(self, config: GRU4RecConfig, num_items: int) -> None:
        super().__init__(config, num_items)
        self._settings = config.loss, config.negatives
        self.encoder = Recurrent(config.dim, config.layers, config.dropout)
        self.output = nn.Linear(config.dim, num_items)

    def vectors(self) -> Tensor:
        """Return the rows of the output matrix."""
        return self.output.weight

    def offsets(self) -> Tensor:
        """Return the learned biases."""
        return self.output.bias

    def losses(self, states: Tensor, target: Tensor) -> Tensor:
        """Return the loss of the settings."""
        return self._loss(*self._settings, states, target)


class BERT4Rec(SequenceModel):
    """Self-attention in both directions, which predicts masked events."""

    def __init__(self, config: BERT4RecConfig, num_items: int) -> None:
        super().__init__(config, num_items)
        self._mask_share, self._next_share = config.mask_share, config.next_share
        self.encoder = Transformer(
            config.dim,
            config.layers,
            config.heads,
            config.dropout,
            config.max_length + 1,
            causal=False,
        )
        self.project = nn.Sequential(
            nn.Linear(config.dim, config.dim), nn.GELU(), nn.LayerNorm(config.dim)
        )
        self.bias = nn.Parameter(torch.zeros(num_items))

    def offsets(self) -> Tensor:
        """Return the learned biases."""
        return self.bias

    def next_states(self, tokens: Tensor) -> Tensor:
        """Return the state at a masked event appended to the sequence."""
        length = (tokens != PADDING).sum(dim=1)
        longer = torch.cat([tokens, tokens.new_full((len(tokens), 1), PADDING)], dim=1)
        longer[torch.arange(len(tokens), device=tokens.device), length] = self.mask
        hidden: Tensor = self.project(_at(self.states(longer), length + 1))
        return hidden

    def examples(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Mask some events, or only the last one of a prefix; return their states and items."""
        length = (tokens != PADDING).sum(dim=1)  # (B,)
        chance = torch.rand(len(tokens), 2, device=tokens.device)
        is_next = chance[:, :1] < self._next_share
        cut = torch.where(is_next[:, 0], (chance[:, 1] * length).long() + 1, length)
        place = torch.arange(tokens.shape[1], device=tokens.device)
        tokens = torch.where(place < cut[:, None], tokens, PADDING)
        last = place == cut[:, None] - 1  # (B, T)
        drawn = torch.rand(tokens.shape, device=tokens.device) < self._mask_share
        drawn &= tokens != PADDING
        masked = torch.where(is_next | ~drawn.any(dim=1, keepdim=True), last, drawn)
        states = self.states(torch.where(masked, self.mask, tokens))[:, 1:]
        return self.project(states[masked]), tokens[masked] - 1

    def losses(self, states: Tensor, target: Tensor) -> Tensor:
        """Return the cross-entropy of the masked events."""
        return losses.cross_entropy(self.score_all(states), target)


def _at(states: Tensor, place: Tensor) -> Tensor:
    """Return one state of each row, ``(B, T, D), (B,) -> (B, D)``."""
    return states[torch.arange(len(states), device=states.device), place]
