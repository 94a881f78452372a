r"""Marginalised importance sampling: weights of states in place of weights of whole trajectories.

Where the state tells all that matters of the past, what is shown at step t need not be weighted by
everything shown before, only by how much more often the evaluated policy is in that state at all:

.. math::
    w_t(s) = d_t(s) / \hat d_{\mu,t}(s), \quad
    \hat v = \sum_t \gamma^t \frac 1 n \sum_i w_t(s_{it}) \rho_{it} r_{it}, \quad
    d_{t+1}(s') = \frac 1 n \sum_i w_t(s_{it}) \rho_{it} 1(s_{i,t+1} = s')

from the distribution d_0 of the initial states in the log; w_t is 0 for a state that the log does
not hold at step t, and the marginals d_t are not normalised. A trajectory that has ended is in no
state: its share of d leaves. The weights do not grow from step to step as products do, so that long
horizons are possible; but the estimate is consistent only if the states are Markov, and not
unbiased.

The estimate is a smooth function of the empirical distribution, with the influence function

.. math::
    \psi_i = U_0(s_{i0}) + \sum_t \gamma^t w_t(s_{it}) [\rho_{it} (r_{it} + \gamma
             U_{t+1}(s_{i,t+1})) - U_t(s_{it})]

(plus a constant), where U_t(s), the value to go, is the mean of rho (r + gamma U_t+1(s')) over the
log's visits to s at step t. Its mean is the estimate itself, and its spread the error: that is what
a `Tally` adds up, and what its intervals are of.

Reference: Xie, Ma and Wang 2019, "Towards Optimal Off-Policy Evaluation for Reinforcement Learning
with Marginalized Importance Sampling", arXiv 1906.03393. The influence function is derived.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.estimators.impressions.sample import Floats
from recsim.estimators.ratios import sum_of_ratios
from recsim.estimators.trajectories.sample import TrajectoryEstimator, TrajectorySample


@dataclass(frozen=True, eq=False)
class Marginals:
    """Marginalised weights and values of the states.

    Attributes:
        value: The estimate.
        weights: w_t(s_it), the weight of the state of every step, ``(n, T)``; 0 after the end.
        to_go: U_t(s_it), the value to go from there, ``(n, T)``; 0 after the end.
        influence: psi_i, whose mean is the estimate, ``(n,)``.
    """

    value: float
    weights: Floats
    to_go: Floats
    influence: Floats


def mis(sample: TrajectorySample) -> float:
    """Marginalised importance sampling with tabular states.

    Args:
        sample: With ``states``.

    Returns:
        Discounted reward per trajectory; NaN if there is none.
    """
    return marginals(sample).value


def marginals(sample: TrajectorySample) -> Marginals:
    """Return the weights, values and influence of marginalised importance sampling.

    Work grows with the number of steps in the log, whatever the number of states.

    Args:
        sample: With ``states``.

    Raises:
        UserError: If the sample has no states.
    """
    state = _compact(sample)  # (n, T)
    n, steps = state.shape
    size = int(state.max(initial=0)) + 1
    within, ratios, gamma = sample.within, sample.ratios, sample.discount
    counts = np.zeros((steps, size))
    weights, to_go = np.zeros((n, steps)), np.zeros((n, steps))
    # In a trajectory's first state the weight is d_0 / d_0 = 1; then the weights flow forward.
    flow = np.ones(n)
    for t in range(steps):
        at = within[:, t]
        counts[t] = np.bincount(state[at, t], minlength=size)
        share = np.bincount(state[at, t], flow[at], minlength=size)
        # Visited states only, so that no count is zero where it matters.
        weights[at, t] = (share / np.maximum(counts[t], 1.0))[state[at, t]]
        flow = weights[:, t] * ratios[:, t]
    later = np.zeros(n)
    ahead = np.zeros((n, steps))  # rho (r + gamma U_t+1)
    for t in reversed(range(steps)):
        at = within[:, t]
        ahead[at, t] = (ratios[:, t] * (sample.rewards[:, t] + gamma * later))[at]
        total = np.bincount(state[at, t], ahead[at, t], minlength=size)
        to_go[at, t] = (total / np.maximum(counts[t], 1.0))[state[at, t]]
        later = to_go[:, t]
    first = to_go[:, 0] if steps else np.zeros(n)
    influence = first + (weights * (ahead - to_go)) @ sample.discounts
    earned = (weights * ratios * sample.rewards) @ sample.discounts
    value = float(earned.mean()) if n else float("nan")
    return Marginals(value, weights, to_go, influence)


def mis_estimator(horizon: int | None = None) -> TrajectoryEstimator:
    """Return the estimator for a `Tally`, which takes all trajectories in one sample only.

    Weights of states are shares of all trajectories, so those of a part are others.

    Args:
        horizon: T.
    """
    return TrajectoryEstimator(
        name="mis",
        terms=_terms,
        value=sum_of_ratios,
        used=_all_of_it,
        noun="step",
        undivided=True,
        judged=_judged,
        horizon=horizon,
    )


def _terms(sample: TrajectorySample) -> Floats:
    influence = marginals(sample).influence
    return np.stack([np.ones(len(influence)), influence], axis=1)


def _judged(sample: TrajectorySample) -> tuple[Any, Any, Any]:
    weights = marginals(sample).weights * sample.ratios
    return weights, weights, np.zeros(weights.shape, dtype=np.bool_)


def _all_of_it(weights: Floats) -> Floats:
    return weights


def _compact(sample: TrajectorySample) -> NDArray[np.int64]:
    """Return the states numbered without gaps, ``(n, T)``; 0 after the end."""
    states: NDArray[np.int64] = sample.need("states", "mis")
    compact = np.zeros(states.shape, dtype=np.int64)
    _, compact[sample.within] = np.unique(states[sample.within], return_inverse=True)
    return compact
