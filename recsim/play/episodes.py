"""Batches that cover every episode of an environment with a fixed list of episodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from recsim.arrays import Ints


def batches(env: Any, on_batch: Callable[[int], None] | None = None) -> Iterator[tuple[Ints, int]]:
    """Yield the episodes of each batch, and how many of them count.

    The last batch is filled up with the first episodes, which do not count again.

    Args:
        env: A vector environment with ``num_episodes``.
        on_batch: Called after each batch with the number of episodes done.

    Yields:
        Numbers of the episodes, ``(B,)``, and the number of leading ones that count.
    """
    world = env.unwrapped
    size, total = world.num_envs, world.num_episodes
    for start in range(0, total, size):
        count = min(size, total - start)
        yield np.arange(start, start + size) % total, count
        if on_batch is not None:
            on_batch(start + count)
