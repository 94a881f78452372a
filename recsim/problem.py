"""What an agent must know about the place where it recommends, and may know."""

from __future__ import annotations

from dataclasses import dataclass

from recsim.arrays import Floats32, Ints


@dataclass(frozen=True, eq=False)
class Problem:
    """The public facts of a recommendation problem, the same for an environment and for a log.

    Attributes:
        num_items: Size of the catalogue, I. Item ids are 0 ... I-1; -1 is padding.
        slate_size: Items shown at a time, K.
        num_candidates: Candidates offered at a time, C. Equal to I if the whole catalogue is.
        user_feature_dim: Columns of ``obs["user_features"]``, F.
        item_features: What a real system knows about each item, ``(I, D)`` float32.
        item_groups: Group (category) of each item, ``(I,)`` int64; zeros if there are none.
        rewards: Weight of each named reward in the scalar reward, in the order of
            ``obs["feedback"]``, e.g. ``{"click": 1.0, "watch": 0.0, "return": 0.0}``.
    """

    num_items: int
    slate_size: int
    num_candidates: int
    user_feature_dim: int
    item_features: Floats32
    item_groups: Ints
    rewards: dict[str, float]
