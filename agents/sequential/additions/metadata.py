"""Items by their features instead of, or beside, a vector per id: M2TRec (arXiv:2209.11824).

``metadata``: an item's vector is a linear map of its features, so that items with equal features
are alike and an item without any event can be recommended. ``both`` adds a vector per item, 0 for
items that are not in the log.

Differences from the paper: features are the columns of ``item_features`` of the problem (the paper
embeds categories, tags, words and numbers apart, which for columns of zeros and ones is the same
linear map); the categories that are predicted beside the item are ``item_groups``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from agents.sequential.sequences import PADDING
from recsim.arrays import Floats32


class MetadataEmbedding(nn.Module):
    """Vectors of all tokens, in which those of items depend on features.

    Args:
        features: ``(I, F)``; columns other than zeros and ones are standardised.
        dim: D.
        std: Standard deviation of the initial entries.
        per_item: Whether each item has a vector of its own beside.
    """

    features: Tensor
    kind: Tensor
    known: Tensor

    def __init__(self, features: Floats32, dim: int, std: float, *, per_item: bool) -> None:
        super().__init__()
        self.num_items = len(features)
        values = standardised(torch.as_tensor(features))
        # Items with equal features are computed once, so that rounding cannot tell them apart.
        distinct, kind = torch.unique(values, dim=0, return_inverse=True)
        self.register_buffer("features", distinct)  # (J, F)
        self.register_buffer("kind", kind)  # (I,)
        self.register_buffer("known", torch.ones(self.num_items, 1))
        size = float(values.square().sum(dim=1).mean().clamp_min(1.0))
        self.map = nn.Linear(values.shape[1], dim)
        nn.init.normal_(self.map.weight, std=std / math.sqrt(size))
        nn.init.zeros_(self.map.bias)
        self.special = nn.Parameter(torch.randn(2, dim) * std)
        # Begins at 0: what items have in common is learned by the map first.
        self.own = nn.Parameter(torch.zeros(self.num_items, dim)) if per_item else None
        self._scale = math.sqrt(dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the inputs of an encoder, sqrt(D) times the vectors, ``(B, T, D)``."""
        items = self.items()
        table = torch.cat([items.new_zeros(1, items.shape[1]), items, self.special])
        vectors = nn.functional.embedding(tokens, table, padding_idx=PADDING)
        return vectors * self._scale

    def items(self) -> Tensor:
        """Return the vectors of the items, ``(I, D)``."""
        vectors = self.distinct()[self.kind]
        return vectors if self.own is None else vectors + self.known * self.own

    def distinct(self) -> Tensor:
        """Return the vectors of the J different rows of features, ``(J, D)``."""
        vectors: Tensor = self.map(self.features)
        return vectors

    def learn_known(self, counts: Tensor) -> None:
        """Note which items are events in training, given their counts ``(I,)``."""
        self.known.copy_((counts > 0).to(self.known.dtype)[:, None])


def standardised(features: Tensor) -> Tensor:
    """Return the features, with columns other than 0 and 1 at mean 0 and variance 1, ``(I, F)``."""
    values = features.float()
    binary = ((values == 0) | (values == 1)).all(dim=0)
    spread = values.std(dim=0, correction=0)
    scaled = (values - values.mean(dim=0)) / torch.where(spread > 0, spread, 1.0)
    return torch.where(binary, values, scaled)
