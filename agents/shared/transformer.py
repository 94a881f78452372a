"""A transformer block."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


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

    def forward(self, x: Tensor, visible: Tensor | None) -> Tensor:
        """Return the output of the block, ``(B, S, D)``.

        Args:
            x: ``(B, S, D)``.
            visible: Whether each position (third axis) attends to each other one (fourth),
                broadcastable to ``(B, 1, S, S)``; None: to itself and the earlier ones.
        """
        batch, length, dim = x.shape
        qkv = self.qkv(self.norm_attention(x)).view(batch, length, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, S, 3, h, D/h) -> 3 x (B, h, S, D/h)
        dropout = self.dropout if self.training else 0.0
        seen = functional.scaled_dot_product_attention(
            q, k, v, attn_mask=visible, dropout_p=dropout, is_causal=visible is None
        )
        seen = seen.transpose(1, 2).reshape(batch, length, dim)  # (B, h, S, D/h) -> (B, S, D)
        x = x + self.drop(self.project(seen))
        added: Tensor = x + self.drop(self.mlp(self.norm_mlp(x)))
        return added
