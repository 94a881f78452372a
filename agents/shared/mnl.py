r"""The multinomial logit of choices from slates: likelihood, and the mode of a posterior.

A user who sees the items S chooses item k with probability
:math:`e^{u_k} / (1 + \sum_{j \in S} e^{u_j})`, and nothing with the remaining probability.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recsim.arrays import Bools, Floats

# Maps a parameter to its log-likelihood, the gradient (d,) and the Fisher information (d, d).
Likelihood = Callable[[Floats], tuple[float, Floats, Floats]]

# Newton's method stops if the expected gain of a step is below this, in nats.
_TOLERANCE = 1e-8
_STEPS = 50
_HALVINGS = 30


def choices(utilities: Floats, clicks: Floats, shown: Bools) -> tuple[Floats, Floats, Floats]:
    """Return the log-likelihood of the choices from each slate, and its derivatives.

    A slate without a click is one choice of nothing; n clicks are n choices from the same slate.

    Args:
        utilities: u of each item, ``(N, K)``.
        clicks: 1 where the item was clicked, ``(N, K)``.
        shown: False where a slot was empty, ``(N, K)``.

    Returns:
        The log-likelihood, ``(N,)``; its gradient in the utilities, ``(N, K)``; and its negative
        Hessian, ``(N, K, K)``, which is the Fisher information.
    """
    clicks = clicks * shown
    masked = np.where(shown, utilities, -np.inf)
    peak = np.maximum(masked.max(axis=1, keepdims=True), 0.0)  # (N, 1); nothing has utility 0
    weights = np.exp(masked - peak)
    total = weights.sum(axis=1, keepdims=True) + np.exp(-peak)
    chance = weights / total  # (N, K)
    count = np.maximum(clicks.sum(axis=1, keepdims=True), 1.0)
    chosen = (clicks * np.where(shown, utilities, 0.0)).sum(axis=1)
    value = chosen - (count * (peak + np.log(total)))[:, 0]
    spread = np.eye(chance.shape[1]) * chance[:, None, :] - chance[:, :, None] * chance[:, None, :]
    return value, clicks - count * chance, count[:, :, None] * spread


def posterior_mode(
    mean: Floats, precision: Floats, likelihood: Likelihood
) -> tuple[Floats, Floats, list[float]]:
    """Find the mode of a Gaussian prior times a log-concave likelihood by Newton's method.

    Steps are halved until they gain at least a tenth of the expected gain.

    Args:
        mean: Mean of the prior, ``(d,)``.
        precision: Inverse covariance of the prior, ``(d, d)``.
        likelihood: Log-likelihood of the data and its derivatives.

    Returns:
        The mode ``(d,)``; the precision of the Gaussian with the same curvature at the mode
        (Laplace's approximation), ``(d, d)``; and the log posterior, up to a constant, after every
        step.
    """

    def evaluate(theta: Floats) -> tuple[float, Floats, Floats]:
        value, gradient, fisher = likelihood(theta)
        pull = precision @ (theta - mean)
        return value - 0.5 * float(pull @ (theta - mean)), gradient - pull, precision + fisher

    theta = mean
    value, gradient, curvature = evaluate(theta)
    path = [value]
    for _ in range(_STEPS):
        step = np.linalg.solve(curvature, gradient)
        expected = float(gradient @ step)
        if expected <= _TOLERANCE:
            break
        for halving in range(_HALVINGS):
            scale = 0.5**halving
            trial = evaluate(theta + scale * step)
            # The last term allows for rounding errors.
            if trial[0] >= value + 0.1 * scale * expected - 1e-12 * abs(value):
                break
        theta = theta + scale * step
        value, gradient, curvature = trial
        path.append(value)
    return theta, curvature, path
