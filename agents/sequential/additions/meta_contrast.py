"""Contrast of learned augmentations: MCLRec (arXiv:2304.07763).

Two random views of a sequence have the states ``h1`` and ``h2``. Two small networks map them to
further views ``z1`` and ``z2``. The encoder minimises

``L_rec + model_weight * InfoNCE(h1, h2) + meta_weight * L_meta``,

the two networks minimise ``L_meta`` alone, and each batch does the first, the second, and the first
again. Without gradients of gradients, "meta" is this alternation.

Differences from the paper: the recommendation loss is that of the encoder at all positions; in the
paper it is a softmax over all items for one target per sequence. Each step draws its views anew.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from agents.sequential.additions.base import Addition, next_states
from agents.sequential.additions.info_nce import info_nce
from agents.sequential.additions.views import random_views
from agents.sequential.models import SequenceModel
from agents.sequential.sequences import PADDING, inputs_of

# Default weights of the contrast of states and of that of learned views.
META_WEIGHTS = (0.03, 0.1)
# Weight of the regulariser within the contrast of learned views.
_REGULARISER = 0.1


class Augmentations(nn.Module):
    """The two networks that map states to further views of the sequence.

    Args:
        dim: D.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.first, self.second = _network(dim), _network(dim)

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Return the further views of both states, each ``(B, D)``."""
        return self.first(first), self.second(second)


def _network(dim: int) -> nn.Sequential:
    """Return a network with a bottleneck of D/4 values."""
    half, quarter = max(1, dim // 2), max(1, dim // 4)
    return nn.Sequential(
        nn.Linear(dim, half),
        nn.GELU(),
        nn.Linear(half, quarter),
        nn.GELU(),
        nn.Linear(quarter, dim),
    )


def meta_loss(first: Tensor, second: Tensor, augmented: tuple[Tensor, Tensor]) -> Tensor:
    """Return the contrast between states and their learned views, with its regulariser.

    Args:
        first: States of the first views, ``(B, D)``.
        second: States of the second views, ``(B, D)``.
        augmented: Result of `Augmentations` for both.
    """
    pairs = [(first, augmented[1]), (second, augmented[0]), augmented]
    total = first.new_zeros(())
    for one, other in pairs:
        total = total + info_nce(one, other) + _REGULARISER * regulariser(one, other)
    return total


def regulariser(first: Tensor, second: Tensor) -> Tensor:
    """Return the term that keeps learned views from being copies of the states.

    It draws the similarity of a pair down to that of its hardest negative, and the similarities of
    negatives up to the larger of both.

    Args:
        first: ``(B, D)``.
        second: The partner of each, ``(B, D)``.
    """
    pairs = len(first)
    if pairs < 2:
        return first.new_zeros(())
    states = torch.cat([first, second])  # (2B, D)
    similar = states @ states.T  # (2B, 2B)
    index = torch.arange(2 * pairs, device=states.device)
    partner = (index + pairs) % (2 * pairs)
    positive = similar[index, partner][:, None]  # (2B, 1)
    negative = torch.ones_like(similar, dtype=torch.bool)
    negative[index, index] = False
    negative[index, partner] = False
    others = similar[negative].view(2 * pairs, 2 * pairs - 2)
    hardest = others.max(dim=1, keepdim=True).values
    down = (positive - torch.minimum(positive, hardest)).relu().mean()
    up = (torch.maximum(positive, hardest) - others).relu().mean()
    return down + up


class MetaContrast(Addition):
    """The weighted contrasts as a term of the training loss.

    Args:
        model: The model.
        weights: Weights of the contrast of states, and of that of learned views.
        dim: D.
        learning_rate: Learning rate of the networks of the views.
    """

    updates: ClassVar[int] = 2

    def __init__(
        self,
        model: SequenceModel,
        weights: tuple[float, float],
        dim: int,
        learning_rate: float,
    ) -> None:
        self._model, self._weights = model, weights
        self._networks = Augmentations(dim).to(model.bias.device)
        self._adam = torch.optim.Adam(self._networks.parameters(), lr=learning_rate)

    def loss(self, tokens: Tensor) -> Tensor:
        """Return the weighted contrasts; the networks of the views are fixed here."""
        views = self._views(tokens)
        if not (any(self._weights) and len(views)):
            return self._model.bias.new_zeros(())
        first, second = next_states(self._model, views).chunk(2)
        self._networks.requires_grad_(False)
        learned = meta_loss(first, second, self._networks(first, second))
        return self._weights[0] * info_nce(first, second) + self._weights[1] * learned

    def between(self, tokens: Tensor) -> None:
        """Take a step of the networks of the views; the model is fixed here."""
        views = self._views(tokens)
        if not (self._weights[1] and len(views)):
            return
        with torch.no_grad():
            first, second = next_states(self._model, views).chunk(2)
        self._networks.requires_grad_(True)
        self._adam.zero_grad(set_to_none=True)
        meta_loss(first, second, self._networks(first, second)).backward()  # type: ignore[no-untyped-call]
        self._adam.step()

    def _views(self, tokens: Tensor) -> Tensor:
        """Return two random views of the input of each window with an event, ``(2b, L)``."""
        start, mask = self._model.start, self._model.mask
        inputs = inputs_of(tokens)
        inputs = inputs[((inputs != PADDING) & (inputs != start)).any(dim=1)]
        return torch.cat([random_views(inputs, start, mask) for _ in range(2)])
