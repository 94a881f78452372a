import math

import numpy as np
import pytest

from recsim.metrics import (
    choice_rates,
    mean_log_probability,
    uniform_choice,
    weighted_choice,
)

# Three slates of at most two items: the second item, nothing, and the only item are chosen.
ITEMS = np.array([[0, 2], [2, 1], [1, -1]])
CHOICE = np.array([2, 0, 1])


def test_equally_likely_options():
    np.testing.assert_allclose(uniform_choice(ITEMS), -np.log([3, 3, 2]))
    np.testing.assert_allclose(uniform_choice(ITEMS[None]), -np.log([[3, 3, 2]]))


def test_options_by_weight():
    weights = np.array([1.0, 2.0, 5.0])
    result = weighted_choice(ITEMS, CHOICE, weights, nothing=4.0)
    np.testing.assert_allclose(result, np.log([5 / 10, 4 / 11, 2 / 6]))


def test_equal_weights_are_the_uniform_choice():
    result = weighted_choice(ITEMS, CHOICE, np.full(3, 0.2), nothing=0.2)
    np.testing.assert_allclose(result, uniform_choice(ITEMS))


def test_rates_by_hand():
    # 8 options in 3 slates; item 2 is shown twice and chosen once, item 3 never shown.
    rates, nothing = choice_rates(ITEMS, CHOICE, 4)
    options = 8 / 3
    np.testing.assert_allclose(
        rates, [1 / (1 + options), 2 / (2 + options), 2 / (2 + options), 1 / options]
    )
    assert nothing == pytest.approx(2 / (3 + options))


def test_no_slates():
    rates, nothing = choice_rates(np.empty((0, 2), dtype=np.int64), np.empty(0, dtype=np.int64), 2)
    assert rates.tolist() == [1.0, 1.0]
    assert nothing == 1.0


def test_means_by_kind():
    result = mean_log_probability(
        np.array([[-1.0, -3.0], [math.nan, -5.0]]), np.array([[6, 6], [6, 2]])
    )
    assert list(result) == [2, 6]
    assert (result[6].value, result[6].choices) == (-2.0, 2)
    assert (result[2].value, result[2].choices) == (-5.0, 1)
    assert mean_log_probability(np.array([math.nan]), np.array([1])) == {}
