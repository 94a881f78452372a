r"""Marginalised importance sampling: weights of states in place of weights of whole trajectories.

Where the state contains all that matters of the past, step t need not be weighted by everything
shown before, only by the ratio of the probabilities of that state under the two policies:

.. math::
    w_t(s) = d_t(s) / \hat d_{\mu,t}(s), \quad
    \hat v = \sum_t \gamma^t \frac 1 n \sum_i w_t(s_{it}) \rho_{it} r_{it}, \quad
    d_{t+1}(s') = \frac 1 n \sum_i w_t(s_{it}) \rho_{it} 1(s_{i,t+1} = s')

from the distribution d_0 of the initial states in the log; w_t is 0 for a state that the log does
not contain at step t, and the marginals d_t are not normalised. A trajectory that has ended is in
no state, so that d loses its share. The weights do not grow from step to step as products do, which
makes long horizons possible; but the estimate is consistent only if the states are Markov, and it
is biased in small logs.

The estimate is a smooth function of the empirical distribution, with the influence function

.. math::
    \psi_i = U_0(s_{i0}) + \sum_t \gamma^t w_t(s_{it}) [\rho_{it} (r_{it} + \gamma
             U_{t+1}(s_{i,t+1})) - U_t(s_{it})]

(plus a constant), where U_t(s), the value to go, is the mean of rho (r + gamma U_t+1(s')) over the
log's visits to s at step t. Its mean is the estimate, and its variance gives the error: a `Tally`
adds up these influences and computes its intervals from them.

Reference: Xie, Ma and Wang 2019, "Towards Optimal Off-Policy Evaluation for Reinforcement Learning
with Marginalized Importance Sampling", arXiv 1906.03393. The influence function is derived.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsim.arrays import Floats, Ints
from recsim.estimators.trajectories.sample import ClippedWeights, TrajectorySample


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


def marginals(sample: TrajectorySample) -> Marginals:
    """Return the weights, values and influence of marginalised importance sampling.

    Work grows with the number of steps in the log, whatever the number of states.

    Args:
        sample: With ``states``.

    Raises:
        EstimationError: If the sample has no states.
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


def mis_terms(sample: TrajectorySample) -> Floats:
    """Return 1 and the influence of every trajectory, ``(n, 2)``.

    Weights of states are shares of all trajectories, so they cannot be computed from a part of the
    log.
    """
    influence = marginals(sample).influence
    return np.stack([np.ones(len(influence)), influence], axis=1)


def mis_weights(sample: TrajectorySample) -> ClippedWeights:
    """Return the weight of every step, which is never clipped."""
    weights = marginals(sample).weights * sample.ratios
    return weights, weights, np.zeros(weights.shape, dtype=np.bool_)


def _compact(sample: TrajectorySample) -> Ints:
    """Return the states numbered without gaps, ``(n, T)``; 0 after the end."""
    states: Ints = sample.need("states", "mis")
    compact = np.zeros(states.shape, dtype=np.int64)
    _, compact[sample.within] = np.unique(states[sample.within], return_inverse=True)
    return compact
