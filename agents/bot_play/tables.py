"""Train reviews and their counts as tensors.

Shapes: M reviews, U users, I items, K aspects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from agents.rel_mf.pairs import ClickedPairs
from recsim.critiquing import AspectReviews
from recsim.errors import AgentError


@dataclass(frozen=True, eq=False)
class Tables:
    """The train reviews, and the validation pairs of user and item.

    Attributes:
        users: User of each review, ``(M,)``.
        items: Item of each review, ``(M,)``.
        mentioned: Aspects that each review mentions, ``(M, K)`` bool.
        user_counts: Reviews of each user that mention each aspect, ``(U, K)`` floats.
        item_counts: Reviews of each item that mention each aspect, ``(I, K)``.
        popularity: Reviews that mention each aspect, ``(K,)``.
        taken: The pairs with a review.
        valid_users: User of each validation review, ``(N,)``; N can be 0.
        valid_items: Item of each validation review, ``(N,)``.
    """

    users: Tensor
    items: Tensor
    mentioned: Tensor
    user_counts: Tensor
    item_counts: Tensor
    popularity: Tensor
    taken: ClickedPairs
    valid_users: Tensor
    valid_items: Tensor

    @classmethod
    def of(cls, data: AspectReviews, device: torch.device, *, normalise: bool = False) -> Self:
        """Return the tables of reviews.

        Args:
            data: Reviews; the test part is not used.
            device: Device of the tensors.
            normalise: Whether the counts of each user are divided by the largest one.

        Raises:
            AgentError: If the train part is empty.
        """
        train, valid = data.rows("train"), data.rows("valid")
        if not len(train):
            raise AgentError("there is no review to learn from: the train part is empty.")
        users, items, valid_users, valid_items = (
            torch.as_tensor(column, device=device)
            for column in (data.user[train], data.item[train], data.user[valid], data.item[valid])
        )
        user_counts = torch.as_tensor(data.user_counts, dtype=torch.float32, device=device)
        if normalise:
            user_counts = user_counts / user_counts.amax(dim=1, keepdim=True).clamp(min=1)
        return cls(
            users=users,
            items=items,
            mentioned=torch.as_tensor(data.aspects[train], device=device),
            user_counts=user_counts,
            item_counts=torch.as_tensor(data.item_counts, device=device),
            popularity=torch.as_tensor(data.aspect_popularity, device=device),
            taken=ClickedPairs(users, items, data.num_users, data.num_items),
            valid_users=valid_users,
            valid_items=valid_items,
        )

    @property
    def item_aspects(self) -> Tensor:
        """Aspects that at least one review of each item mentions, ``(I, K)`` bool."""
        return self.item_counts > 0


def passes(rows: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield batches of all rows in random order, pass after pass without end.

    The last batch of a pass can be smaller.
    """
    while True:
        order = torch.randperm(rows, generator=generator, device=generator.device)
        yield from torch.split(order, size)
