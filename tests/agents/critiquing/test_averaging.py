"""Averages of users and critiques, by hand."""

import numpy as np

from agents.critiquing.averaging import balanced_average, uniform_average, weights

USERS = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]])
ENCODER = np.array([[3.0, 0.0], [0.0, 6.0], [9.0, 9.0]])
# No critique; aspect 0, mentioned in two reviews; aspects 0 and 1.
CRITIQUES = np.array([[0.0, 0.0, 0.0], [-2.0, 0.0, 0.0], [-2.0, -1.0, 0.0]])


def test_the_weight_of_a_critique_is_the_count_but_at_least_one():
    critiqued = np.array([[-1, -1, 1, 0, 1]], dtype=np.int8)
    counts = np.array([[3, 0, 2, 5, 0]])
    assert weights(critiqued, counts).tolist() == [[-3, -1, 2, 0, 1]]
    assert weights(critiqued, counts, least=0.0).tolist() == [[-3, 0, 2, 0, 0]]


def test_uniform_average_counts_the_user_as_one_critique():
    average = uniform_average(USERS, ENCODER, CRITIQUES)
    # (1, 2); ((1, 2) - 2 (3, 0)) / 2; ((1, 2) - 2 (3, 0) - (0, 6)) / 3.
    assert average.tolist() == [[1, 2], [-2.5, 1], [-5 / 3, -4 / 3]]


def test_balanced_average_counts_the_user_as_much_as_all_critiques():
    average = balanced_average(USERS, ENCODER, CRITIQUES)
    # (1, 2); ((1, 2) - 2 (3, 0)) / 2; ((1, 2) + (-6, -6) / 2) / 2.
    assert average.tolist() == [[1, 2], [-2.5, 1], [-1, -0.5]]


def test_with_a_zero_encoder_a_critique_changes_no_ranking():
    nothing = np.zeros_like(ENCODER)
    items = np.random.default_rng(0).normal(size=(7, 2))
    before = np.argsort(USERS @ items.T, axis=1)
    for average in (uniform_average, balanced_average):
        after = average(USERS, nothing, CRITIQUES) @ items.T
        np.testing.assert_array_equal(np.argsort(after, axis=1), before)
