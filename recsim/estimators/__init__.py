"""The value of a policy from the log of another one."""

from recsim.estimators.bandit import (
    ESTIMATORS,
    clipped_ips,
    clipped_snips,
    effective_sample_size,
    ips,
    make_estimator,
    snips,
)
from recsim.estimators.evaluate import HasPropensities, evaluate, log_value, policy_samples
from recsim.estimators.sample import Estimator, Sample
from recsim.estimators.tally import PolicyValue, Tally

__all__ = [
    "ESTIMATORS",
    "Estimator",
    "HasPropensities",
    "PolicyValue",
    "Sample",
    "Tally",
    "clipped_ips",
    "clipped_snips",
    "effective_sample_size",
    "evaluate",
    "ips",
    "log_value",
    "make_estimator",
    "policy_samples",
    "snips",
]
