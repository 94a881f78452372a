"""Gaussian beliefs about users, by hand and step by step."""

import numpy as np
import pytest

from agents.critiquing.gaussian import aspect_directions, critiqued_mean, updated_mean


def test_one_dimension_by_hand():
    # Prior precision 1/0.5 = 2 at 1, observed precision 4 * 2^2 = 16 at 3/2: (2 * 1 + 24) / 18.
    mean = updated_mean(
        np.array([[1.0]]), 0.5, np.array([[[2.0]]]), np.array([[3.0]]), np.array([[4.0]])
    )
    assert mean[0, 0] == pytest.approx(26 / 18)


def test_two_dimensions_by_hand():
    # Prior N((1, 2), I); (1, 1).z = 0 with precision 1. S'^-1 = [[2, 1], [1, 2]], and
    # S' (1, 2) = 1/3 [[2, -1], [-1, 2]] (1, 2) = (0, 1).
    mean = updated_mean(
        np.array([[1.0, 2.0]]), 1.0, np.array([[[1.0, 1.0]]]), np.zeros((1, 1)), np.ones((1, 1))
    )
    np.testing.assert_allclose(mean, [[0, 1]], atol=1e-15)


def test_all_observations_at_once_equal_one_after_the_other():
    rng = np.random.default_rng(0)
    sessions, count, dim, variance = 3, 4, 6, 0.7
    mean = rng.normal(size=(sessions, dim))
    x, y = rng.normal(size=(sessions, count, dim)), rng.normal(size=(sessions, count))
    precision = rng.choice([0.0, 1.0, 100.0], size=(sessions, count))
    updated = updated_mean(mean, variance, x, y, precision)
    for row in range(sessions):
        mu, inverse = mean[row], np.eye(dim) / variance
        for one, answer, p in zip(x[row], y[row], precision[row], strict=True):
            after = inverse + p * np.outer(one, one)
            mu = np.linalg.solve(after, inverse @ mu + p * answer * one)
            inverse = after
        np.testing.assert_allclose(updated[row], mu, atol=1e-10)


def test_critiques_observe_the_lowest_or_highest_interest():
    mean = np.array([[2.0, -1.0]] * 4)
    directions = np.eye(2)
    critiqued = np.array([[0, 0], [-1, 0], [0, 1], [-1, 1]], dtype=np.int8)
    after = critiqued_mean(mean, 1.0, directions, critiqued, precision_no=1.0, precision_yes=3.0)
    # Negative: (1 * 2 + 1 * -1) / 2; positive: (1 * -1 + 3 * 2) / 4.
    np.testing.assert_allclose(after, [[2, -1], [0.5, -1], [2, 1.25], [0.5, 1.25]])


def test_a_direction_of_zero_changes_nothing():
    mean = np.array([[2.0, -1.0]])
    directions = np.array([[0.0, 0.0], [1.0, 0.0]])
    after = critiqued_mean(
        mean, 1.0, directions, np.array([[-1, 0]]), precision_no=1.0, precision_yes=1.0
    )
    np.testing.assert_array_equal(after, mean)


def test_directions_point_to_the_items_with_the_aspect():
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(200, 3))
    having = np.stack(
        [vectors[:, 0] > 0, vectors[:, 1] < 0, np.ones(200, dtype=bool), np.zeros(200, dtype=bool)],
        axis=1,
    )
    directions = aspect_directions(
        vectors, having, examples=20, draws=10, rng=np.random.default_rng(0)
    )
    again = aspect_directions(vectors, having, examples=20, draws=10, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(directions, again)
    assert directions[0, 0] > 0.9
    assert directions[1, 1] < -0.9
    assert (np.linalg.norm(directions, axis=1) <= 1 + 1e-12).all()
    assert not directions[2:].any()
