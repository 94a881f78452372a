"""Encoders: they map the tokens of a sequence to a state after every token."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from agents.sequential.config import TransformerConfig
from agents.sequential.sequences import PADDING
from agents.shared.transformer import Block, Cache


class Embedding(nn.Module):
    """Vectors of all tokens; that of padding is fixed at 0.

    Args:
        num_items: I.
        dim: D.
        std: Standard deviation of the initial entries.
    """

    def __init__(self, num_items: int, dim: int, std: float) -> None:
        super().__init__()
        self.num_items = num_items
        # Padding, the items, and the two special tokens.
        self.table = nn.Embedding(num_items + 3, dim, padding_idx=PADDING)
        with torch.no_grad():
            self.table.weight.normal_(std=std)
            self.table.weight[PADDING] = 0
        self._scale = math.sqrt(dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the inputs of an encoder, sqrt(D) times the vectors, ``(B, T, D)``."""
        vectors: Tensor = self.table(tokens) * self._scale
        return vectors

    def items(self) -> Tensor:
        """Return the vectors of the items, ``(I, D)``."""
        return self.table.weight[1 : self.num_items + 1]


class Transformer(nn.Module):
    """Self-attention over the tokens and their positions, which are counted from the last token.

    Args:
        dim: D.
        layers: Blocks.
        heads: Attention heads.
        dropout: Fraction of entries dropped in training.
        max_tokens: Length of the longest sequence.
        std: Standard deviation of the initial weights.
        causal: Whether a position attends only to itself and earlier ones.
        block: Makes a block; by default an ordinary one.
    """

    def __init__(
        self,
        dim: int,
        layers: int,
        heads: int,
        dropout: float,
        max_tokens: int,
        std: float,
        *,
        causal: bool,
        block: Callable[[], Block] | None = None,
    ) -> None:
        super().__init__()
        self._causal = causal
        self.position = nn.Embedding(max_tokens, dim)
        self.drop = nn.Dropout(dropout)
        block = block or partial(Block, dim, heads, dropout, attention_dropout=0.0)
        self.blocks = nn.ModuleList(block() for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.apply(partial(initialise, std=std))

    def forward(
        self,
        vectors: Tensor,
        present: Tensor,
        cache: Cache | None = None,
        attended: Tensor | None = None,
    ) -> Tensor:
        """Return the state at every token, ``(B, T, D)``; arbitrary at padding.

        Args:
            vectors: ``(B, T, D)``.
            present: False at padding, ``(B, T)``; the first token is never padding.
            cache: If given, the keys and values of every block are appended to it.
            attended: For a first block that takes further vectors to attend by, ``(B, T, D_a)``.
        """
        place = torch.arange(vectors.shape[1], device=vectors.device)
        # From the last token, so that the next event is always at the same position.
        place = (present.sum(dim=1, keepdim=True) - 1 - place).clamp_min(0)  # (B, T)
        states = self.drop(vectors + self.position(place))
        # Padding is on the right: a causal mask alone hides it from the tokens.
        visible = None if self._causal else present[:, None, None, :]
        further = () if attended is None else (self.drop(attended),)
        for block in self.blocks:
            states, further = block(states, visible, cache, *further), ()
        normed: Tensor = self.norm(states)
        return normed

    def extended(self, token: Tensor, cache: Cache, visible: Tensor) -> tuple[Tensor, Cache]:
        """Return the state at one more token, ``(B, D)``, and the cache with its keys and values.

        Args:
            token: Its vector, to which no position is added, ``(B, D)``.
            cache: Keys and values at the S tokens before.
            visible: Tokens to attend to, itself included, ``(B, S + 1)``.
        """
        state, longer = token[:, None], []
        for block, (keys, values) in zip(self.blocks, cache, strict=True):
            assert isinstance(block, Block)
            q, k, v = block.heads_of(block.qkv(block.norm_attention(state)), 3)
            k, v = torch.cat([keys, k], dim=2), torch.cat([values, v], dim=2)
            state = block.after_attention(state, q, k, v, visible[:, None, None, :])
            longer.append((k, v))
        normed: Tensor = self.norm(state)
        return normed[:, 0], longer


def initialise(part: nn.Module, std: float) -> None:
    """Draw the weights of a linear layer or a table; biases become 0."""
    if isinstance(part, nn.Linear | nn.Embedding):
        nn.init.normal_(part.weight, std=std)
    if isinstance(part, nn.Linear):
        nn.init.zeros_(part.bias)


def transformer(
    config: TransformerConfig, *, causal: bool, block: Callable[[], Block] | None = None
) -> Transformer:
    """Return the encoder of the settings; for the arguments see `Transformer`."""
    return Transformer(
        config.dim,
        config.layers,
        config.heads,
        config.dropout,
        config.max_length + 1,
        config.init_std,
        causal=causal,
        block=block,
    )


class Recurrent(nn.Module):
    """Gated recurrent units, mapped to D; a state depends on the tokens up to its own.

    Args:
        dim: D.
        hidden: Length of the recurrent state.
        layers: Layers.
        dropout: Fraction of entries dropped in training, of the inputs and between layers.
        std: Standard deviation of the initial weights of the map.
    """

    def __init__(self, dim: int, hidden: int, layers: int, dropout: float, std: float) -> None:
        super().__init__()
        between = dropout if layers > 1 else 0.0
        self.gru = nn.GRU(dim, hidden, layers, batch_first=True, dropout=between)
        self.drop = nn.Dropout(dropout)
        self.project = nn.Linear(hidden, dim)
        self.norm = nn.LayerNorm(dim)
        nn.init.normal_(self.project.weight, std=std)
        nn.init.zeros_(self.project.bias)

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """Return the state at every token, ``(B, T, D)``; see `Transformer.forward`."""
        states: Tensor = self.norm(self.project(self.gru(self.drop(vectors))[0]))
        return states
