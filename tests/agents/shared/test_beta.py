"""Draws from beta distributions."""

import numpy as np
import pytest
from scipy import stats

from agents.shared.beta import beta
from recsim.draws import Draws, chain, key_of


def draws_of(users, first=0):
    return Draws(chain(key_of(0, "test"), np.arange(first, first + users)), double=True)


@pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 7), (3, 1), (40, 500)])
def test_draws_have_the_distribution(first, second):
    shape = (5000, 4)
    drawn = beta(draws_of(5000), np.full(shape, float(first)), np.full(shape, float(second)))
    assert stats.kstest(drawn.ravel(), stats.beta(first, second).cdf).pvalue > 1e-4
    correlation = np.corrcoef(drawn.T) - np.eye(4)
    assert np.abs(correlation).max() < 5 / np.sqrt(5000)


def test_draws_of_a_user_do_not_depend_on_the_batch():
    parameters = 1 + 10 * np.random.default_rng(0).random((2, 40, 6))
    whole = beta(draws_of(40), *parameters)
    assert np.array_equal(beta(draws_of(15, first=20), *parameters[:, 20:35]), whole[20:35])
