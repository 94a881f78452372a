import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import trim_mean

from recsim.statistics import band, bootstrap, iqm, paired_comparison

finite = st.floats(-1e6, 1e6)


@given(arrays(np.float64, st.integers(1, 40), elements=finite))
def test_iqm_is_the_quarter_trimmed_mean(scores):
    assert iqm(scores) == pytest.approx(trim_mean(scores, 0.25))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_iqm_along_an_axis_is_the_trimmed_mean_along_it(axis):
    scores = np.random.default_rng(0).normal(size=(9, 5, 12))
    np.testing.assert_allclose(iqm(scores, axis=axis), trim_mean(scores, 0.25, axis=axis))


def test_iqm_by_hand():
    assert iqm([1, 2, 3, 100]) == 2.5
    assert iqm([1, 2, 30]) == 11
    assert iqm(np.array([[0, 1, 2, 3], [4, 5, 6, 1000]])) == 3.5


def test_iqm_of_nan_is_nan():
    assert math.isnan(iqm([1, 2, 3, math.nan]))
    result = iqm(np.array([[1.0, 1.0], [2.0, math.nan], [3.0, 1.0], [4.0, 1.0]]), axis=0)
    assert result[0] == 2.5
    assert math.isnan(result[1])


def test_iqm_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="no scores"):
        iqm([])


def test_bootstrap_of_two_scores_by_hand():
    # Resamples of {0, 1} have mean 0, 1/2 or 1, and the extremes each with probability 1/4.
    interval = bootstrap([0.0, 1.0], statistic=np.mean, samples=4000, level=0.9)
    assert (interval.value, interval.low, interval.high) == (0.5, 0.0, 1.0)
    narrow = bootstrap([0.0, 1.0], statistic=np.mean, samples=4000, level=0.2)
    assert (narrow.low, narrow.high) == (0.5, 0.5)


def test_bootstrap_interval_approaches_the_normal_one():
    scores = np.random.default_rng(1).normal(3.0, 2.0, size=400)
    interval = bootstrap(scores, statistic=np.mean, samples=4000)
    half = 1.96 * scores.std() / math.sqrt(400)
    assert interval.low == pytest.approx(scores.mean() - half, abs=0.03)
    assert interval.high == pytest.approx(scores.mean() + half, abs=0.03)


def test_bootstrap_is_a_function_of_its_seed():
    scores = np.random.default_rng(2).normal(size=(10, 3))
    assert bootstrap(scores, seed=5) == bootstrap(scores, seed=5)
    assert bootstrap(scores, seed=5) != bootstrap(scores, seed=6)


def test_the_global_random_state_is_not_used():
    scores = np.random.default_rng(3).normal(size=10)
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = bootstrap(scores)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    assert bootstrap(scores) == first


def test_strata_keep_their_share_of_every_resample():
    # Tasks that are constant within themselves: resampling within tasks changes nothing,
    # resampling across tasks would.
    scores = np.tile([0.0, 10.0, 20.0], (5, 1))
    interval = bootstrap(scores, statistic=np.mean)
    assert (interval.value, interval.low, interval.high) == (10.0, 10.0, 10.0)


def test_chunks_do_not_change_the_interval(monkeypatch):
    scores = np.random.default_rng(4).normal(size=(7, 2))
    whole = bootstrap(scores, samples=100)
    monkeypatch.setattr("recsim.statistics._CHUNK", 14 * 10)
    assert bootstrap(scores, samples=100) == whole


def test_one_seed_has_a_value_but_no_interval():
    interval = bootstrap([2.0])
    assert interval.value == 2.0
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


@pytest.mark.parametrize("bad", [[], np.zeros((2, 2, 2)), 1.0])
def test_scores_of_another_shape_are_an_error(bad):
    with pytest.raises(ValueError, match="expected scores of shape"):
        bootstrap(bad)


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_a_level_outside_0_1_is_an_error(level):
    with pytest.raises(ValueError, match="between 0 and 1"):
        bootstrap([1.0, 2.0], level=level)


def test_band_of_shifted_curves_has_the_width_of_the_scores():
    curve = np.linspace(0, 1, 50)
    shifts = np.random.default_rng(5).normal(size=8)
    value, low, high = band(shifts[:, None] + curve)
    # Whole curves are resampled, so that the band is the same at every point.
    np.testing.assert_allclose(value - curve, iqm(shifts))
    np.testing.assert_allclose(low - curve, (low - curve)[0])
    np.testing.assert_allclose(high - curve, (high - curve)[0])
    assert low[0] < value[0] < high[0]


def test_band_of_two_curves_by_hand():
    # As for two scores, at each point: the resamples have mean 0, 1/2 or 1 times the distance.
    curves = np.array([[0.0, 0.0], [1.0, 10.0]])
    value, low, high = band(curves, statistic=np.mean, level=0.9)
    assert [value.tolist(), low.tolist(), high.tolist()] == [[0.5, 5.0], [0.0, 0.0], [1.0, 10.0]]
    _, low, high = band(curves, statistic=np.mean, level=0.2)
    assert low.tolist() == high.tolist() == [0.5, 5.0]


def test_band_in_chunks_is_the_same_band(monkeypatch):
    curves = np.random.default_rng(6).normal(size=(5, 33))
    whole = band(curves, samples=200)
    monkeypatch.setattr("recsim.statistics._CHUNK", 5 * 200 * 4)
    for a, b in zip(whole, band(curves, samples=200), strict=True):
        np.testing.assert_array_equal(a, b)


def test_band_of_one_curve_has_no_ends():
    value, low, high = band(np.ones((1, 3)))
    assert value.tolist() == [1, 1, 1]
    assert np.isnan(low).all()
    assert np.isnan(high).all()


def test_paired_comparison_by_hand():
    result = paired_comparison([3, 4, 5], [2, 2, 2])
    assert result.difference.value == 2
    assert (result.difference.low, result.difference.high) == (1, 3)
    assert result.wins == 1.0
    assert result.pairs == 3
    # Only the observed signs and their mirror image of 8 patterns are as far from zero.
    assert result.p_value == 2 / 8


def test_shared_randomness_cancels_in_a_paired_comparison():
    shared = np.random.default_rng(7).normal(0, 100, size=10)
    result = paired_comparison(shared + 1.0, shared)
    assert result.difference.low == pytest.approx(1.0)
    assert result.p_value == 2 / 2**10


def test_ties_count_half():
    result = paired_comparison([1, 2, 3, 4], [1, 2, 2, 5])
    assert (result.wins, result.ties, result.pairs) == (0.5, 2, 4)
    assert paired_comparison([1.0, 1.0], [1.0, 1.0]).p_value == 1.0


def test_the_difference_changes_its_sign_with_the_order():
    rng = np.random.default_rng(8)
    a, b = rng.normal(size=9), rng.normal(size=9)
    one, other = paired_comparison(a, b), paired_comparison(b, a)
    assert one.difference.value == pytest.approx(-other.difference.value)
    assert one.p_value == other.p_value
    assert one.wins == 1 - other.wins


def test_the_p_value_of_many_pairs_is_never_zero():
    result = paired_comparison(np.arange(1, 41.0), np.zeros(40), samples=500)
    assert result.p_value == 1 / 501


def test_pairs_must_match():
    with pytest.raises(ValueError, match="one shape"):
        paired_comparison([1, 2], [1, 2, 3])
