"""The pairs of user and item that were clicked, and how pairs are drawn for training."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

Pairs = tuple[Tensor, Tensor]  # users and items, (N,) each
Sampler = Callable[[torch.Generator, int], Pairs]


class ClickedPairs:
    """The distinct pairs with a click, out of U times I; memory grows with the number of clicks.

    Args:
        users: ``(P,)`` in 0 ... U-1; repeats count once.
        items: ``(P,)`` in 0 ... I-1.
        num_users: U.
        num_items: I.
    """

    def __init__(self, users: Tensor, items: Tensor, num_users: int, num_items: int) -> None:
        self.num_users = num_users
        self.num_items = num_items
        self._keys: Tensor = torch.unique(  # sorted
            users.long() * num_items + items.long()
        )

    def __len__(self) -> int:
        """Return the number of distinct pairs."""
        return len(self._keys)

    @property
    def users(self) -> Tensor:
        """User of each pair, ``(P,)``."""
        return self._keys // self.num_items

    @property
    def items(self) -> Tensor:
        """Item of each pair, ``(P,)``."""
        return self._keys % self.num_items

    def counts(self) -> Tensor:
        """Return n_i, the number of users who clicked each item, ``(I,)``."""
        return torch.bincount(self.items, minlength=self.num_items)

    def contains(self, users: Tensor, items: Tensor) -> Tensor:
        """Return Y of some pairs, ``(N,)`` float32."""
        keys = users * self.num_items + items
        place = torch.searchsorted(self._keys, keys).clamp_max(len(self._keys) - 1)
        return (self._keys[place] == keys).float()

    def rows(self, start: int, stop: int) -> Tensor:
        """Return Y of all items for users start ... stop-1, ``(stop - start, I)`` float32."""
        low, high = torch.searchsorted(
            self._keys, self._keys.new_tensor([start * self.num_items, stop * self.num_items])
        ).tolist()
        block = self._keys.new_zeros((stop - start) * self.num_items, dtype=torch.float32)
        block[self._keys[low:high] - start * self.num_items] = 1.0
        return block.reshape(stop - start, self.num_items)

    def transposed(self) -> ClickedPairs:
        """Return the same pairs with users and items swapped."""
        return ClickedPairs(self.items, self.users, self.num_items, self.num_users)

    def uniform(self, generator: torch.Generator, size: int) -> Pairs:
        """Draw pairs uniformly from all U times I, with replacement.

        The expectation of the mean loss of such a batch is the mean loss over all pairs.
        """
        device = self._keys.device
        keys = torch.randint(
            self.num_users * self.num_items, (size,), generator=generator, device=device
        )
        return keys // self.num_items, keys % self.num_items


def batches(draw: Sampler, size: int, generator: torch.Generator) -> Iterator[Pairs]:
    """Yield batches forever."""
    while True:
        yield draw(generator, size)
