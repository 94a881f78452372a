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
from recsim.estimators.evaluate import HasPropensities, evaluate, log_value, policy_samples
from recsim.estimators.sample import Actions, Estimator, Prediction, Sample
from recsim.estimators.tally import PolicyValue, Tally

__all__ = [
    "ESTIMATORS",
    "Actions",
    "Estimator",
    "HasPropensities",
    "PolicyValue",
    "Prediction",
    "Sample",
    "Tally",
    "clipped_dr",
    "clipped_ips",
    "clipped_snips",
    "dm",
    "dr",
    "dros",
    "effective_sample_size",
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
]
