"""What critiques are about: reviews, the aspects that they mention, and people who criticise."""

from __future__ import annotations

from recsim.critique.planted import planted_reviews
from recsim.critique.problem import CritiqueProblem
from recsim.critique.reviews import AspectReviews

__all__ = ["AspectReviews", "CritiqueProblem", "planted_reviews"]
