"""What is measured of slates and users: pure functions of arrays."""

from recsim.metrics.diversity import coverage, distinct_groups, exposure, gini
from recsim.metrics.implicit import RankingValue, ranking_values, yang_snips
from recsim.metrics.retention import active_share, mean_gap, return_rate, returned_within

__all__ = [
    "RankingValue",
    "active_share",
    "coverage",
    "distinct_groups",
    "exposure",
    "gini",
    "mean_gap",
    "ranking_values",
    "return_rate",
    "returned_within",
    "yang_snips",
]
