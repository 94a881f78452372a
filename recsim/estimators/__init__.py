"""The value of a policy from the log of another one."""

from recsim.estimators.bandit import (
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
from recsim.estimators.clipping import Choice, choose
from recsim.estimators.crossfitting import CrossFit, cross_fit
from recsim.estimators.doubly_robust import (
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
from recsim.estimators.evaluate import evaluate, log_value, policy_samples
from recsim.estimators.overlap import Overlap, count_unsupported
from recsim.estimators.policies import HasActionProbabilities, HasPropensities, SampledPolicy
from recsim.estimators.propensities import LoggingSettings, estimate_logging, with_propensities
from recsim.estimators.reward_models import RewardModel
from recsim.estimators.sample import Actions, Estimator, Prediction, Sample
from recsim.estimators.tally import PolicyValue, Tally

__all__ = [
    "ESTIMATORS",
    "Actions",
    "Choice",
    "CrossFit",
    "Estimator",
    "HasActionProbabilities",
    "HasPropensities",
    "LoggingSettings",
    "Overlap",
    "PolicyValue",
    "Prediction",
    "RewardModel",
    "Sample",
    "SampledPolicy",
    "Tally",
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
    "ips",
    "log_value",
    "make_estimator",
    "mrdr",
    "mrdr_weights",
    "policy_samples",
    "replay",
    "sndr",
    "snips",
    "sub_gaussian",
    "switch",
    "switch_dr",
    "with_propensities",
]
