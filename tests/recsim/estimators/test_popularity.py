from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsim.errors import UserError
from recsim.estimators.popularity import popularity_propensities


def test_propensities_by_hand_with_an_item_without_clicks():
    propensities = popularity_propensities([16, 0, 4, 1], power=0.5, floor=0.01)
    assert propensities.tolist() == [1.0, 0.01, float(Fraction(1, 2)), float(Fraction(1, 4))]


def test_power_one_gives_shares_of_the_most_popular_item_and_power_zero_equal_ones():
    assert popularity_propensities([8, 2, 4], power=1.0).tolist() == [1, 0.25, 0.5]
    assert popularity_propensities([8, 2, 4], power=0.0).tolist() == [1, 1, 1]


@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(any),
    st.floats(0, 3),
    st.floats(1e-6, 1),
)
def test_propensities_are_probabilities_in_the_order_of_popularity(counts, power, floor):
    counts = np.array(counts)
    before = counts.copy()
    propensities = popularity_propensities(counts, power=power, floor=floor)
    assert ((propensities >= floor) & (propensities <= 1)).all()
    assert propensities[np.argmax(counts)] == 1
    assert (np.diff(propensities[np.argsort(counts)]) >= 0).all()
    assert np.array_equal(counts, before)


@pytest.mark.parametrize(
    ("counts", "options", "message"),
    [
        ([1, -2], {}, r"Item 1: -2.0 is not a number of clicks"),
        ([1, np.nan], {}, r"Item 1: nan is not"),
        ([0, 0], {}, r"No item has a click"),
        ([1], {"floor": 0.0}, r"floor must be in \(0, 1\], got 0.0"),
        ([1], {"floor": 1.5}, r"floor must be in"),
        ([1], {"power": -1.0}, r"power must be"),
    ],
)
def test_invalid_counts_and_settings_are_refused(counts, options, message):
    with pytest.raises(UserError, match=message):
        popularity_propensities(counts, **options)
