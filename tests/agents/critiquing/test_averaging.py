"""Critiques as vectors: averages by hand."""

import numpy as np

from agents.critiquing.averaging import balanced_average, uniform_average, weights

USERS = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]])
ENCODER = np.array([[3.0, 0.0], [0.0, 6.0], [9.0, 9.0]])
# Nothing criticised; aspect 0, of which two reviews speak; aspects 0 and 1.
CRITIQUES = np.array([[0.0, 0.0, 0.0], [-2.0, 0.0, 0.0], [-2.0, -1.0, 0.0]])


def test_a_critique_weighs_what_the_user_wrote_and_one_at_least():
    critiqued = np.array([[-1, -1, 1, 0, 1]], dtype=np.int8)
    counts = np.array([[3, 0, 2, 5, 0]])
    assert weights(critiqued, counts).tolist() == [[-3, -1, 2, 0, 1]]
    assert weights(critiqued, counts, least=0.0).tolist() == [[-3, 0, 2, 0, 0]]


def test_uniform_average_counts_the_user_as_one_critique():
    found = uniform_average(USERS, ENCODER, CRITIQUES)
    # (1, 2); ((1, 2) - 2 (3, 0)) / 2; ((1, 2) - 2 (3, 0) - (0, 6)) / 3.
    assert found.tolist() == [[1, 2], [-2.5, 1], [-5 / 3, -4 / 3]]


def test_balanced_average_counts_the_user_as_much_as_all_critiques():
    found = balanced_average(USERS, ENCODER, CRITIQUES)
    # (1, 2); ((1, 2) - 2 (3, 0)) / 2; ((1, 2) + (-6, -6) / 2) / 2.
    assert found.tolist() == [[1, 2], [-2.5, 1], [-1, -0.5]]


def test_without_an_encoder_a_critique_changes_no_ranking():
    nothing = np.zeros_like(ENCODER)
    items = np.random.default_rng(0).normal(size=(7, 2))
    before = np.argsort(USERS @ items.T, axis=1)
    for average in (uniform_average, balanced_average):
        after = average(USERS, nothing, CRITIQUES) @ items.T
        np.testing.assert_array_equal(np.argsort(after, axis=1), before)
