"""What critiques are about: reviews, the aspects that they mention, and people who criticise."""

from __future__ import annotations

from recsim.critiquing.matrices import write_matrices
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
    "write_matrices",
]
