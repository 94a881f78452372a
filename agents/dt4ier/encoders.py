"""Parts of the network: what reads lists of items, what reads time, what writes slates."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.dt4ier.data import PAD, begin_token, vocabulary
from agents.shared.transformer import Block


class ListEncoder(nn.Module):
    """A list of items as the state of a two-layer GRU after its last item.

    Args:
        num_items: I.
        dim: D.
        dropout: Between the layers.
    """

    def __init__(self, num_items: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.items = nn.Embedding(vocabulary(num_items), dim, padding_idx=PAD)
        self.gru = nn.GRU(dim, dim, 2, batch_first=True, dropout=dropout)
        self.empty = nn.Parameter(torch.zeros(dim))

    def forward(self, lists: Tensor) -> Tensor:
        """Return the vector of each list of tokens ``(N, L)``, padded on the right, ``(N, D)``."""
        length = (lists != PAD).sum(dim=1)
        return self.beginnings(lists, torch.arange(len(lists), device=lists.device), length)

    def beginnings(self, lists: Tensor, of: Tensor, length: Tensor) -> Tensor:
        """Return the vectors of the first items of lists, ``(N, D)``.

        Args:
            lists: Tokens, ``(G, L)``.
            of: Which list, ``(N,)``.
            length: How many of its items, ``(N,)``.
        """
        longest = max(1, int(length.max()))
        # What is read at an item knows nothing of the items or the padding after it. (The gradient
        # of packed lists would take time in the square of their length.)
        tokens = functional.pad(lists, (0, 1))[:, :longest]
        states, _ = self.gru(self.items(tokens))  # (G, L, D)
        last = states[of, (length - 1).clamp_min(0)]
        return torch.where(length[:, None] > 0, last, self.empty.to(last.dtype))


class CausalTransformer(nn.Module):
    """Blocks in which no position sees a later one, nor padding.

    Args:
        dim: D.
        layers: Blocks.
        heads: Attention heads.
        dropout: Everywhere, on the input too.
    """

    def __init__(self, dim: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(dim, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return what each position has come to know.

        Args:
            x: Tokens, ``(B, S, D)``.
            mask: False at padding, ``(B, S)``.

        Returns:
            ``(B, S, D)``; at padding, anything.
        """
        size = x.shape[1]
        causal = torch.ones(size, size, dtype=torch.bool, device=x.device).tril()
        itself = torch.eye(size, dtype=torch.bool, device=x.device)
        # Padding sees itself: a softmax over nothing would be no number.
        visible = causal & (mask[:, None, :] | itself)  # (B, S, S)
        x = self.drop(x)
        for block in self.blocks:
            x = block(x, visible[:, None])
        normed: Tensor = self.norm(x)
        return normed


class SlateDecoder(nn.Module):
    """A GRU that writes a slate, item after item, from a context and nothing else.

    Args:
        num_items: I.
        dim: D.
        dropout: Between the layers.
    """

    def __init__(self, num_items: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.first_token = begin_token(num_items)
        self.items = nn.Embedding(vocabulary(num_items), dim, padding_idx=PAD)
        self.start = nn.Linear(dim, 2 * dim)
        self.gru = nn.GRU(2 * dim, dim, 2, batch_first=True, dropout=dropout)
        self.out = nn.Linear(dim, vocabulary(num_items))

    def begin(self, contexts: Tensor) -> Tensor:
        """Return the state before the first item, ``(2, N, D)``, from contexts ``(N, D)``."""
        state: Tensor = self.start(contexts)
        return state.view(len(contexts), 2, -1).transpose(0, 1).contiguous()

    def step(self, contexts: Tensor, previous: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Read more items.

        Args:
            contexts: ``(N, D)``.
            previous: Tokens that stand before each slot, ``(N, L)``.
            state: ``(2, N, D)``.

        Returns:
            Vectors of the slots, ``(N, L, D)``, and the next state.
        """
        repeated = contexts[:, None].expand(-1, previous.shape[1], -1)
        read = torch.cat([self.items(previous).to(contexts.dtype), repeated], dim=2)  # (N, L, 2D)
        vectors, state = self.gru(read, state)
        return vectors, state

    def forward(self, contexts: Tensor, slates: Tensor) -> Tensor:
        """Return the vector of every slot given the items before it.

        Args:
            contexts: ``(N, D)``.
            slates: Tokens of the slates to be written, ``(N, K)``.

        Returns:
            ``(N, K, D)``; `out` makes scores of tokens of it.
        """
        begin = slates.new_full((len(slates), 1), self.first_token)
        previous = torch.cat([begin, slates[:, :-1]], dim=1)
        return self.step(contexts, previous, self.begin(contexts))[0]
