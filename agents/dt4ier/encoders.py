"""Parts of the network: encoder of item lists, causal transformer, and slate decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.dt4ier.data import PAD, begin_token, vocabulary
from agents.shared.transformer import Block


class ListEncoder(nn.Module):
    """Encodes a list of items as the state of a two-layer GRU after the last item.

    Args:
        num_items: I.
        dim: D.
        dropout: Dropout between the layers.
    """

    def __init__(self, num_items: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.items = nn.Embedding(vocabulary(num_items), dim, padding_idx=PAD)
        self.gru = nn.GRU(dim, dim, 2, batch_first=True, dropout=dropout)
        self.empty = nn.Parameter(torch.zeros(dim))

    def forward(self, lists: Tensor) -> Tensor:
        """Return the vectors, ``(N, D)``, of lists of tokens ``(N, L)`` padded on the right."""
        length = (lists != PAD).sum(dim=1)
        return self.prefixes(lists, torch.arange(len(lists), device=lists.device), length)

    def prefixes(self, lists: Tensor, of: Tensor, length: Tensor) -> Tensor:
        """Return the vectors of prefixes of lists, ``(N, D)``.

        Args:
            lists: Tokens, ``(G, L)``.
            of: Index of the list of each prefix, ``(N,)``.
            length: Length of each prefix, ``(N,)``.
        """
        longest = max(1, int(length.max()))
        # The state at an item does not depend on later items or padding, so one pass serves all
        # prefixes. (Packed lists would make the gradient quadratic in their length.)
        tokens = functional.pad(lists, (0, 1))[:, :longest]
        states, _ = self.gru(self.items(tokens))  # (G, L, D)
        last = states[of, (length - 1).clamp_min(0)]
        return torch.where(length[:, None] > 0, last, self.empty.to(last.dtype))


class CausalTransformer(nn.Module):
    """Transformer blocks in which no position attends to later positions or to padding.

    Args:
        dim: D.
        layers: Number of blocks.
        heads: Number of attention heads.
        dropout: Dropout in all blocks and on the input.
    """

    def __init__(self, dim: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(dim, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the output vector of each position.

        Args:
            x: Tokens, ``(B, S, D)``.
            mask: False at padding, ``(B, S)``.

        Returns:
            ``(B, S, D)``; values at padding are arbitrary.
        """
        size = x.shape[1]
        causal = torch.ones(size, size, dtype=torch.bool, device=x.device).tril()
        itself = torch.eye(size, dtype=torch.bool, device=x.device)
        # Padding attends to itself, because a softmax over an empty set would give NaN.
        visible = causal & (mask[:, None, :] | itself)  # (B, S, S)
        x = self.drop(x)
        for block in self.blocks:
            x = block(x, visible[:, None])
        normed: Tensor = self.norm(x)
        return normed


class SlateDecoder(nn.Module):
    """A GRU that generates a slate item by item, from a context alone.

    Args:
        num_items: I.
        dim: D.
        dropout: Dropout between the layers.
    """

    def __init__(self, num_items: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.first_token = begin_token(num_items)
        self.items = nn.Embedding(vocabulary(num_items), dim, padding_idx=PAD)
        self.start = nn.Linear(dim, 2 * dim)
        self.gru = nn.GRU(2 * dim, dim, 2, batch_first=True, dropout=dropout)
        self.out = nn.Linear(dim, vocabulary(num_items))

    def begin(self, contexts: Tensor) -> Tensor:
        """Return the initial state, ``(2, N, D)``, given contexts ``(N, D)``."""
        state: Tensor = self.start(contexts)
        return state.view(len(contexts), 2, -1).transpose(0, 1).contiguous()

    def step(self, contexts: Tensor, previous: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Process further items.

        Args:
            contexts: ``(N, D)``.
            previous: Token before each slot, ``(N, L)``.
            state: ``(2, N, D)``.

        Returns:
            Vectors of the slots, ``(N, L, D)``, and the next state.
        """
        repeated = contexts[:, None].expand(-1, previous.shape[1], -1)
        inputs = torch.cat([self.items(previous).to(contexts.dtype), repeated], dim=2)  # (N, L, 2D)
        vectors, state = self.gru(inputs, state)
        return vectors, state

    def forward(self, contexts: Tensor, slates: Tensor) -> Tensor:
        """Return the vector of every slot given the items before it.

        Args:
            contexts: ``(N, D)``.
            slates: Tokens of the target slates, ``(N, K)``.

        Returns:
            ``(N, K, D)``; `out` maps them to scores of tokens.
        """
        begin = slates.new_full((len(slates), 1), self.first_token)
        previous = torch.cat([begin, slates[:, :-1]], dim=1)
        return self.step(contexts, previous, self.begin(contexts))[0]
