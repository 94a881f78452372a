from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsim.errors import UserError
from recsim.estimators.popularity import popularity_propensities


def test_a_worked_case_with_an_item_nobody_clicked():
    found = popularity_propensities([16, 0, 4, 1], power=0.5, floor=0.01)
    assert found.tolist() == [1.0, 0.01, float(Fraction(1, 2)), float(Fraction(1, 4))]


def test_power_one_is_the_share_of_the_most_popular_and_power_zero_makes_all_alike():
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
    found = popularity_propensities(counts, power=power, floor=floor)
    assert ((found >= floor) & (found <= 1)).all()
    assert found[np.argmax(counts)] == 1
    assert (np.diff(found[np.argsort(counts)]) >= 0).all()
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
def test_what_makes_no_sense_is_refused(counts, options, message):
    with pytest.raises(UserError, match=message):
        popularity_propensities(counts, **options)
