"""Which rows are imitated, and how much: by hand."""

import numpy as np
import pytest

from agents.slate_policy.weights import awr_weights, best_users, crr_weights, effective_share


def test_the_best_users_by_hand():
    user = np.array([0, 0, 1, 2, 2, 3])
    totals = np.array([5.0, 5.0, 1.0, 3.0, 3.0, 3.0])

    def kept(keep):
        return np.unique(user[best_users(totals, user, keep)]).tolist()

    assert kept(0.25) == [0]
    assert kept(0.01) == [0], "at least one"
    assert kept(0.5) == [0, 2, 3], "users 2 and 3 are level"
    assert kept(0.8) == kept(1.0) == [0, 1, 2, 3]


@pytest.mark.parametrize("keep", [0.1, 0.3, 0.6, 0.7])
def test_rounding_keeps_the_exact_share(keep):
    user = np.arange(30)
    assert best_users(user.astype(float), user, keep).sum() == round(keep * 30)


def test_advantage_weights_by_hand():
    advantage = np.array([-1.0, 1.0])  # of deviation 1
    expected = np.exp(advantage / 0.5)
    np.testing.assert_allclose(awr_weights(advantage, 0.5), expected / expected.mean())
    np.testing.assert_allclose(awr_weights(advantage, 1e9), 1.0)
    np.testing.assert_allclose(awr_weights(np.zeros(3), 0.5), 1.0)
    # The largest weight is 20 times that of an advantage of 0.
    outlier = np.array([0.0] * 99 + [100.0])
    weights = awr_weights(outlier - 0.0, 0.3)
    assert weights[-1] / weights[0] == pytest.approx(20)


def test_binary_weights_by_hand():
    np.testing.assert_allclose(crr_weights(np.array([-1.0, 0.0, 2.0, 1.0])), [0, 0, 2, 2])
    np.testing.assert_array_equal(crr_weights(np.zeros(3)), 0)


def test_the_effective_share_by_hand():
    assert effective_share(np.ones(7)) == pytest.approx(1)
    assert effective_share(np.array([1.0, 0, 0, 0])) == pytest.approx(0.25)
