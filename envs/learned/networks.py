"""The networks of a user model: memory of past slates, clicks and returns."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Memory(nn.Module):
    """A user's last slates as one vector: decayed means over the items clicked and shown.

    With age a of a slate (0 for the last), w = decay^a for each of its items and item vectors v,
    the means are ``sum w v / (1 + sum w)``, which is 0 for an empty history. The decayed click rate
    and the logarithm of one plus the number of slates are appended.

    Args:
        item_features: ``(I, F)``.
        dim: D.
    """

    def __init__(self, item_features: Tensor, dim: int) -> None:
        super().__init__()
        self.items = ItemVectors(item_features, dim)
        self.decay = nn.Parameter(torch.tensor(2.0))  # before the logistic function
        self.size = 2 * dim + 2

    def forward(self, items: Tensor, clicks: Tensor) -> Tensor:
        """Return the memory, ``(B, 2 D + 2)``.

        Args:
            items: Slates, oldest first, -1 where nothing was shown, ``(B, H, K)``.
            clicks: 1 where an item was clicked, or click probabilities, ``(B, H, K)``.
        """
        shown = (items >= 0).float()
        age = torch.arange(items.shape[1] - 1, -1, -1, device=items.device)
        weights = torch.sigmoid(self.decay) ** age  # (H,)
        shown = shown * weights[:, None]
        clicked = clicks * shown
        vectors = self.items(items.clamp(min=0))  # (B, H, K, D)
        means = [
            (vectors * weight[..., None]).sum((1, 2)) / (1 + weight.sum((1, 2)))[:, None]
            for weight in (clicked, shown)
        ]
        rate = clicked.sum((1, 2)) / (1 + shown.sum((1, 2)))
        length = (items >= 0).any(2).sum(1).float().log1p()
        return torch.cat([*means, rate[:, None], length[:, None]], dim=1)


class ItemVectors(nn.Module):
    """A vector per item: an embedding plus a linear function of the item's features.

    Args:
        features: ``(I, F)``.
        dim: D.
    """

    features: Tensor

    def __init__(self, features: Tensor, dim: int) -> None:
        super().__init__()
        if not features.shape[1]:
            features = features.new_zeros(len(features), 1)
        self.register_buffer("features", standardised(features))
        self.own = nn.Embedding(len(features), dim)
        nn.init.normal_(self.own.weight, std=0.01)
        self.of_features = nn.Linear(features.shape[1], dim, bias=False)

    def forward(self, items: Tensor) -> Tensor:
        """Return the vectors of item ids of any shape, ``(..., D)``."""
        vectors: Tensor
        if items.numel() < len(self.features):
            vectors = self.own(items) + self.of_features(self.features[items])
        else:
            vectors = nn.functional.embedding(items, self.table())
        return vectors

    def table(self) -> Tensor:
        """Return the vectors of all items, ``(I, D)``."""
        vectors: Tensor = self.own.weight + self.of_features(self.features)
        return vectors


class Tower(nn.Module):
    """A linear map plus a network with one hidden layer.

    Args:
        inputs: Length of the input.
        hidden: Width of the hidden layer.
        outputs: Length of the output.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.deep = nn.Sequential(
            nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs, bias=False)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the output, ``(B, outputs)``."""
        output: Tensor = self.linear(inputs) + self.deep(inputs)
        return output


class ResponseNetwork(nn.Module):
    """Utility of items to a user: ``q . v_i + b_i + o_i + c``, where q and c depend on the user.

    The offset o_i is given, not learned: the log-odds of item i's click rate relative to the mean.

    Args:
        user_features: Features of the fitted users, ``(U, F)``, for standardisation.
        item_features: ``(I, F)``.
        dim: Length of q and v_i.
        hidden: Width of the hidden layer.
    """

    offset: Tensor

    def __init__(self, user_features: Tensor, item_features: Tensor, dim: int, hidden: int) -> None:
        super().__init__()
        self.register_buffer("offset", torch.zeros(len(item_features)))
        self.scale = Standardise(user_features)
        self.memory = Memory(item_features, dim)
        self.items = ItemVectors(item_features, dim + 1)  # v_i and b_i
        self.tower = Tower(user_features.shape[1] + self.memory.size, hidden, dim + 1)
        # The position bias before the softplus that makes it positive.
        self.bias = nn.Parameter(torch.tensor(0.0))

    def users(self, features: Tensor, items: Tensor, clicks: Tensor) -> Tensor:
        """Return q and c of users, ``(B, D + 1)``; arguments as in `ReturnNetwork.forward`."""
        known = torch.cat([self.scale(features), self.memory(items, clicks)], dim=1)
        vectors: Tensor = self.tower(known)
        return vectors

    def utilities(self, users: Tensor, items: Tensor) -> Tensor:
        """Return the utility of items, ``(B, K)``, to users ``(B, D + 1)``."""
        vectors = self.items(items.clamp(min=0))  # (B, K, D + 1)
        matches: Tensor = (vectors[..., :-1] @ users[:, :-1, None])[..., 0]
        known = vectors[..., -1] + self.offset[items.clamp(min=0)]
        utilities: Tensor = matches + known + users[:, -1:]
        return utilities

    def all_utilities(self, users: Tensor) -> Tensor:
        """Return the utility of every item, ``(B, I)``."""
        vectors = self.items.table()
        matches: Tensor = users[:, :-1] @ vectors[:, :-1].T
        utilities: Tensor = matches + vectors[:, -1] + self.offset + users[:, -1:]
        return utilities

    def start(self, utility: float, bias: float, offset: Tensor) -> None:
        """Initialise the mean utility, the position bias (positive) and the offsets ``(I,)``."""
        with torch.no_grad():
            self.offset.copy_(offset)
            self.tower.linear.bias[-1] = utility
            self.bias.fill_(math.log(math.expm1(bias)))

    @property
    def position_bias(self) -> Tensor:
        """The eta of `envs.world.choice.PositionBased`, at least 0."""
        bias: Tensor = nn.functional.softplus(self.bias)
        return bias


class ReturnNetwork(nn.Module):
    """Logits of the return classes at the end of a session.

    Args:
        user_features: Features of the fitted users, ``(U, F)``, for standardisation.
        item_features: ``(I, F)``.
        dim: Length of the item vectors.
        hidden: Width of the hidden layer.
        clock: Number of time features.
        classes: C.
    """

    def __init__(
        self,
        user_features: Tensor,
        item_features: Tensor,
        dim: int,
        hidden: int,
        clock: int,
        classes: int,
    ) -> None:
        super().__init__()
        self.scale = Standardise(user_features)
        self.memory = Memory(item_features, dim)
        self.tower = Tower(user_features.shape[1] + self.memory.size + clock, hidden, classes)

    def forward(self, features: Tensor, items: Tensor, clicks: Tensor, clock: Tensor) -> Tensor:
        """Return the logits, ``(B, C)``.

        Args:
            features: User features, ``(B, F)``.
            items: Their last slates including the current one, ``(B, H, K)``.
            clicks: Clicks on them, ``(B, H, K)``.
            clock: Time features, ``(B, clock)``.
        """
        known = torch.cat([self.scale(features), self.memory(items, clicks), clock], dim=1)
        logits: Tensor = self.tower(known)
        return logits


class Standardise(nn.Module):
    """Standardises columns by their means and standard deviations in given rows ``(N, F)``."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", rows.mean(0))
        spread = rows.std(0, correction=0) if rows.shape[1] else rows.new_zeros(0)
        self.register_buffer("deviation", torch.where(spread > 1e-6, spread, 1.0))

    def forward(self, rows: Tensor) -> Tensor:
        """Return the standardised rows, ``(B, F)``, clipped at 10 deviations from the mean."""
        scaled: Tensor = (rows - self.mean) / self.deviation
        return scaled.clamp(-10, 10)


def standardised(rows: Tensor) -> Tensor:
    """Return standardised columns, ``(N, F)``; constant columns are 0."""
    scaled: Tensor = Standardise(rows)(rows)
    return scaled
