"""A transformer block."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

# Keys and values of the blocks, each ``(B, h, S, D/h)``.
Cache = list[tuple[Tensor, Tensor]]


class Block(nn.Module):
    """Pre-norm self-attention and a GELU layer of width 4 D.

    Args:
        dim: D.
        heads: Number of attention heads; must divide D.
        dropout: Fraction dropped in training, of residual updates.
        attention_dropout: Fraction dropped of attention weights; by default as many.
    """

    def __init__(
        self, dim: int, heads: int, dropout: float, attention_dropout: float | None = None
    ) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout if attention_dropout is None else attention_dropout
        self.norm_attention, self.norm_mlp = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.project = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, visible: Tensor | None, cache: Cache | None = None) -> Tensor:
        """Return the output of the block, ``(B, S, D)``.

        Args:
            x: ``(B, S, D)``.
            visible: Whether each position (third axis) attends to each other one (fourth),
                broadcastable to ``(B, 1, S, S)``; None: to itself and the earlier ones.
            cache: If given, the keys and values are appended to it, each ``(B, h, S, D/h)``.
        """
        q, k, v = self.heads_of(self.qkv(self.norm_attention(x)), 3)
        if cache is not None:
            cache.append((k, v))
        return self.after_attention(x, q, k, v, visible)

    def heads_of(self, vectors: Tensor, parts: int) -> tuple[Tensor, ...]:
        """Split vectors by parts and heads, ``(B, S, parts * D) -> parts x (B, h, S, D/h)``."""
        batch, length, _ = vectors.shape
        split = vectors.view(batch, length, parts, self.heads, -1)
        return split.permute(2, 0, 3, 1, 4).unbind()

    def after_attention(
        self, x: Tensor, q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None
    ) -> Tensor:
        """Return the output of the block given queries, keys and values, ``(B, S, D)``.

        Args:
            x: What the updates are added to, ``(B, S, D)``.
            q: ``(B, h, S, D/h)``.
            k: ``(B, h, S', D/h)``.
            v: ``(B, h, S', D/h)``.
            visible: As for `forward`, broadcastable to ``(B, 1, S, S')``.
        """
        dropout = self.dropout if self.training else 0.0
        seen = functional.scaled_dot_product_attention(
            q, k, v, attn_mask=visible, dropout_p=dropout, is_causal=visible is None
        )
        x = x + self.drop(
            self.project(seen.transpose(1, 2).flatten(2))
        )  # (B, h, S, D/h) -> (B, S, D)
        added: Tensor = x + self.drop(self.mlp(self.norm_mlp(x)))
        return added
