"""The value of a policy from the log of another one."""

from recsim.estimators.impressions.bandit import (
    ESTIMATORS,
    clipped_ips,
    clipped_snips,
    effective_sample_size,
    ips,
    make_estimator,
    replay,
    snips,
    sub_gaussian,
)
from recsim.estimators.impressions.clipping import Choice, choose
from recsim.estimators.impressions.crossfitting import CrossFit, cross_fit
from recsim.estimators.impressions.doubly_robust import (
    clipped_dr,
    dm,
    dr,
    dros,
    mrdr,
    mrdr_weights,
    sndr,
    switch,
    switch_dr,
)
from recsim.estimators.impressions.evaluate import evaluate, log_value, policy_samples
from recsim.estimators.impressions.overlap import Overlap, count_unsupported
from recsim.estimators.impressions.policies import (
    HasActionProbabilities,
    HasPropensities,
    SampledPolicy,
)
from recsim.estimators.impressions.propensities import (
    LoggingSettings,
    estimate_logging,
    with_propensities,
)
from recsim.estimators.impressions.sample import Actions, Estimator, Prediction, Sample
from recsim.estimators.ratios import probability_ratio
from recsim.estimators.reward_models import RewardModel
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
    "IndependentSlots",
    "LoggingSettings",
    "Overlap",
    "PlackettLuceSlates",
    "PolicyValue",
    "Prediction",
    "RewardModel",
    "Sample",
    "SampledPolicy",
    "SlateDistribution",
    "SlateSample",
    "Tally",
    "TrajectorySample",
    "UniformSlates",
    "choose",
    "clipped_dr",
    "clipped_ips",
    "clipped_snips",
    "count_unsupported",
    "cross_fit",
    "dm",
    "dr",
    "dros",
    "effective_sample_size",
    "estimate_logging",
    "evaluate",
    "evaluate_slates",
    "evaluate_trajectories",
    "ips",
    "log_value",
    "make_estimator",
    "make_slate_estimator",
    "make_trajectory_estimator",
    "mrdr",
    "mrdr_weights",
    "policy_samples",
    "probability_ratio",
    "replay",
    "sndr",
    "snips",
    "sub_gaussian",
    "switch",
    "switch_dr",
    "with_propensities",
]
