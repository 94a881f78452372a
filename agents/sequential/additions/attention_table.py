"""Separate vectors of items for attention and for what is mixed, after DARE (arXiv:2410.02604).

In the first block queries and keys read a table of their own, of width D/4, so that learning which
events matter does not disturb the vectors that items are predicted with.

Differences from the paper: there the target item asks, in the prediction of clicks; here each event
does, in the prediction of the next one.
"""

from __future__ import annotations

from torch import Tensor, nn

from agents.shared.transformer import Block, Cache


class TwoTableBlock(Block):
    """A block that attends by vectors other than those it mixes.

    Args:
        dim: D.
        heads: Number of attention heads; must divide D.
        dropout: Fraction dropped in training, of residual updates.
        attention_dropout: Fraction dropped of attention weights.
        attended_dim: Length of the vectors it attends by.
    """

    def __init__(
        self, dim: int, heads: int, dropout: float, attention_dropout: float, attended_dim: int
    ) -> None:
        super().__init__(dim, heads, dropout, attention_dropout)
        self.norm_attended = nn.LayerNorm(attended_dim)
        self.qkv = nn.Linear(dim, dim)  # values only
        self.query_key = nn.Linear(attended_dim, 2 * dim)

    def forward(
        self,
        x: Tensor,
        visible: Tensor | None,
        cache: Cache | None = None,
        attended: Tensor | None = None,
    ) -> Tensor:
        """Return the output of the block, ``(B, S, D)``; see `Block.forward`.

        Args:
            x: ``(B, S, D)``.
            visible: As there.
            cache: As there.
            attended: Vectors that queries and keys are computed from, ``(B, S, D_a)``.
        """
        assert attended is not None
        q, k = self.heads_of(self.query_key(self.norm_attended(attended)), 2)
        (v,) = self.heads_of(self.qkv(self.norm_attention(x)), 1)
        if cache is not None:
            cache.append((k, v))
        return self.after_attention(x, q, k, v, visible)
