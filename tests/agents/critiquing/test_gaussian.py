"""Gaussian beliefs about users: by hand in one and two dimensions, and step by step."""

import numpy as np
import pytest

from agents.critiquing.gaussian import aspect_directions, criticised_mean, updated_mean


def test_one_dimension_by_hand():
    # Precision 1/0.5 = 2 at mean 1, and 4 * 2^2 = 16 that say 3 / 2:  (2 * 1 + 4 * 2 * 3) / 18.
    found = updated_mean(
        np.array([[1.0]]), 0.5, np.array([[[2.0]]]), np.array([[3.0]]), np.array([[4.0]])
    )
    assert found[0, 0] == pytest.approx(26 / 18)


def test_two_dimensions_by_hand():
    # Prior N((1, 2), I); (1, 1).z = 0 with precision 1. S'^-1 = [[2, 1], [1, 2]], and
    # S' (1, 2) = 1/3 [[2, -1], [-1, 2]] (1, 2) = (0, 1).
    found = updated_mean(
        np.array([[1.0, 2.0]]), 1.0, np.array([[[1.0, 1.0]]]), np.zeros((1, 1)), np.ones((1, 1))
    )
    np.testing.assert_allclose(found, [[0, 1]], atol=1e-15)


def test_many_observations_at_once_are_one_after_the_other():
    rng = np.random.default_rng(0)
    sessions, seen, dim, variance = 3, 4, 6, 0.7
    mean = rng.normal(size=(sessions, dim))
    x, y = rng.normal(size=(sessions, seen, dim)), rng.normal(size=(sessions, seen))
    precision = rng.choice([0.0, 1.0, 100.0], size=(sessions, seen))
    found = updated_mean(mean, variance, x, y, precision)
    for row in range(sessions):
        mu, inverse = mean[row], np.eye(dim) / variance
        for one, said, p in zip(x[row], y[row], precision[row], strict=True):
            after = inverse + p * np.outer(one, one)
            mu = np.linalg.solve(after, inverse @ mu + p * said * one)
            inverse = after
        np.testing.assert_allclose(found[row], mu, atol=1e-10)


def test_criticism_says_the_least_and_praise_the_most():
    mean = np.array([[2.0, -1.0]] * 4)
    directions = np.eye(2)
    critiqued = np.array([[0, 0], [-1, 0], [0, 1], [-1, 1]], dtype=np.int8)
    found = criticised_mean(mean, 1.0, directions, critiqued, precision_no=1.0, precision_yes=3.0)
    # Criticised: (1 * 2 + 1 * -1) / 2; praised: (1 * -1 + 3 * 2) / 4.
    np.testing.assert_allclose(found, [[2, -1], [0.5, -1], [2, 1.25], [0.5, 1.25]])


def test_a_direction_of_zero_changes_nothing():
    mean = np.array([[2.0, -1.0]])
    directions = np.array([[0.0, 0.0], [1.0, 0.0]])
    found = criticised_mean(
        mean, 1.0, directions, np.array([[-1, 0]]), precision_no=1.0, precision_yes=1.0
    )
    np.testing.assert_array_equal(found, mean)


def test_directions_point_to_the_items_that_have_the_aspect():
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(200, 3))
    having = np.stack(
        [vectors[:, 0] > 0, vectors[:, 1] < 0, np.ones(200, dtype=bool), np.zeros(200, dtype=bool)],
        axis=1,
    )
    found = aspect_directions(vectors, having, examples=20, draws=10, rng=np.random.default_rng(0))
    again = aspect_directions(vectors, having, examples=20, draws=10, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(found, again)
    assert found[0, 0] > 0.9
    assert found[1, 1] < -0.9
    assert (np.linalg.norm(found, axis=1) <= 1 + 1e-12).all()
    assert not found[2:].any()
