import math

import numpy as np
import pytest

from recsim.metrics import active_share, mean_gap, return_rate, returned_within

# Three steps of three users. User 0 returns after 2 days, user 1 after 1 and then never,
# user 2 is not active at the last step, where something else already plays.
END = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]], dtype=bool)
GAP = np.array([[2, 1, 0], [0, 0, 0], [0, 0, 9]])
CHURN = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], dtype=bool)
ACTIVE = np.array([[1, 1, 1], [1, 1, 1], [1, 0, 0]], dtype=bool)


def test_active_share_is_over_the_initial_users():
    assert active_share(ACTIVE).tolist() == pytest.approx([1, 1, 1 / 3])


def test_return_rate_counts_ended_sessions_of_active_users():
    assert return_rate(END, CHURN, ACTIVE) == pytest.approx(2 / 3)
    assert return_rate(END, CHURN) == pytest.approx(3 / 4)
    assert math.isnan(return_rate(np.zeros_like(END), CHURN))


def test_mean_gap_is_over_returns_only():
    assert mean_gap(END, GAP, ACTIVE) == pytest.approx(1.5)
    assert mean_gap(END, GAP) == pytest.approx(4.0)
    assert math.isnan(mean_gap(END, np.zeros_like(GAP)))


def test_returned_within_a_window():
    assert returned_within(END, GAP, 1, ACTIVE) == pytest.approx(1 / 3)
    assert returned_within(END, GAP, 2, ACTIVE) == pytest.approx(2 / 3)
    assert math.isnan(returned_within(np.zeros_like(END), GAP, 1))
