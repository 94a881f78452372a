"""An encoder, what it is trained to predict, and how it scores the item to come."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.sequential.additions.metadata import MetadataEmbedding
from agents.sequential.config import (
    BERT4RecConfig,
    GRU4RecConfig,
    SequentialConfig,
)
from agents.sequential.encoders import Embedding, Recurrent, transformer
from agents.sequential.sequences import PADDING, by_length, inputs_of, special_tokens

# The loss of each of n states and the items to predict from them.
Loss = Callable[["SequenceModel", Tensor, Tensor], Tensor]


class SequenceModel(nn.Module, ABC):
    """Base of the three models: an item's score is its vector times a state, plus its bias.

    Args:
        config: Settings.
        num_items: I.
    """

    encoder: nn.Module
    embedding: Embedding | MetadataEmbedding

    def __init__(self, config: SequentialConfig, num_items: int) -> None:
        super().__init__()
        self.num_items = num_items
        self.embedding = Embedding(num_items, config.dim, config.init_std)
        self.bias = nn.Parameter(torch.zeros(num_items), requires_grad=config.item_bias)
        self.start, self.mask = special_tokens(num_items)

    def begin_at_popularity(self, counts: Tensor) -> None:
        """Set the biases to the logarithm of popularity, if items have a bias.

        Args:
            counts: How often each item is an event in training, ``(I,)``.
        """
        if self.bias.requires_grad:
            logarithm = torch.log1p(counts.to(self.bias.dtype))
            with torch.no_grad():
                self.bias.copy_(logarithm - logarithm.mean())

    def states(self, tokens: Tensor) -> Tensor:
        """Return the state at every token, ``(B, T) -> (B, T, D)``; tokens padded on the right."""
        states: Tensor = self.encoder(self.embedding(tokens), tokens != PADDING)
        return states

    @abstractmethod
    def next_states(self, tokens: Tensor) -> Tensor:
        """Return the states from which the next event is predicted, ``(B, T) -> (B, D)``."""

    @abstractmethod
    def examples(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return n states and the items to predict from them, ``(n, D)`` and ``(n,)``.

        Args:
            tokens: Windows for training, ``(B, T)``.
        """

    def batch_examples(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the `examples` of windows of different lengths, ``(B, L + 1)``."""
        parts = [self.examples(part) for _, part in by_length(windows)]
        states, target = (torch.cat(column) for column in zip(*parts, strict=True))
        return states, target

    def losses(self, windows: Tensor, loss: Loss) -> Tensor:
        """Return the loss of each event to predict in a batch of windows, ``(n,)``.

        Args:
            windows: ``(B, L + 1)``.
            loss: The loss of states and targets.
        """
        return loss(self, *self.batch_examples(windows))

    def offsets(self) -> Tensor:
        """Return the bias of each item's score, ``(I,)``."""
        return self.bias

    def vectors(self) -> Tensor:
        """Return the output vector of each item, ``(I, D)``: the input vector."""
        return self.embedding.items()

    def score_all(self, states: Tensor) -> Tensor:
        """Return the scores of all items, ``(n, D) -> (n, I)``."""
        return self.score_shared(states, None)

    def score_shared(self, states: Tensor, items: Tensor | None) -> Tensor:
        """Return the scores of the same items for every row, ``(n, D), (S,) -> (n, S)``.

        Args:
            states: ``(n, D)``.
            items: ``(S,)``; None for all items.
        """
        vectors, bias = self.vectors(), self.offsets()
        if items is None:
            return torch.addmm(bias, states, vectors.T)
        return torch.addmm(bias[items], states, F.embedding(items, vectors).T)

    def score(self, states: Tensor, items: Tensor) -> Tensor:
        """Return the scores of some items of each row, ``(n, D), (n, C) -> (n, C)``."""
        vectors = F.embedding(items, self.vectors())  # (n, C, D)
        return torch.einsum("bd,bcd->bc", states, vectors) + self.offsets()[items]


class LeftToRight(SequenceModel):
    """Every state predicts the next item from the earlier ones."""

    def next_states(self, tokens: Tensor) -> Tensor:
        """Return the state at the last token."""
        return last_states(self.states(tokens), tokens)

    def examples(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return the state before every token but the first, and the item of that token."""
        real = tokens[:, 1:] != PADDING
        # Positions count from the last token of the input.
        states = self.states(inputs_of(tokens))
        return states[real], tokens[:, 1:][real] - 1


class GRU4Rec(LeftToRight):
    """A recurrent network."""

    def __init__(self, config: GRU4RecConfig, num_items: int) -> None:
        super().__init__(config, num_items)
        self.encoder = Recurrent(
            config.dim, config.hidden, config.layers, config.dropout, config.init_std
        )


class BERT4Rec(SequenceModel):
    """Self-attention in both directions, which predicts masked events."""

    def __init__(self, config: BERT4RecConfig, num_items: int) -> None:
        super().__init__(config, num_items)
        self._mask_share, self._next_share = config.mask_share, config.next_share
        self.encoder = transformer(config, causal=False)

    def next_states(self, tokens: Tensor) -> Tensor:
        """Return the state at a masked event appended to the sequence."""
        length = (tokens != PADDING).sum(dim=1, keepdim=True)
        longer = F.pad(tokens, (0, 1), value=PADDING).scatter(1, length, self.mask)
        return last_states(self.states(longer), longer)

    def examples(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Mask some events, or only the last one of a prefix; return their states and items."""
        tokens, masked = self._masked(tokens)
        states = self.states(torch.where(masked, self.mask, tokens))
        return states[masked], tokens[masked] - 1

    def _masked(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return the windows, some of them cut, and which of their events to mask, ``(B, T)``."""
        length = (tokens != PADDING).sum(dim=1, keepdim=True)
        place = torch.arange(tokens.shape[1], device=tokens.device)
        is_event = (tokens != PADDING) & (tokens != self.start)
        chance = torch.rand(2, len(tokens), 1, device=tokens.device)
        is_next = chance[0] < self._next_share
        # At least two tokens: nothing is known before the first, a start token or oldest event.
        cut = torch.where(is_next, 2 + (chance[1] * (length - 1)).long(), length)
        last = place == cut - 1
        drawn = torch.rand(tokens.shape, device=tokens.device) < self._mask_share
        drawn &= is_event
        masked = torch.where(is_next | ~drawn.any(dim=1, keepdim=True), last, drawn)
        return torch.where(place < cut, tokens, PADDING), masked


def last_states(states: Tensor, tokens: Tensor) -> Tensor:
    """Return the state at the last token of each row, ``(B, T, D), (B, T) -> (B, D)``."""
    place = (tokens != PADDING).sum(dim=1) - 1
    return states[torch.arange(len(states), device=states.device), place]
