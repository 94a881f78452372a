import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsim.metrics import coverage, distinct_groups, exposure, gini


def test_coverage_counts_items_shown_once_and_ignores_padding():
    assert coverage(np.array([[0, 1], [1, -1]]), 4) == 0.5
    assert coverage(np.array([[-1, -1]]), 4) == 0.0


def test_exposure_of_each_item():
    assert exposure(np.array([[0, 2], [2, -1]]), 3).tolist() == [1, 0, 2]


def test_an_id_outside_the_catalogue_is_an_error_not_a_count():
    with pytest.raises(ValueError, match=r"lie in 0 \.\.\. 2, got 0 \.\.\. 3"):
        coverage(np.array([0, 3]), 3)
    with pytest.raises(ValueError, match="got -2"):
        gini(np.array([0, -2]), 3)


def test_gini_by_hand():
    # Counts 1, 3: (-1 * 1 + 1 * 3) / (2 * 4) = 1/4.
    assert gini(np.array([0, 1, 1, 1]), 2) == pytest.approx(0.25)
    assert gini(np.arange(5), 5) == pytest.approx(0.0)
    assert gini(np.zeros(7, dtype=np.int64), 5) == pytest.approx(1 - 1 / 5)
    assert math.isnan(gini(np.full(3, -1), 5))


@given(st.lists(st.integers(-1, 9), min_size=1, max_size=60))
def test_gini_equals_half_the_relative_mean_absolute_difference(ids):
    items = np.array(ids)
    counts = exposure(items, 10).astype(float)
    if counts.sum() == 0:
        assert math.isnan(gini(items, 10))
        return
    expected = np.abs(counts[:, None] - counts).mean() / (2 * counts.mean())
    assert gini(items, 10) == pytest.approx(expected)


def test_distinct_groups_by_hand():
    groups = np.array([0, 0, 1, 2])
    slates = np.array([[0, 1, 2], [3, -1, -1], [-1, -1, -1], [0, 2, 3]])
    assert distinct_groups(slates, groups) == pytest.approx((2 + 1 + 3) / 3)
    assert math.isnan(distinct_groups(slates[2:3], groups))


@given(st.lists(st.lists(st.integers(-1, 7), min_size=4, max_size=4), min_size=1, max_size=8))
def test_distinct_groups_equals_counting_sets(rows):
    groups = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    sets = [{int(groups[i]) for i in row if i != -1} for row in rows]
    sizes = [len(s) for s in sets if s]
    result = distinct_groups(np.array(rows).reshape(len(rows), 1, 4), groups)
    assert result == pytest.approx(np.mean(sizes)) if sizes else math.isnan(result)
