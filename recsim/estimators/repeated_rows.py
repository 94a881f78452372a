"""Whether rows that count as independent are copies of others, which makes intervals too narrow.

Rows of an anonymous log may be equal by chance: an item shown again to a user with the same
features. Let f_k be the number of different rows that occur k times. For rows drawn independently,
whatever their distribution, the number of times that a row occurs is a mixture of Poisson
distributions, so that k! f_k is log-convex in expectation (Cauchy-Schwarz):

    f_{k-1} f_{k+1} >= k / (k+1) f_k^2.

Copies break this: a file that was appended to itself has f_2 but neither f_1 nor f_3. The log is
reported where chance hardly explains that the inequality fails for k = 2 or 3, the rarer neighbour
of f_k being Poisson, or where all of at least twenty different rows occur a multiple of the same
number of times. A part of the file that was appended again is therefore only seen where rows are
seldom equal by chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from recsim.estimators.rows import Log, chunks
from recsim.log import SlateLog
from recsim.log.data import OPTIONAL_ROW_COLUMNS

# Hashes of the rows of logs in memory, which every evaluation on the same log needs.
_OF_LOGS: WeakKeyDictionary[SlateLog, NDArray[np.uint64]] = WeakKeyDictionary()

_MOST = 2**20  # different hashes that are kept
_LEAST_DISTINCT = 20
_LEAST_COUNT = 10
_LEAST_P = 1e-3


class RepeatedRows:
    """Counts how often rows of an anonymous log occur, in bounded memory.

    Of a long log a random part of the different rows is followed, each with all its copies.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._mask = np.uint64(0)  # hashes are kept where these bits are 0
        self._hashes: NDArray[np.uint64] = np.zeros(0, dtype=np.uint64)

    def watch(self, log: Log) -> Iterator[SlateLog]:
        """Yield the pieces of a log, and count the rows of anonymous ones."""
        for chunk in chunks(log):
            if chunk.anonymous:
                self.add(chunk)
            yield chunk

    def add(self, chunk: SlateLog) -> None:
        """Count the rows of a piece."""
        self.rows += len(chunk)
        hashes = _OF_LOGS.get(chunk)
        if hashes is None:
            hashes = _OF_LOGS[chunk] = _hashes(chunk)
        self._hashes = np.concatenate([self._hashes, hashes[(hashes & self._mask) == 0]])
        while len(self._hashes) > 4 * _MOST or (
            len(self._hashes) > _MOST and len(np.unique(self._hashes)) > _MOST
        ):
            self._mask = self._mask << np.uint64(1) | np.uint64(1)
            self._hashes = self._hashes[(self._hashes & self._mask) == 0]

    @property
    def warnings(self) -> tuple[str, ...]:
        """The reason to doubt an interval; empty if there is none."""
        if not len(self._hashes):
            return ()
        _, counts = np.unique(self._hashes, return_counts=True)
        advice = "the interval takes copies for independent rows and is too narrow"
        times = int(np.gcd.reduce(counts))
        if times > 1 and len(counts) >= _LEAST_DISTINCT:
            return (f"every row of the log occurs {times} times, or a multiple of it: {advice}",)
        if not _copied(counts):
            return ()
        share = 1 - len(counts) / len(self._hashes)
        return (
            f"about {round(share * self.rows)} of {self.rows} rows repeat an earlier row exactly, "
            f"more than chance explains: {advice}",
        )


def _copied(counts: NDArray[np.int64]) -> bool:
    """Return whether independent rows would hardly repeat like this."""
    from scipy.special import pdtr

    frequency = np.bincount(counts, minlength=5)[:5].astype(np.float64)  # f_0 ... f_4
    for k in (2, 3):
        # The rarer neighbour must make up for the more frequent one. Where it is not empty, the
        # other two counts are taken on the safe side too: among equally likely rows both sides of
        # the inequality are equal in expectation.
        rare, often = sorted((frequency[k - 1], frequency[k + 1]))
        noise = 1.5 if rare else 0.0
        own = max(frequency[k] - noise * math.sqrt(frequency[k]), 0.0)
        least = k / (k + 1) * own**2 / max(often + noise * math.sqrt(often), 1.0)
        if frequency[k] >= _LEAST_COUNT and pdtr(rare, least) < _LEAST_P:
            return True
    return False


def _hashes(chunk: SlateLog) -> NDArray[np.uint64]:
    """Return a hash of the content of every row, ``(M,)``."""
    parts: list[NDArray[Any]] = [
        chunk.slate,
        chunk.clicks,
        chunk.day[:, None],
        chunk.user_features[chunk.user],
    ]
    parts += [column[:, None] for _, column in sorted(chunk.feedback.items())]
    parts += [
        column.reshape(len(chunk), -1)
        for column in (getattr(chunk, name) for name in OPTIONAL_ROW_COLUMNS)
        if column is not None
    ]
    parts += [column for _, column in sorted(chunk.target_propensities.items())]
    total = np.zeros(len(chunk), dtype=np.uint64)
    rng = np.random.default_rng(0xD0B1E)
    for part in parts:
        exact = part.astype(np.float64) + 0.0  # -0.0 equals 0.0
        for word in exact.T.copy().view(np.uint64):  # (width, M)
            factor, added = rng.integers(0, 2**63, size=2, dtype=np.uint64)
            # The upper half of a product depends on all bits of the word.
            mixed = (word ^ (word >> np.uint64(32))) * (factor * np.uint64(2) + np.uint64(1))
            total += (mixed ^ (mixed >> np.uint64(29))) * (added * np.uint64(2) + np.uint64(1))
    return total ^ (total >> np.uint64(31))
