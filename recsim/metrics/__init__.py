"""Metrics of slates, rankings and users: pure functions of arrays."""

from recsim.metrics.conversation import average_turns, conversation_gain, success_rate
from recsim.metrics.distance import pairwise_distance
from recsim.metrics.diversity import coverage, distinct_groups, exposure, gini
from recsim.metrics.hits import hit_counts, hit_rate, published_hit_rate
from recsim.metrics.implicit import RankingValue, ranking_values, yang_snips
from recsim.metrics.likelihood import (
    MeanLogProbability,
    choice_rates,
    mean_log_probability,
    uniform_choice,
    weighted_choice,
)
from recsim.metrics.returns import (
    ReturnScore,
    mean_predicted_return,
    never_returning_share,
    return_class,
    return_improvement,
    similarity_return_score,
)
from recsim.metrics.slate_hits import (
    click_precision,
    clipped_unigram_precision,
    distinct_hits,
    hit_rate_at,
    ndcg_at,
    precision_at,
    recall,
)

__all__ = [
    "MeanLogProbability",
    "RankingValue",
    "ReturnScore",
    "average_turns",
    "choice_rates",
    "click_precision",
    "clipped_unigram_precision",
    "conversation_gain",
    "coverage",
    "distinct_groups",
    "distinct_hits",
    "exposure",
    "gini",
    "hit_counts",
    "hit_rate",
    "hit_rate_at",
    "mean_log_probability",
    "mean_predicted_return",
    "ndcg_at",
    "never_returning_share",
    "pairwise_distance",
    "precision_at",
    "published_hit_rate",
    "ranking_values",
    "recall",
    "return_class",
    "return_improvement",
    "similarity_return_score",
    "success_rate",
    "uniform_choice",
    "weighted_choice",
    "yang_snips",
]
