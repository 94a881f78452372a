"""Intervals compared with their formulas, and their coverage."""

import math
from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from recsim.errors import UserError
from recsim.estimators import Prediction, Sample, Tally, make_estimator
from recsim.estimators.bootstrap import bca_interval
from recsim.estimators.intervals import empirical_bernstein, hall, hoeffding, student_t
from recsim.estimators.moments import MOST_THIRDS, Influence, Moments, UnitSums

WEIGHTS = np.array([0.5, 2.0, 4.0, 0.0, 1.0])
REWARDS = np.array([1.0, 0.0, 0.5, 1.0, 0.25])


def value_of(name, weights, rewards, units=None, whole=False, level=0.95, **settings):
    limits = {key: settings.pop(key) for key in ("clip", "tau") if key in settings}
    tally = Tally([make_estimator(name, **limits)], level=level, **settings)
    units = np.arange(len(weights)) if units is None else np.asarray(units)
    tally.add(Sample(np.asarray(weights), np.asarray(rewards), units, whole=whole))
    return tally.values()[0]


# w r = 1/2, 0, 2, 0, 1/4.
TERMS = [F(1, 2), F(0), F(2), F(0), F(1, 4)]
MEAN = sum(TERMS) / 5
VARIANCE = sum((x - MEAN) ** 2 for x in TERMS) / 4


def test_formulas_by_hand():
    # t_{4} at 0.975 and 0.95, from a table.
    assert student_t(5, float(VARIANCE), 0.975) == pytest.approx(
        2.7764451051977987 * math.sqrt(VARIANCE / 5), abs=1e-9
    )
    assert student_t(5, float(VARIANCE), 0.95) == pytest.approx(
        2.1318467863266495 * math.sqrt(VARIANCE / 5), abs=1e-9
    )
    # Maurer and Pontil's theorem 4 with the variance over n: var (n - 1) / n.
    log, over_n = math.log(2 / 0.05), float(VARIANCE) * 4 / 5
    assert empirical_bernstein(5, float(VARIANCE), 4, 0.95) == pytest.approx(
        7 * 4 * log / (3 * 4) + math.sqrt(2 * log * over_n / 4), abs=1e-9
    )
    assert hoeffding(5, 4, 0.95) == pytest.approx(4 * math.sqrt(math.log(20) / 10), abs=1e-9)
    assert hoeffding(500, 4, 0.95) == pytest.approx(hoeffding(5, 4, 0.95) / 10, abs=1e-9)


def test_two_sided_intervals_of_ips_by_hand():
    t = value_of("ips", WEIGHTS, REWARDS, interval="t")
    width = 2.7764451051977987 * math.sqrt(VARIANCE / 5)
    assert t.interval == pytest.approx((float(MEAN) - width, float(MEAN) + width), abs=1e-9)
    assert t.interval_kind == "t"
    h = value_of("ips", WEIGHTS, REWARDS, interval="hoeffding", bound=4)
    assert h.high - h.value == pytest.approx(4 * math.sqrt(math.log(2 / 0.05) / 10), abs=1e-9)
    b = value_of("ips", WEIGHTS, REWARDS, interval="bernstein", bound=4)
    log = math.log(4 / 0.05)  # each side has half of the error probability
    expected = 7 * 4 * log / 12 + math.sqrt(2 * log * float(VARIANCE) / 5)
    assert b.high - b.value == pytest.approx(expected, abs=1e-9)
    assert b.value - b.low == pytest.approx(expected, abs=1e-9)


def test_the_t_interval_of_a_ratio_is_the_delta_method():
    value = value_of("snips", WEIGHTS, REWARDS, interval="t")
    ratio = (WEIGHTS * REWARDS).sum() / WEIGHTS.sum()
    influence = WEIGHTS * (REWARDS - ratio) / WEIGHTS.mean()
    width = scipy.stats.t.ppf(0.975, 4) * influence.std(ddof=1) / math.sqrt(5)
    assert value.high - value.value == pytest.approx(width, abs=1e-9)


def test_the_t_interval_of_sndr_is_the_delta_method():
    rng = np.random.default_rng(0)
    w, r, q, v = rng.random((4, 30))
    tally = Tally([make_estimator("sndr")], interval="t")
    tally.add(Sample(w, r, np.arange(30), model=Prediction(q, v)))
    (value,) = tally.values()
    residual = r - q
    share = (w * residual).sum() / w.sum()
    influence = (v - v.mean()) + w * (residual - share) / w.mean()
    width = scipy.stats.t.ppf(0.975, 29) * influence.std(ddof=1) / math.sqrt(30)
    assert value.value == pytest.approx(v.mean() + share, abs=1e-12)
    assert value.high - value.value == pytest.approx(width, abs=1e-9)


def test_intervals_depend_on_the_number_of_units():
    # The three rows of a user are the same, so the number of users counts.
    once = value_of("ips", WEIGHTS, REWARDS, interval="t")
    thrice = value_of(
        "ips", np.repeat(WEIGHTS, 3), np.repeat(REWARDS, 3), np.repeat(range(5), 3), interval="t"
    )
    assert thrice.interval == pytest.approx(once.interval, abs=1e-12)
    assert thrice.n == 15
    shuffled = np.random.default_rng(0).permutation(15)
    mixed = value_of(
        "ips",
        np.repeat(WEIGHTS, 3)[shuffled],
        np.repeat(REWARDS, 3)[shuffled],
        np.repeat(range(5), 3)[shuffled],
        interval="t",
    )
    assert mixed.interval == pytest.approx(once.interval, abs=1e-12)


def test_users_of_different_length_are_a_ratio():
    # The mean per impression of users with 1, 2 and 3 rows is itself a ratio.
    units = np.array([0, 1, 1, 2, 2, 2])
    x = np.array([1.0, 0.0, 2.0, 1.0, 1.0, 4.0])
    value = value_of("ips", np.ones(6), x, units, interval="t")
    sums, sizes = np.array([1.0, 2.0, 6.0]), np.array([1.0, 2.0, 3.0])
    influence = (sums - 1.5 * sizes) / 2
    width = scipy.stats.t.ppf(0.975, 2) * influence.std(ddof=1) / math.sqrt(3)
    assert value.value == 1.5
    assert value.high - value.value == pytest.approx(width, abs=1e-9)


@given(
    st.lists(st.tuples(st.integers(0, 6), st.floats(-5, 5)), min_size=1, max_size=40),
    st.lists(st.integers(1, 39), max_size=4),
)
def test_unit_sums_do_not_depend_on_the_pieces(rows, cuts):
    units = np.array([unit for unit, _ in rows])
    terms = np.array([[1.0, x] for _, x in rows])
    numbers = np.unique(units)
    sums = np.array([terms[units == number].sum(axis=0) for number in numbers])
    expected = Moments.of(sums)
    pieces = UnitSums(2)
    for part in np.split(np.arange(len(rows)), sorted({c for c in cuts if c < len(rows)})):
        other = UnitSums(2)
        other.add(terms[part], units[part], whole=False)
        pieces.merge(other)
    complete = UnitSums(2)
    complete.add(terms, units, whole=True)
    for moments in (pieces.moments(), complete.moments()):
        assert moments.count == len(numbers)
        for name in ("mean", "spread", "least", "largest"):
            np.testing.assert_allclose(
                getattr(moments, name), getattr(expected, name), rtol=1e-9, atol=1e-9
            )


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30), st.integers(1, 29))
def test_moments_merge(values, cut):
    column = np.array(values)[:, None] + 1e6  # a large mean, which plain sums of squares lose
    merged = Moments.of(column[:cut]) + Moments.of(column[cut:])
    assert merged.mean[0] == pytest.approx(column.mean(), rel=1e-12)
    assert merged.spread[0, 0] == pytest.approx(((column - column.mean()) ** 2).sum(), abs=1e-6)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.floats(0, 5), st.floats(0, 3)), min_size=3),
    st.integers(1, 20),
)
def test_influence_does_not_depend_on_the_pieces(rows, cut):
    estimator = make_estimator("snips")
    units = np.array([unit for unit, _, _ in rows])
    weights = np.array([w for _, w, _ in rows]) + 0.1
    terms = np.stack([weights, weights * [r for _, _, r in rows]], axis=1)
    sums = np.array([terms[units == number].sum(axis=0) for number in np.unique(units)])
    mean = sums.mean(axis=0)
    psi = (sums[:, 1] - mean[1] / mean[0] * sums[:, 0]) / mean[0]
    pieces, whole = UnitSums(2, third=True), UnitSums(2, third=True)
    for part in (slice(0, cut), slice(cut, None)):
        pieces.add(terms[part], units[part], whole=False)
        whole.add(sums[part], np.arange(len(sums))[part], whole=True)
    kept = UnitSums(2, third=True)
    kept.add(sums[::2], np.arange(len(sums))[::2], whole=True)
    kept.add(sums[1::2], np.arange(len(sums))[1::2], whole=False)  # some of either kind
    for influence in (each.influence(estimator) for each in (pieces, whole, kept)):
        assert influence.count == len(sums)
        if len(sums) > 1:
            deviation = psi.std()
            assert influence.variance == pytest.approx(psi.var(ddof=1), rel=1e-6, abs=1e-12)
            if deviation > 1e-3:
                third = (psi**3).mean() / deviation**3
                assert influence.skewness == pytest.approx(third, rel=1e-4, abs=1e-4)


def test_influence_of_many_sums():
    # Beyond this width the sums of units are kept, also those of units in one piece.
    width = MOST_THIRDS + 2
    estimator = replace(make_estimator("snips"), width=width)  # a sum of 17 ratios
    sums = np.random.default_rng(0).exponential(size=(60, width))
    units = UnitSums(width, third=True)
    units.add(sums[:25], np.arange(25), whole=True)
    units.add(sums[25:], np.arange(25, 60), whole=True)
    below, above = sums[:, : width // 2], sums[:, width // 2 :]
    psi = ((above - above.mean(0) / below.mean(0) * below) / below.mean(0)).sum(axis=1)
    influence = units.influence(estimator)
    assert influence.variance == pytest.approx(psi.var(ddof=1))
    assert influence.skewness == pytest.approx(scipy.stats.skew(psi))
    assert influence.symmetric_units == pytest.approx(60 / scipy.stats.skew(psi) ** 2)


def test_equal_units_have_no_skewness():
    units = UnitSums(2, third=True)
    units.add(np.full((1000, 2), 0.1) * [1, 0.3], np.arange(1000), whole=True)
    influence = units.influence(make_estimator("snips"))
    assert influence.variance == pytest.approx(0, abs=1e-24)
    assert abs(influence.skewness) <= math.sqrt(1000)
    assert Influence(5, 1.0, 0.0).symmetric_units == math.inf


@given(st.floats(-0.99, 0.99), st.integers(2, 500))
def test_hall_inverts_its_transformation(e, n):
    low, high = hall(n, 4.0, e * math.sqrt(n), 0.95)
    quantile = scipy.stats.t.ppf(0.975, n - 1)
    for end, x in ((low, quantile), (high, -quantile)):
        t = -float(end) / math.sqrt(4.0 / n)
        transformed = t + e * t**2 / 3 + e**2 * t**3 / 27 + e / 6
        assert transformed == pytest.approx(x, rel=1e-6, abs=1e-6)


def test_hall_by_hand():
    # Without skewness it is t; with a positive one both ends move up, the upper one further.
    assert hall(50, 2.0, 0.0, 0.9) == pytest.approx(
        (-student_t(50, 2.0, 0.95), student_t(50, 2.0, 0.95))
    )
    assert hall(50, 2.0, 1e-9, 0.9) == pytest.approx(hall(50, 2.0, 1e-5, 0.9), rel=1e-5)
    low, high = hall(50, 2.0, 1.5, 0.9)
    width = student_t(50, 2.0, 0.95)
    assert -width < low < 0 < width < high
    assert high - width > low + width
    for name in ("ips", "snips"):
        value = value_of(name, WEIGHTS, REWARDS, interval="hall")
        ratio = value.value if name == "snips" else 0.0
        psi = WEIGHTS * (REWARDS - ratio) / (WEIGHTS.mean() if ratio else 1.0)
        ends = hall(5, psi.var(ddof=1), scipy.stats.skew(psi), 0.95)
        assert value.interval == pytest.approx([value.value + end for end in ends], abs=1e-9)
        mirrored = value_of(name, WEIGHTS, -REWARDS, interval="hall")
        assert mirrored.interval == pytest.approx((-value.high, -value.low), abs=1e-9)


def test_bca_by_hand():
    replicates = np.random.default_rng(0).permutation(np.arange(1000.0))
    # No median bias and no skewness: the central part.
    assert bca_interval(replicates, 499.5, 0.0, 100, 0.9) == pytest.approx((49.95, 949.05))
    # 60% of the replicates lie below the value; a = 1.2 / (6 sqrt(100)) = 0.02.
    z, bias = scipy.stats.norm.ppf([0.05, 0.95]), scipy.stats.norm.ppf(0.6)
    shares = scipy.stats.norm.cdf(bias + (bias + z) / (1 - 0.02 * (bias + z)))
    expected = np.quantile(replicates, shares)
    assert bca_interval(replicates, 599.5, 1.2, 100, 0.9) == pytest.approx(expected)
    assert np.isfinite(bca_interval(replicates, 2000.0, 0.0, 100, 0.9)).all()
    assert np.isnan(bca_interval(np.full(3, np.nan), 1.0, 0.0, 100, 0.9)).all()
    value = value_of("snips", np.tile(WEIGHTS, 9), np.tile(REWARDS, 9), interval="bca")
    plain = value_of("snips", np.tile(WEIGHTS, 9), np.tile(REWARDS, 9), interval="bootstrap")
    assert value.interval_kind == "bca"
    assert value.low < value.value < value.high
    assert value.interval != plain.interval


def test_no_interval_without_two_units():
    assert np.isnan(value_of("ips", [1.0], [1.0]).interval).all()
    assert np.isnan(value_of("ips", [1.0], [1.0], interval="bca").interval).all()
    assert np.isnan(value_of("ips", [1.0], [1.0], interval="t").interval).all()
    assert np.isnan(value_of("ips", [], [], interval="t").interval).all()
    one = value_of("ips", [1.0], [1.0], interval="hoeffding", bound=1)
    assert one.low < one.value < one.high


def test_invalid_intervals_are_refused():
    with pytest.raises(UserError, match=r"interval: must be 'hall', .* not 'bootstrapp'"):
        value_of("ips", WEIGHTS, REWARDS, interval="bootstrapp")
    with pytest.raises(UserError, match="needs a bound: the width of the range of a term"):
        value_of("ips", WEIGHTS, REWARDS, interval="hoeffding")
    with pytest.raises(UserError, match="'t' takes no bound"):
        value_of("ips", WEIGHTS, REWARDS, interval="t", bound=3)
    with pytest.raises(UserError, match=r"bound: must be greater than 0, not 0"):
        value_of("ips", WEIGHTS, REWARDS, interval="bernstein", bound=0)
    with pytest.raises(UserError, match="a ratio of sums: use 'hall', 't', 'bca' or 'boot"):
        value_of("snips", WEIGHTS, REWARDS, interval="bernstein", bound=4)
    with pytest.raises(
        UserError, match=r"bound 1 is too small: the terms of 'ips' range from 0 to 2"
    ):
        value_of("ips", WEIGHTS, REWARDS, interval="hoeffding", bound=1)
    with pytest.raises(UserError, match=r"needs one impression per independent unit; here .* 2"):
        value_of("ips", WEIGHTS, REWARDS, [0, 0, 1, 2, 3], interval="hoeffding", bound=4)
    tally = Tally([make_estimator("ips")], interval="t")
    with pytest.raises(UserError, match="does not resample"):
        tally.replicates()


def simulate(rng, rows):
    """Draw a log of two actions; the value of the policy is 0.48, weights are 2/3 and 3/2."""
    action = (rng.random(rows) < 0.4).astype(int)
    rewards = (rng.random(rows) < np.array([0.3, 0.6])[action]).astype(float)
    return Sample(np.array([0.4 / 0.6, 0.6 / 0.4])[action], rewards, np.arange(rows), whole=True)


KINDS = {
    ("ips", "t", None): (0.92, 0.97),
    ("snips", "t", None): (0.92, 0.97),
    ("sndr", "t", None): (0.92, 0.97),
    ("dr", "t", None): (0.92, 0.97),
    # These hold for every n and every reward in the range: mostly with a large margin.
    ("ips", "bernstein", 1.5): (0.99, 1.0),
    ("ips", "hoeffding", 1.5): (0.97, 1.0),
}


@pytest.mark.parametrize(("name", "kind", "bound"), KINDS)
def test_intervals_cover(name, kind, bound):
    logs, rows, covered = 2000, 400, 0
    rng = np.random.default_rng(7)
    for _ in range(logs):
        sample = simulate(rng, rows)
        q = np.where(sample.weights > 1, 0.5, 0.4)  # a model that is wrong
        sample = replace(sample, model=Prediction(q, np.full(rows, 0.4 * 0.4 + 0.6 * 0.5)))
        tally = Tally([make_estimator(name)], interval=kind, bound=bound)
        tally.add(sample)
        (value,) = tally.values()
        covered += value.low <= 0.48 <= value.high
    low, high = KINDS[name, kind, bound]
    assert low <= covered / logs <= high


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bootstrap", "bca"])
@pytest.mark.parametrize("name", ["ips", "snips", "dr", "sndr"])
def test_bootstrap_intervals_cover(name, kind):
    logs, rows, covered = 2000, 400, 0
    rng = np.random.default_rng(8)
    for log in range(logs):
        sample = simulate(rng, rows)
        q = np.where(sample.weights > 1, 0.5, 0.4)
        sample = replace(sample, model=Prediction(q, np.full(rows, 0.46)))
        tally = Tally([make_estimator(name)], interval=kind, samples=1000, seed=log)
        tally.add(sample)
        (value,) = tally.values()
        covered += value.low <= 0.48 <= value.high
    assert 0.92 <= covered / logs <= 0.97
