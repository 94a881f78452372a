"""Environments with a fixed list of episodes: batches that cover it, and sums by user."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recsim.arrays import Floats, Ints
from recsim.play.checks import check_autoreset
from recsim.problem import Names
from recsim.problem.names import Name

if TYPE_CHECKING:
    import pandas as pd


def batches(env: Any, on_batch: Callable[[int], None] | None = None) -> Iterator[tuple[Ints, int]]:
    """Yield the episodes of each batch, and how many of them count.

    The last batch is filled up with the first episodes, which do not count again.

    Args:
        env: A vector environment with ``num_episodes``.
        on_batch: Called after each batch with the number of episodes done.

    Yields:
        Numbers of the episodes, ``(B,)``, and the number of leading ones that count.

    Raises:
        EnvError: If the environment has another ``autoreset_mode`` than ``SAME_STEP``.
    """
    check_autoreset(env)
    world = env.unwrapped
    size, total = world.num_envs, world.num_episodes
    for start in range(0, total, size):
        count = min(size, total - start)
        yield np.arange(start, start + size) % total, count
        if on_batch is not None:
            on_batch(start + count)


def user_sums(user: Ints, values: Mapping[str, Floats]) -> pd.DataFrame:
    """Return the sums of values by user, from which means over any users can be computed.

    Args:
        user: User of each episode, ``(N,)``.
        values: Numbers of each episode by name, ``(N,)``, or of each of its turns, ``(N, T)``; NaN
            does not count.

    Returns:
        One row per user, ascending: ``user``, ``episodes`` (how many), and by name the sum; and,
        where they are not the episodes, in ``<name>.count`` the number of values that count.
    """
    import pandas as pd

    users, row, episodes = np.unique(user, return_inverse=True, return_counts=True)
    columns: dict[str, Any] = {"user": users, "episodes": episodes}
    for name, given in values.items():
        table = given.reshape(len(user), -1)  # (N,) or (N, T) -> (N, T)
        columns[name] = np.bincount(row, np.nansum(table, axis=1))
        counts = np.bincount(row, (~np.isnan(table)).sum(axis=1)).astype(np.int64)
        if (counts != episodes).any():
            columns[f"{name}.count"] = counts
    return pd.DataFrame(columns)


def with_names(sums: pd.DataFrame, names: Sequence[Name] | Names | None) -> pd.DataFrame:
    """Return the sums by user with the names of the users in a column ``name`` after ``user``.

    Args:
        sums: What `user_sums` returned.
        names: Name of each user by number; None where users have none.
    """
    if names is None:
        return sums
    named = sums.copy()
    named.insert(1, "name", [names[user] for user in sums["user"].tolist()])
    return named
