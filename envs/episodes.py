"""Which episode each row of a simulation plays, and the key of its random numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray

from recsim.arrays import Ints
from recsim.draws import chain
from recsim.errors import EnvError, did_you_mean
from recsim.settings import whole_number

Keys: TypeAlias = NDArray[np.uint64]

FIRST_USER = "first_user"
# In place of the number of a user, in keys of episodes about a given subject.
_ABOUT = np.array([2**62])


class Episodes:
    """The episodes of B rows.

    An episode is identified by the seed, the number of the row's user under this seed, and the
    number of the row's episodes before it. Its key is a function of these three, so that what
    happens in one row has no influence on the keys of others.

    Args:
        size: B.

    Attributes:
        users: Number of each row's user under its seed, ``(B,)``.
        episode: Episodes of each row before the present one, ``(B,)``.
    """

    def __init__(self, size: int) -> None:
        self.users: Ints = np.zeros(size, dtype=np.int64)
        self.episode: Ints = np.zeros(size, dtype=np.int64)
        self._roots = np.zeros(size, dtype=np.uint64)
        self._generator: np.random.Generator | None = None
        self._rows_per_seed = np.full(size, size)

    def begin(
        self,
        generator: np.random.Generator,
        first_user: int | None,
        seeded: bool,
        rows: Ints | None = None,
    ) -> None:
        """Begin the first episodes under a seed, or the next ones under the present seed.

        Args:
            generator: Source of the seed; one that was not seen before counts as a new seed.
            first_user: Number of the first row's user; None for 0.
            seeded: Whether the generator was seeded for these episodes.
            rows: Rows to begin them in; None for all.

        Raises:
            EnvError: If there is a first user without a seed.
        """
        if first_user is not None and not seeded:
            raise EnvError(f"options[{FIRST_USER!r}] needs a seed: reset(seed=..., options=...).")
        size = len(self.users)
        rows = np.arange(size) if rows is None else rows
        if seeded or generator is not self._generator:
            self._generator, self._rows_per_seed[rows] = generator, size
            self._roots[rows] = _root(generator)
            self.users[rows] = rows + (first_user or 0)
            self.episode[rows] = 0
        else:
            self.next(rows)

    def begin_each(
        self,
        seeds: Iterable[int | None],
        generator: np.random.Generator,
        rows: Ints | None = None,
    ) -> None:
        """Begin the first episode of user 0 under each row's own seed.

        Args:
            seeds: One per row; a row with None continues with its next episode.
            generator: Source of the seed of rows that have none yet.
            rows: Rows to begin them in; None for all.

        Raises:
            EnvError: If a seed is not a whole number of at least 0.
            ValueError: If there are more or fewer seeds than rows.
        """
        seeds = [None if seed is None else checked_seed(seed) for seed in seeds]
        if len(seeds) != len(self.users):
            raise ValueError(f"There are {len(seeds)} seeds for {len(self.users)} environments.")
        if self._generator is None and any(seed is None for seed in seeds):
            self.begin(generator, None, seeded=True)
            self.episode[:] = -1
        self._generator = generator
        for row in range(len(seeds)) if rows is None else rows:
            if (seed := seeds[row]) is None:
                self.episode[row] += 1
            else:
                self._roots[row] = _root(seeding.np_random(seed)[0])
                self.users[row] = self.episode[row] = 0
            self._rows_per_seed[row] = 1

    def next(self, rows: Ints) -> None:
        """Pass to the next episode of some rows."""
        self.episode[rows] += 1

    def keys(self, rows: Ints | slice = slice(None)) -> Keys:
        """Return the keys of the episodes of some rows, ``(N,)``."""
        keys: Keys = chain(chain(self._roots[rows], self.users[rows]), self.episode[rows])
        return keys

    def keys_about(self, rows: Ints, subjects: Ints) -> Keys:
        """Return keys of episodes about given subjects, ``(N,)``, whatever their user or number.

        Args:
            rows: Rows, whose seeds count, ``(N,)``.
            subjects: Numbers of the subjects, ``(N,)``.
        """
        keys: Keys = chain(chain(self._roots[rows], _ABOUT), subjects)
        return keys

    def places(self, rows: Ints) -> Ints:
        """Return the place of the rows' episodes among those of all rows with the same seed.

        A batch of B rows plays 0 ... B-1 first, then B ... 2B-1, and so on; ``(N,)``.
        """
        places: Ints = self.users[rows] + self.episode[rows] * self._rows_per_seed[rows]
        return places


def first_user_of(
    options: Mapping[str, Any], known: Collection[str]
) -> tuple[int | None, dict[str, Any]]:
    """Return the option ``first_user``, or None, and the other options.

    Args:
        options: Options of ``reset``.
        known: The other options that the environment has.

    Raises:
        EnvError: If it is not a whole number of at least 0, or an option is unknown.
    """
    others = dict(options)
    first = others.pop(FIRST_USER, None)
    for name in others:
        if name not in known:
            raise EnvError(
                f"reset has no option {name!r}.{did_you_mean(str(name), [*known, FIRST_USER])}"
            )
    return None if first is None else whole_number(
        first, f"options[{FIRST_USER!r}]", EnvError
    ), others


def checked_seed(seed: Any) -> int:
    """Return a seed of ``reset``.

    Raises:
        EnvError: If it is not a whole number of at least 0.
    """
    return whole_number(seed, "seed", EnvError)


def _root(generator: np.random.Generator) -> np.uint64:
    """Draw the first key of a chain."""
    return np.uint64(generator.integers(2**64 - 1, dtype=np.uint64, endpoint=True))
