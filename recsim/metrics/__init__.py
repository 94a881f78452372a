"""What is measured of slates and users: pure functions of arrays."""

from recsim.metrics.distance import pairwise_distance
from recsim.metrics.diversity import coverage, distinct_groups, exposure, gini
from recsim.metrics.hits import hit_counts, hit_rate, published_hit_rate
from recsim.metrics.implicit import RankingValue, ranking_values, yang_snips

__all__ = [
    "RankingValue",
    "coverage",
    "distinct_groups",
    "exposure",
    "gini",
    "hit_counts",
    "hit_rate",
    "pairwise_distance",
    "published_hit_rate",
    "ranking_values",
    "yang_snips",
]
