"""Which review trains, which chooses, which tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsim.conversation import PARTS
from recsim.log.encode import rank_within

Ints = NDArray[np.int64]


def per_user(user: Ints, seed: int) -> NDArray[np.int8]:
    """Split the reviews of each user at random: one for test, one for valid, the rest for train.

    Test comes first, then train, then valid: of two reviews one trains, and whoever wrote a single
    one is not tested, so that nobody is met in a test who was never seen in training.

    Args:
        user: User of each review, ``(M,)``.
        seed: Of the shuffle.

    Returns:
        Number of the part of each review in `recsim.conversation.PARTS`, ``(M,)``.
    """
    shuffled = np.random.default_rng([seed, 0x5917]).permutation(len(user))
    place = np.empty(len(user), dtype=np.int64)
    place[shuffled] = rank_within(user[shuffled])
    written = np.bincount(user)[user]
    part = np.full(len(user), PARTS.index("train"), dtype=np.int8)
    part[(place == 0) & (written > 1)] = PARTS.index("test")
    part[(place == 1) & (written > 2)] = PARTS.index("valid")
    return part
