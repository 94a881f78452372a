"""Which pairs of user and item were clicked, and how pairs are drawn for training."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from recsim.errors import AgentError

Pairs = tuple[Tensor, Tensor]  # users and items, (N,) each
Sampler = Callable[[torch.Generator, int], Pairs]


class ClickedPairs:
    """The distinct pairs with a click, out of U times I; memory grows with the clicks only.

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
        """Return n_i, how many users clicked each item, ``(I,)``."""
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

        The mean loss of such a batch has the mean loss over all pairs as its expectation.
        """
        device = self._keys.device
        keys = torch.randint(
            self.num_users * self.num_items, (size,), generator=generator, device=device
        )
        return keys // self.num_items, keys % self.num_items

    def half_clicks(self, generator: torch.Generator, size: int) -> Pairs:
        """Draw half of the pairs from the clicked ones, half from the others, with replacement.

        As published. The expectation of the batch's loss is not the loss over all pairs: clicks
        weigh as if half of all pairs had one.

        Raises:
            AgentError: If every pair has a click.
        """
        device = self._keys.device
        half = size // 2
        clicked = torch.randint(len(self._keys), (half,), generator=generator, device=device)
        # The j-th pair without a click has key j + (clicked keys up to it): the number of clicked
        # keys k_m with k_m - m <= j.
        free = self.num_users * self.num_items - len(self._keys)
        if not free:
            raise AgentError(
                f"All {len(self._keys)} pairs of user and item were clicked, so that half_clicks "
                "finds none without a click to draw: use sampling='uniform'."
            )
        ranks = torch.randint(free, (size - half,), generator=generator, device=device)
        gaps = self._keys - torch.arange(len(self._keys), device=device)
        others = ranks + torch.searchsorted(gaps, ranks, right=True)
        keys = torch.cat([self._keys[clicked], others])
        return keys // self.num_items, keys % self.num_items


def batches(draw: Sampler, size: int, generator: torch.Generator) -> Iterator[Pairs]:
    """Yield batches without end."""
    while True:
        yield draw(generator, size)
