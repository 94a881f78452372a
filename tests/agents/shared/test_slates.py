import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from agents.shared import slates
from recsim.draws import Draws, chain, key_of
from recsim.errors import UserError


@pytest.mark.parametrize(("num_candidates", "slate_size"), [(4, 2), (4, 4), (3, 1), (5, 3)])
def test_every_ordered_slate_of_distinct_candidates_is_equally_likely(num_candidates, slate_size):
    every = list(itertools.permutations(range(num_candidates), slate_size))
    draws = 2_000 * len(every)
    numbers = Draws(chain(key_of(0, "test"), np.arange(draws)), double=True)
    drawn = slates.uniform_slates(numbers, num_candidates, slate_size)
    counts = Counter(map(tuple, drawn.tolist()))
    assert counts.keys() == set(every)
    chance = slates.uniform_slate_propensity(num_candidates, slate_size)
    assert chance == pytest.approx(1 / len(every))
    # Pearson's statistic has mean n - 1 and variance 2 (n - 1); six deviations hold for all sizes.
    observed = np.array(list(counts.values()))
    statistic = ((observed - draws * chance) ** 2 / (draws * chance)).sum()
    assert statistic < len(every) - 1 + 6 * np.sqrt(2 * len(every))


def test_the_propensity_of_a_slate_from_a_huge_catalogue_does_not_overflow():
    assert slates.uniform_slate_propensity(1000, 2) == pytest.approx(1 / 999_000)
    assert slates.uniform_slate_propensity(1_000_000, 200) == 0.0  # below the smallest double


@given(
    arrays.arrays(
        np.float64,
        st.tuples(st.integers(1, 4), st.integers(1, 6)),
        elements=st.integers(-2, 2).map(float),  # few values, so that many tie
    ),
    st.data(),
)
def test_top_slates_are_those_of_a_stable_sort(scores, data):
    size = data.draw(st.integers(1, scores.shape[1]))
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :size]
    np.testing.assert_array_equal(slates.top_slates(scores, size), expected)


def test_matches_and_offered():
    own = np.array([[3, 1], [0, 2]])
    np.testing.assert_array_equal(
        slates.matches(own, np.array([[3, 2], [-1, 2]])), [[1, 0], [1, 1]]
    )
    offered = slates.offered(np.array([[0, 1], [2, 3]]), np.array([[1, 1, 2], [3, 0, -1]]))
    np.testing.assert_array_equal(offered, [[True, True, False], [True, False, False]])


def test_a_slate_longer_than_the_candidates_is_refused(make_problem):
    with pytest.raises(UserError, match=r"a slate of 5 distinct items .* there are 4"):
        slates.check_sizes(make_problem(num_items=4, slate_size=5))


def test_places_are_indices_of_candidates_whatever_their_order():
    candidates = np.array([[0, 1, 2], [2, 0, 5], [7, 8, 9], [-1, 1, 2]])
    items = np.array([[2, 0], [5, 0], [1, 8], [-1, 9]])  # -1 is padding, not an item
    np.testing.assert_array_equal(
        slates.places(candidates, items), [[2, 0], [2, 1], [-1, 1], [-1, -1]]
    )
