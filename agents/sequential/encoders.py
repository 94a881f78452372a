"""Encoders: they map the tokens of a sequence to a state after every token."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from agents.sequential.sequences import PADDING
from agents.shared.transformer import Block


class Embedding(nn.Module):
    """Vectors of all tokens, initially of unit length on average; that of padding is fixed at 0.

    Args:
        num_items: I.
        dim: D.
    """

    def __init__(self, num_items: int, dim: int) -> None:
        super().__init__()
        self.num_items = num_items
        # Padding, the items, and the two special tokens.
        self.table = nn.Embedding(num_items + 3, dim, padding_idx=PADDING)
        with torch.no_grad():
            self.table.weight.normal_(std=dim**-0.5)
            self.table.weight[PADDING] = 0
        self._scale = math.sqrt(dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the inputs of an encoder, entries of variance 1, ``(B, T, D)``."""
        vectors: Tensor = self.table(tokens) * self._scale
        return vectors

    def items(self) -> Tensor:
        """Return the vectors of the items, ``(I, D)``."""
        return self.table.weight[1 : self.num_items + 1]


class Transformer(nn.Module):
    """Self-attention over the tokens and their positions.

    Positions are counted from the first token if it is causal, else from the last one.

    Args:
        dim: D.
        layers: Blocks.
        heads: Attention heads.
        dropout: Fraction of entries dropped in training.
        max_tokens: Length of the longest sequence.
        causal: Whether a position attends only to itself and earlier ones.
    """

    def __init__(
        self, dim: int, layers: int, heads: int, dropout: float, max_tokens: int, *, causal: bool
    ) -> None:
        super().__init__()
        self._causal = causal
        # At the scale of the inputs, so that attention to neighbours is learned from positions.
        self.position = nn.Parameter(torch.randn(max_tokens, dim))
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(dim, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """Return the state at every token, ``(B, T, D)``; arbitrary at padding.

        Args:
            vectors: ``(B, T, D)``.
            present: False at padding, ``(B, T)``; the first token is never padding.
        """
        place = torch.arange(vectors.shape[1], device=vectors.device)
        allowed = present[:, None, None, :]  # (B, 1, 1, T)
        if self._causal:
            allowed = allowed & (place[:, None] >= place)  # (B, 1, T, T)
        else:
            # From the last token, so that the next event is always at the same position.
            place = (present.sum(dim=1, keepdim=True) - 1 - place).clamp_min(0)  # (B, T)
        states = self.drop(vectors + self.position[place])
        for block in self.blocks:
            states = block(states, allowed)
        normed: Tensor = self.norm(states)
        return normed


class Recurrent(nn.Module):
    """Gated recurrent units; a state depends on the tokens up to its own.

    Args:
        dim: D.
        layers: Layers.
        dropout: Fraction of entries dropped in training, of the inputs and between layers.
    """

    def __init__(self, dim: int, layers: int, dropout: float) -> None:
        super().__init__()
        between = dropout if layers > 1 else 0.0
        self.gru = nn.GRU(dim, dim, layers, batch_first=True, dropout=between)
        self.drop = nn.Dropout(dropout)

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """Return the state at every token, ``(B, T, D)``; see `Transformer.forward`."""
        states: Tensor = self.gru(self.drop(vectors))[0]
        return states
