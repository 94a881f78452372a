r"""Attention with two kinds of queries: MQSA of MQSA-TED (arXiv:2311.01056).

The queries of one stack of blocks are the last event (short), those of another the mean of the last
Lq events (long), so that a single event changes little. The state is
:math:`\alpha H_{short} + (1 - \alpha) H_{long}` over one table of items.

Differences from the paper: blocks are those of `agents.shared.transformer`, in as many layers as
set; the paper has one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.sequential.encoders import Transformer
from agents.shared.transformer import Block, Cache

# Share of the short queries.
SHORT = 0.5


class LongQueryBlock(Block):
    """A block whose queries, and what updates are added to, are means of the last inputs.

    Args:
        dim: D.
        heads: Number of attention heads; must divide D.
        dropout: Fraction dropped in training, of residual updates.
        attention_dropout: Fraction dropped of attention weights.
        events: Lq, inputs that are averaged.
    """

    def __init__(
        self, dim: int, heads: int, dropout: float, attention_dropout: float, events: int
    ) -> None:
        super().__init__(dim, heads, dropout, attention_dropout)
        self.events = events

    def forward(self, x: Tensor, visible: Tensor | None, cache: Cache | None = None) -> Tensor:
        """Return the output of the block, ``(B, S, D)``; see `Block.forward`."""
        queries, dim = mean_of_last(x, self.events), x.shape[2]
        weight, bias = self.qkv.weight, self.qkv.bias
        asked = functional.linear(self.norm_attention(queries), weight[:dim], bias[:dim])
        offered = functional.linear(self.norm_attention(x), weight[dim:], bias[dim:])
        (q,), (k, v) = self.heads_of(asked, 1), self.heads_of(offered, 2)
        if cache is not None:
            cache.append((k, v))
        return self.after_attention(queries, q, k, v, visible)


def mean_of_last(x: Tensor, events: int) -> Tensor:
    """Return the mean of each input and those before it, of ``events`` inputs, ``(B, S, D)``."""
    size = x.shape[1]
    place = torch.arange(size, device=x.device)
    distance = place[:, None] - place
    weight = ((distance >= 0) & (distance < events)).to(x.dtype)  # (S, S)
    return (weight / weight.sum(dim=1, keepdim=True)) @ x


class TwoQueries(nn.Module):
    """The mean of two stacks of blocks, with short and with long queries.

    Args:
        short: Encoder with ordinary blocks.
        long: Encoder with `LongQueryBlock`.
    """

    def __init__(self, short: Transformer, long: Transformer) -> None:
        super().__init__()
        self.short, self.long = short, long

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """Return the state at every token, ``(B, T, D)``; see `Transformer.forward`."""
        mixed: Tensor = SHORT * self.short(vectors, present)
        mixed = mixed + (1 - SHORT) * self.long(vectors, present)
        return mixed
