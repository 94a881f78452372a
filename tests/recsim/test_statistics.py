import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from recsim.metrics.seeds import detectable, doubt, seeds_needed, skewness_score
from recsim.statistics import (
    band,
    crossed_interval,
    holm,
    iqm,
    iqm_interval,
    mean_interval,
    paired_comparison,
    ratio,
    t_interval,
)

finite = st.floats(-1e6, 1e6)


@given(arrays(np.float64, st.integers(1, 40), elements=finite))
def test_iqm_is_the_quarter_trimmed_mean(scores):
    assert iqm(scores) == pytest.approx(stats.trim_mean(scores, 0.25))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_iqm_along_an_axis_is_the_trimmed_mean_along_it(axis):
    scores = np.random.default_rng(0).normal(size=(9, 5, 12))
    np.testing.assert_allclose(iqm(scores, axis=axis), stats.trim_mean(scores, 0.25, axis=axis))


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
    with pytest.raises(ValueError, match="no values"):
        iqm([])


REPLICATIONS = 20_000


def share(ends, truth):
    low, high = ends
    return np.mean((low <= truth) & (truth <= high))


@pytest.mark.parametrize("seeds", [2, 3, 4, 5, 7, 10, 20])
def test_the_interval_of_a_mean_covers_normal_results_at_any_number_of_seeds(seeds):
    # The standard error of the share is .0015.
    samples = np.random.default_rng(seeds).normal(3.0, 2.0, size=(REPLICATIONS, seeds))
    assert 0.94 < share(mean_interval(samples, axis=1), 3.0) < 0.96
    assert 0.79 < share(mean_interval(samples, 0.8, axis=1), 3.0) < 0.81


@pytest.mark.parametrize("seeds", [3, 4, 5, 8, 10, 20])
def test_the_interval_of_an_interquartile_mean_covers_normal_results(seeds):
    samples = np.random.default_rng(seeds).normal(3.0, 2.0, size=(REPLICATIONS, seeds))
    assert 0.93 < share(iqm_interval(samples, axis=1), 3.0) < 0.96


@pytest.mark.parametrize(
    ("seeds", "documented"), [(3, 0.883), (5, 0.885), (10, 0.901), (20, 0.918)]
)
def test_the_documented_coverage_of_exponential_results(seeds, documented):
    samples = np.random.default_rng(seeds).exponential(size=(REPLICATIONS, seeds))
    assert share(mean_interval(samples, axis=1), 1.0) == pytest.approx(documented, abs=0.01)


def test_the_interval_of_a_mean_is_students():
    values = np.random.default_rng(0).normal(size=7)
    known = stats.t.interval(0.9, 6, loc=values.mean(), scale=stats.sem(values))
    assert mean_interval(values, 0.9) == pytest.approx(known)
    # Of 0 and 1, the mean is 1/2 and its standard error 1/2.
    assert mean_interval([0.0, 1.0]) == pytest.approx(
        (0.5 - 12.706 / 2, 0.5 + 12.706 / 2), abs=1e-3
    )


def test_the_interval_of_an_interquartile_mean_by_hand():
    # Of 1, 2, 4, 100 the first and last are cut: winsorised 2, 2, 4, 4, with squares 4; h = 2.
    half = stats.t.ppf(0.975, 1) * math.sqrt(4 / 2)
    assert iqm_interval([4.0, 1.0, 100.0, 2.0]) == pytest.approx((3 - half, 3 + half))
    three = [1.0, 2.0, 6.0]
    assert iqm_interval(three) == pytest.approx(mean_interval(three))


@pytest.mark.parametrize("interval", [mean_interval, iqm_interval])
def test_intervals_along_an_axis_are_those_of_each_sample(interval):
    values = np.random.default_rng(1).normal(size=(4, 9))
    low, high = interval(values, axis=1)
    for row, ends in zip(values, zip(low, high, strict=True), strict=True):
        assert interval(row) == pytest.approx(ends)


@pytest.mark.parametrize("interval", [mean_interval, iqm_interval])
def test_an_unknown_spread_gives_no_ends(interval):
    assert np.isnan(interval([2.0])).all()
    assert np.isnan(interval([2.0, math.nan, 1.0])).all()
    with pytest.raises(ValueError, match="no values"):
        interval([])


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_a_level_outside_0_1_is_an_error(level):
    with pytest.raises(ValueError, match="between 0 and 1"):
        mean_interval([1.0, 2.0], level)


def test_p_values_are_those_of_the_t_test():
    values = np.random.default_rng(2).normal(0.5, size=8)
    assert t_interval(values).p_value == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert t_interval([0.0, 0.0]).p_value == 1
    assert math.isnan(t_interval([1.0, 1.0]).p_value), "no spread, no test"
    assert math.isnan(t_interval([1.0]).p_value)


def test_a_p_value_is_below_5_percent_where_the_interval_excludes_zero():
    for values in np.random.default_rng(3).normal(0.7, size=(50, 6)):
        found = t_interval(values)
        assert (found.p_value < 0.05) == (found.low > 0 or found.high < 0)


def test_a_band_is_the_interval_at_each_point():
    curves = np.random.default_rng(5).normal(size=(6, 4))
    mean, low, high = band(curves, level=0.9)
    np.testing.assert_allclose(mean, curves.mean(axis=0))
    assert (low[2], high[2]) == pytest.approx(mean_interval(curves[:, 2], 0.9))
    assert np.isnan(band(curves[:1])[1]).all()
    with pytest.raises(ValueError, match="curves of shape"):
        band(np.zeros(3))


def test_paired_comparison_by_hand():
    result = paired_comparison([3, 4, 5], [2, 2, 2])
    half = stats.t.ppf(0.975, 2) * 1 / math.sqrt(3)
    assert result.difference.value == 2
    assert result.difference.low == pytest.approx(2 - half)
    assert (result.wins, result.ties, result.pairs) == (3, 0, 3)


def test_shared_randomness_cancels_in_a_paired_comparison():
    shared = np.random.default_rng(7).normal(0, 100, size=10)
    own = np.random.default_rng(8).normal(0, 0.1, size=10)
    difference = paired_comparison(shared + 1.0 + own, shared).difference
    assert 0.8 < difference.low < difference.high < 1.2


def test_wins_and_ties_are_counted():
    result = paired_comparison([1, 2, 3, 4], [1, 2, 2, 5])
    assert (result.wins, result.ties, result.pairs) == (1, 2, 4)


def test_pairs_must_match():
    with pytest.raises(ValueError, match="one shape"):
        paired_comparison([1, 2], [1, 2, 3])


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]).tolist() == [1.0, 1.0]
    adjusted = holm([math.nan, 0.02, 0.01])
    assert adjusted[1:].tolist() == [0.02, 0.02]
    assert math.isnan(adjusted[0])


def test_holm_keeps_the_rate_of_any_false_difference():
    rng = np.random.default_rng(9)
    # Four agents that do not differ from a fifth, with which all are compared: dependent tests.
    false = 0
    for _ in range(1000):
        results = rng.normal(size=(5, 6))
        tests = [paired_comparison(one, results[0]).difference.p_value for one in results[1:]]
        false += (holm(tests) < 0.05).any()
    assert false < 0.05 * 1000 + 3 * math.sqrt(0.05 * 0.95 * 1000)


def test_doubts_by_hand():
    assert doubt([1.0] * 5) == "constant"
    assert doubt([0.0, 0.0, 0.0, 1.0]) == "equal"
    assert doubt(np.arange(10.0)) == ""
    assert doubt([*np.arange(9.0), 100.0]) == "skewed"
    assert doubt([1.0, 1.0]) == ""
    assert doubt([1.0, math.nan, 1.0]) == ""


def test_a_table_of_normal_results_rarely_has_a_note_on_skewness():
    # In a table of twenty cells less than one in a hundred.
    for seeds in (10, 20):
        samples = np.random.default_rng(seeds).normal(size=(20_000, seeds))
        assert np.mean([doubt(sample) == "skewed" for sample in samples]) < 0.0005


def test_clearly_skewed_results_are_in_doubt():
    rng = np.random.default_rng(5)
    samples = rng.lognormal(sigma=1.5, size=(1000, 20))
    assert np.mean([doubt(sample) == "skewed" for sample in samples]) > 0.5
    assert {doubt(sample) for sample in samples[:, :7]} == {""}, "seven cannot show it"


@pytest.mark.parametrize("n", [8, 10, 50])
def test_the_score_of_skewness_is_that_of_scipy(n):
    values = np.random.default_rng(n).exponential(size=n)
    assert skewness_score(values) == pytest.approx(stats.skewtest(values).statistic)


def test_the_mean_over_seeds_and_users_by_hand():
    sums, counts = np.array([[2.0, 0.0], [4.0, 2.0]]), np.array([[2.0, 1.0], [2.0, 1.0]])
    value, z = ratio(sums, counts)
    assert value == 8 / 6
    np.testing.assert_allclose(z, (sums - 8 / 6 * counts) / 6)
    assert z.sum() == pytest.approx(0)
    # Two seeds whose sums are apart by 4/6, users equal on average: all variance is of the seeds.
    found = crossed_interval(value, z)
    rows = z.sum(axis=1)
    assert found.error >= math.sqrt(2 * (rows**2).sum()) - 1e-12


def test_the_mean_over_seeds_and_users_without_an_effect_of_seeds_or_users():
    rng = np.random.default_rng(11)
    users = np.tile(rng.normal(size=50), (4, 1))
    crossed = crossed_interval(*ratio(users, np.ones_like(users)))
    assert (crossed.low, crossed.high) == pytest.approx(mean_interval(users[0]))
    seeds = np.tile(rng.normal(size=(4, 1)), 50)
    crossed = crossed_interval(*ratio(seeds, np.ones_like(seeds)))
    assert (crossed.low, crossed.high) == pytest.approx(mean_interval(seeds[:, 0]), rel=1e-2)
    one = crossed_interval(*ratio(users[:1], np.ones((1, 50))))
    assert (one.low, one.high) == pytest.approx(mean_interval(users[0]))


@pytest.mark.parametrize("effects", [(1, 1, 1), (0, 1, 1), (1, 0, 1), (0.2, 1, 3)])
def test_the_interval_over_seeds_and_users_covers(effects):
    seed, user, cell = effects
    rng = np.random.default_rng(12)
    hits = []
    for _ in range(600):
        table = seed * rng.normal(size=(5, 1)) + user * rng.normal(size=60)
        table = table + cell * rng.normal(size=(5, 60))
        found = crossed_interval(*ratio(table, np.ones_like(table)))
        hits.append(found.low <= 0 <= found.high)
    assert np.mean(hits) > 0.92  # three standard errors below 95%


def test_sums_and_counts_must_match():
    with pytest.raises(ValueError, match="shape \\(seeds, users\\)"):
        ratio([[1.0]], [[1.0, 2.0]])
    value, z = ratio(np.zeros((2, 3)), np.zeros((2, 3)))
    assert math.isnan(crossed_interval(value, z).low)


def test_a_detectable_difference_is_found_four_times_in_five():
    size = detectable(1 / math.sqrt(10), 9)
    samples = np.random.default_rng(13).normal(size, 1.0, size=(REPLICATIONS, 10))
    assert (mean_interval(samples, axis=1)[0] > 0).mean() == pytest.approx(0.8, abs=0.015)
    assert seeds_needed(1.0, size) == 10
    assert seeds_needed(1.0, size / 2) > 30
    assert math.isnan(detectable(1.0, 0))


def test_differences_that_only_rounding_keeps_apart_are_equal():
    result = paired_comparison([2 / 15, 0.1, 0.0], [1 / 3, 0.3, 0.2])
    assert result.difference.value == pytest.approx(-0.2)
    assert result.difference.error == 0
    assert math.isnan(result.difference.p_value)
    same = paired_comparison([0.1 + 0.2, 1.0, 7.0], [0.3, 1.0, 7.0])
    assert (same.ties, same.wins, same.difference.p_value) == (3, 0, 1.0)


def test_rounding_leaves_small_differences():
    small = paired_comparison([1e6 + 1e-3, 1e6 + 2e-3], [1e6, 1e6]).difference
    assert small.value == pytest.approx(1.5e-3, rel=1e-3)
    assert small.p_value < 0.3
