"""Counts of events and what follows from them, against small cases worked by hand."""

import numpy as np
import pytest

from agents.counting import counts
from agents.counting.agents import history_weights

# User 0: 0 1 2. User 1: 0 1 3. User 2: 1 2. Item 4 never occurs.
ITEMS = np.array([0, 1, 2, 0, 1, 3, 1, 2])
USER = np.array([0, 0, 0, 1, 1, 1, 2, 2])
CO = [[2, 2, 1, 1, 0], [2, 3, 2, 1, 0], [1, 2, 2, 0, 0], [1, 1, 0, 1, 0], [0, 0, 0, 0, 0]]


def dense(entries):
    table = np.zeros((5, 5))
    for (row, column), value in entries.items():
        table[row, column] = value
    return table


def test_events_of_items():
    assert counts.item_counts(ITEMS, 5).tolist() == [2, 3, 2, 1, 0]


@pytest.mark.parametrize(
    ("gap", "entries"),
    [(1, {(0, 1): 2, (1, 2): 2, (1, 3): 1}), (2, {(0, 2): 1, (0, 3): 1}), (3, {})],
)
def test_transitions_stay_within_a_user(gap, entries):
    counted = counts.transitions(ITEMS, USER, 5, gap).toarray()
    np.testing.assert_array_equal(counted, dense(entries))


def test_rules_weight_a_gap_by_its_inverse():
    expected = dense({(0, 1): 2, (1, 2): 2, (1, 3): 1, (0, 2): 0.5, (0, 3): 0.5})
    for max_gap in (2, 10):
        rules = counts.sequential_rules(ITEMS, USER, 5, max_gap)
        np.testing.assert_allclose(rules.toarray(), expected)


def test_users_with_both_items():
    np.testing.assert_array_equal(counts.co_counts(ITEMS, USER, 5).toarray(), CO)
    # User 2 has item 1 once more: still one user.
    again = counts.co_counts(np.append(ITEMS, 1), np.append(USER, 2), 5)
    np.testing.assert_array_equal(again.toarray(), CO)


def test_similarities_of_the_nearest_neighbours():
    co = counts.co_counts(ITEMS, USER, 5)
    # 2 / (sqrt(2 * 3) + 1), and so on; the diagonal is 0.
    s01, s02, s03 = 2 / (6**0.5 + 1), 1 / (2 + 1), 1 / (2**0.5 + 1)
    s12, s13 = 2 / (6**0.5 + 1), 1 / (3**0.5 + 1)
    upper = dense({(0, 1): s01, (0, 2): s02, (0, 3): s03, (1, 2): s12, (1, 3): s13})
    every = counts.item_neighbours(co, 1.0, 5).toarray()
    np.testing.assert_allclose(every, upper + upper.T)
    # Items 0 and 2 are equally near to item 1: the lower id is kept.
    nearest = dense({(0, 1): s01, (1, 0): s01, (2, 1): s12, (3, 0): s03})
    np.testing.assert_allclose(counts.item_neighbours(co, 1.0, 1).toarray(), nearest)


def test_ease_of_two_items_by_hand():
    # x_1 from x_0 with penalty 1: C_01 / (C_00 + 1) = 1/3, and the reverse 1/4.
    co = counts.co_counts(np.array([0, 1, 0, 1, 1]), np.array([0, 0, 1, 2, 3]), 2)
    assert co.toarray().tolist() == [[2, 1], [1, 3]]
    np.testing.assert_allclose(counts.ease(co, 1.0), [[0, 1 / 3], [1 / 4, 0]])


def test_ease_is_a_ridge_regression_of_each_item_on_the_others():
    weights = counts.ease(counts.co_counts(ITEMS, USER, 5), 2.0)
    for item in range(5):
        others = np.arange(5) != item
        gram = np.array(CO)[np.ix_(others, others)] + 2 * np.eye(4)
        expected = np.linalg.solve(gram, np.array(CO)[others, item])
        np.testing.assert_allclose(weights[others, item], expected, atol=1e-12)
        assert weights[item, item] == 0


def test_weights_of_a_history_with_a_repeated_item():
    latest = np.array([[2, 0, 2], [1, -1, -1], [-1, -1, -1]])
    decay = np.array([1, 0.5, 0.25])
    once = history_weights(latest, decay, 3, once=True).toarray()
    np.testing.assert_array_equal(once, [[0.5, 0, 1], [0, 1, 0], [0, 0, 0]])
    added = history_weights(latest, decay, 3, once=False).toarray()
    np.testing.assert_array_equal(added, [[0.5, 0, 1.25], [0, 1, 0], [0, 0, 0]])
    # Only as many events as there are weights.
    cut = history_weights(latest, decay[:1], 3, once=False).toarray()
    np.testing.assert_array_equal(cut, [[0, 0, 1], [0, 1, 0], [0, 0, 0]])
