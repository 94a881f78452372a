"""The multinomial logit: by hand, against automatic differentiation, and the posterior's mode."""

import math

import numpy as np
import pytest
import torch

from agents.shared.mnl import choices, posterior_mode

SHOWN = np.ones((1, 2), dtype=bool)


@pytest.mark.parametrize(
    ("clicks", "likelihood", "gradient"),
    [
        # Weights 2 and 1 beside 1 for nothing: chances 1/2, 1/4 and 1/4.
        ([1, 0], 1 / 2, [1 / 2, -1 / 4]),
        ([0, 1], 1 / 4, [-1 / 2, 3 / 4]),
        ([0, 0], 1 / 4, [-1 / 2, -1 / 4]),
        ([1, 1], 1 / 8, [0, 1 / 2]),  # two choices, one after the other
    ],
)
def test_by_hand(clicks, likelihood, gradient):
    utilities = np.array([[math.log(2), 0.0]])
    value, slope, spread = choices(utilities, np.array([clicks], dtype=float), SHOWN)
    np.testing.assert_allclose(value, [math.log(likelihood)])
    np.testing.assert_allclose(slope, [gradient], atol=1e-15)
    count = max(sum(clicks), 1)
    np.testing.assert_allclose(spread, count * np.array([[[1 / 4, -1 / 8], [-1 / 8, 3 / 16]]]))


def test_against_automatic_differentiation():
    rng = np.random.default_rng(0)
    utilities = rng.normal(size=(30, 4))
    clicks = (rng.random((30, 4)) < 0.3).astype(float)
    shown = rng.random((30, 4)) < 0.8
    shown[0] = False

    def log_likelihood(flat):
        u = torch.where(torch.tensor(shown), flat.reshape(30, 4), -torch.inf)
        options = torch.cat([u, torch.zeros(30, 1, dtype=u.dtype)], dim=1)
        chance = torch.log_softmax(options, dim=1)
        made = torch.tensor(clicks * shown)
        nothing = (made.sum(dim=1) == 0) * chance[:, -1]
        return torch.where(made > 0, chance[:, :-1], 0.0).sum(dim=1) + nothing

    flat = torch.tensor(utilities.ravel(), requires_grad=True)
    total = torch.autograd.functional.hessian(lambda x: log_likelihood(x).sum(), flat)
    blocks = total.numpy().reshape(30, 4, 30, 4)[np.arange(30), :, np.arange(30)]  # (30, 4, 4)
    value, slope, spread = choices(utilities, clicks, shown)
    np.testing.assert_allclose(value, log_likelihood(flat).detach().numpy(), atol=1e-12)
    (gradient,) = torch.autograd.grad(log_likelihood(flat).sum(), flat)
    np.testing.assert_allclose(slope.ravel(), gradient.numpy(), atol=1e-12)
    np.testing.assert_allclose(spread, -blocks, atol=1e-12)
    assert value[0] == 0  # an empty slate tells nothing


def test_extreme_utilities_do_not_overflow():
    utilities = np.array([[1000.0, -1000.0], [-1000.0, -2000.0]])
    with np.errstate(over="raise", invalid="raise"):
        value, slope, spread = choices(
            utilities, np.array([[1.0, 0.0], [0.0, 0.0]]), np.ones((2, 2), dtype=bool)
        )
    np.testing.assert_allclose(value, [0, 0], atol=1e-12)
    assert np.isfinite(slope).all()
    assert np.isfinite(spread).all()


def test_the_mode_of_two_gaussians_is_found_in_one_step():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(3, 3))
    information, target = root @ root.T, rng.normal(size=3)
    mean, precision = rng.normal(size=3), np.diag([1.0, 2.0, 3.0])

    def likelihood(theta):
        pull = information @ (theta - target)
        return -0.5 * float(pull @ (theta - target)), -pull, information

    mode, curvature, path = posterior_mode(mean, precision, likelihood)
    expected = np.linalg.solve(precision + information, precision @ mean + information @ target)
    np.testing.assert_allclose(mode, expected)
    np.testing.assert_allclose(curvature, precision + information)
    assert len(path) == 2


def test_the_posterior_rises_from_far_away_until_its_gradient_vanishes():
    # Newton's full step overshoots here: one choice in a million of a very bad guess.
    mean, precision = np.array([-30.0]), np.array([[1e-4]])
    clicks = np.array([[1.0], [0.0]])

    def likelihood(theta):
        utilities = np.full((2, 1), theta[0])
        value, slope, spread = choices(utilities, clicks, np.ones((2, 1), dtype=bool))
        return float(500 * value.sum()), 500 * slope.sum(axis=0), 500 * spread.sum(axis=0)

    mode, _, path = posterior_mode(mean, precision, likelihood)
    assert (np.diff(path) > -1e-9).all()
    gradient = likelihood(mode)[1] - precision @ (mode - mean)
    assert np.abs(gradient).max() < 1e-2
    assert abs(mode[0]) < 0.01  # as many clicks as none
