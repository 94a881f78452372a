"""What critiques are about: reviews, the aspects that they mention, and people who criticise."""

from __future__ import annotations

from recsim.critique.matrices import write_matrices
from recsim.critique.planted import planted_reviews
from recsim.critique.problem import CritiqueProblem
from recsim.critique.reading import from_attributes, read_reviews
from recsim.critique.reviews import AspectReviews

__all__ = [
    "AspectReviews",
    "CritiqueProblem",
    "from_attributes",
    "planted_reviews",
    "read_reviews",
    "write_matrices",
]
