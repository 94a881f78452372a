"""What an agent must know of the place where it recommends, and may know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Problem:
    """The public facts of a recommendation problem, the same for an environment and for a log.

    Attributes:
        num_items: Size of the catalogue, I. Item ids are 0 ... I-1; -1 is padding.
        slate_size: Items shown at a time, K.
        num_candidates: Candidates offered at a time, C. Equal to I where the whole catalogue is.
        user_feature_dim: Columns of ``obs["user_features"]``, F.
        item_features: What a real system knows of each item, ``(I, D)`` float32.
        item_groups: Group (category) of each item, ``(I,)`` int64; zeros where there are none.
        rewards: Weight of each named reward in the scalar reward, in the order of
            ``obs["feedback"]``, e.g. ``{"click": 1.0, "watch": 0.0, "return": 0.0}``.
    """

    num_items: int
    slate_size: int
    num_candidates: int
    user_feature_dim: int
    item_features: NDArray[np.float32]
    item_groups: NDArray[np.int64]
    rewards: dict[str, float]
