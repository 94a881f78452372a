"""Data of critiquing sessions: reviews and the aspects of items that they mention."""

from __future__ import annotations

from recsim.critiquing.npz import write_reviews
from recsim.critiquing.planted import planted_reviews
from recsim.critiquing.problem import CritiquingProblem
from recsim.critiquing.reading import from_attributes, read_reviews
from recsim.critiquing.reviews import AspectReviews

__all__ = [
    "AspectReviews",
    "CritiquingProblem",
    "from_attributes",
    "planted_reviews",
    "read_reviews",
    "write_reviews",
]
