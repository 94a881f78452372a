"""The value of a policy from the log of another one."""

from recsim.estimators.balanced import with_balanced_propensities
from recsim.estimators.difference import PolicyDifference
from recsim.estimators.estimator import Estimator
from recsim.estimators.impressions.clipping import Choice, choose
from recsim.estimators.impressions.crossfitting import CrossFit, cross_fit
from recsim.estimators.impressions.difference import evaluate_difference
from recsim.estimators.impressions.estimators import ESTIMATORS, make_estimator, mrdr_weights
from recsim.estimators.impressions.evaluate import evaluate, log_value
from recsim.estimators.impressions.propensities import (
    LoggingSettings,
    estimate_logging,
    with_propensities,
)
from recsim.estimators.impressions.sample import Actions, ImpressionEstimator, Prediction, Sample
from recsim.estimators.impressions.weighted_rows import policy_samples
from recsim.estimators.named import by_name
from recsim.estimators.overlap import Overlap
from recsim.estimators.policies import HasActionProbabilities, HasPropensities, SampledPolicy
from recsim.estimators.reward_models import RewardModel
from recsim.estimators.settings import ImpressionSettings, Intervals, Limits, SlateSettings
from recsim.estimators.slates.distribution import SlateDistribution
from recsim.estimators.slates.estimators import SLATE_ESTIMATORS, make_slate_estimator
from recsim.estimators.slates.evaluate import evaluate_slates
from recsim.estimators.slates.explicit_policies import (
    IndependentSlots,
    PlackettLuceSlates,
    UniformSlates,
)
from recsim.estimators.slates.sample import SlateSample
from recsim.estimators.tally import PolicyValue, Tally
from recsim.estimators.trajectories.estimators import (
    TRAJECTORY_ESTIMATORS,
    make_trajectory_estimator,
)
from recsim.estimators.trajectories.evaluate import evaluate_trajectories
from recsim.estimators.trajectories.sample import TrajectorySample
from recsim.estimators.weights import effective_sample_size, probability_ratio

__all__ = [
    "ESTIMATORS",
    "SLATE_ESTIMATORS",
    "TRAJECTORY_ESTIMATORS",
    "Actions",
    "Choice",
    "CrossFit",
    "Estimator",
    "HasActionProbabilities",
    "HasPropensities",
    "ImpressionEstimator",
    "ImpressionSettings",
    "IndependentSlots",
    "Intervals",
    "Limits",
    "LoggingSettings",
    "Overlap",
    "PlackettLuceSlates",
    "PolicyDifference",
    "PolicyValue",
    "Prediction",
    "RewardModel",
    "Sample",
    "SampledPolicy",
    "SlateDistribution",
    "SlateSample",
    "SlateSettings",
    "Tally",
    "TrajectorySample",
    "UniformSlates",
    "by_name",
    "choose",
    "cross_fit",
    "effective_sample_size",
    "estimate_logging",
    "evaluate",
    "evaluate_difference",
    "evaluate_slates",
    "evaluate_trajectories",
    "log_value",
    "make_estimator",
    "make_slate_estimator",
    "make_trajectory_estimator",
    "mrdr_weights",
    "policy_samples",
    "probability_ratio",
    "with_balanced_propensities",
    "with_propensities",
]
