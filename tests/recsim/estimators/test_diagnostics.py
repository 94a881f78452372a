"""The warnings of an estimate, on either side of every threshold."""

import numpy as np
import pytest

from recsim.estimators import PolicyValue, Sample, Tally, make_estimator
from recsim.estimators.diagnostics import ADAPTIVE


def value_of(weights, rewards=None, name: str = "ips", clip: float = 10.0) -> PolicyValue:
    weights = np.asarray(weights, dtype=float)
    rewards = np.ones(len(weights)) if rewards is None else np.asarray(rewards, dtype=float)
    tally = Tally([make_estimator(name, clip=clip)], samples=20)
    tally.add(Sample(weights, rewards, np.arange(len(weights))))
    return tally.values()[0]


def heavy(weight: float, rows: int = 1000) -> np.ndarray:
    """Return weights that average 1, one of which is heavy."""
    rest = (rows - weight) / (rows - 1)
    return np.array([weight, *np.full(rows - 1, rest)])


def test_the_logging_policy_has_no_warning():
    value = value_of(np.ones(100))
    assert value.warnings == ()
    assert value.trustworthy
    assert (value.ess, value.largest_share, value.mean_weight) == (100, 0.01, 1.0)


@pytest.mark.parametrize(("weight", "doubted"), [(49, False), (51, True)])
def test_one_impression_that_carries_more_than_5_percent(weight, doubted):
    value = value_of(heavy(weight))
    assert value.largest_share == pytest.approx(weight / 1000)
    assert any("one impression of 1000 carries" in text for text in value.warnings) == doubted


@pytest.mark.parametrize(("useful", "doubted"), [(25, False), (15, True)])
def test_effective_sample_size_below_1_percent(useful, doubted):
    # 2,000 impressions, of which a few share the weight equally: that is the effective size.
    weights = np.zeros(2000)
    weights[:useful] = 2000 / useful
    value = value_of(weights)
    assert value.ess == pytest.approx(useful)
    assert value.zero_weight_share == pytest.approx(1 - useful / 2000)
    warning = f"the 2000 impressions are worth only {useful:.1f} equally weighted ones"
    assert (warning in value.warnings) == doubted


@pytest.mark.parametrize(("clip", "doubted"), [(0.51, False), (0.49, True)])
def test_clipping_that_cuts_more_than_half(clip, doubted):
    value = value_of(np.ones(100), name="clipped_ips", clip=clip)
    assert value.cut_share == pytest.approx(1 - clip)
    assert value.clipped_share == 1.0
    assert any(f"clip={clip} cut away" in text for text in value.warnings) == doubted


def test_clipping_reduces_the_share_of_the_largest_weight():
    weights = heavy(300)
    plain, clipped = value_of(weights), value_of(weights, name="clipped_snips", clip=10)
    assert not plain.trustworthy
    assert clipped.ess > 850 > 12 > plain.ess
    assert clipped.max_weight == plain.max_weight == 300
    assert clipped.clipped_share == pytest.approx(0.001)


@pytest.mark.parametrize(("scale", "doubted"), [(1.04, False), (0.9, True), (1.1, True)])
def test_a_mean_weight_other_than_one_has_a_warning(scale, doubted):
    spread = np.tile([0.9, 1.1], 500)  # standard error 0.003
    value = value_of(scale * spread)
    assert any("where 1 is expected" in text for text in value.warnings) == doubted


def test_a_mean_weight_within_its_error_has_no_warning():
    weights = np.concatenate([np.full(95, 0.5), np.full(5, 15.0)])  # mean 1.225, error 0.32
    assert not any("where 1 is expected" in text for text in value_of(weights).warnings)


def test_effective_terms_by_hand():
    # w r = 3, 0, 1 and 2, of three users: 3, 1 and 2.
    tally = Tally([make_estimator("ips"), make_estimator("snips")])
    tally.add(Sample(np.array([1.5, 1.0]), np.array([2.0, 0.0]), np.array([0, 0])))
    tally.add(Sample(np.array([0.5, 2.0]), np.array([2.0, -1.0]), np.array([1, 2])))
    for value in tally.values():
        assert value.effective_terms == pytest.approx((3 + 1 + 2) ** 2 / (9 + 1 + 4))


@pytest.mark.parametrize(("clicks", "doubted"), [(50, False), (49, True)])
def test_fewer_than_50_effective_terms_have_a_warning(clicks, doubted):
    # The effective sample size is 20,000 in both.
    rewards = np.zeros(20_000)
    rewards[:clicks] = 1
    value = value_of(np.ones(20_000), rewards)
    assert (value.ess, value.effective_terms) == (20_000, pytest.approx(clicks))
    warning = f"only {clicks}.0 effective terms: the estimate rests on the rewards of few"
    assert any(text.startswith(warning) for text in value.warnings) == doubted


def test_many_rows_of_few_users_are_few_terms():
    tally = Tally([make_estimator("ips")])
    for user in (0, 1, 0, 2):  # in pieces
        tally.add(Sample(np.ones(100), np.ones(100), np.full(100, user)))
    (value,) = tally.values()
    assert value.effective_terms == pytest.approx(4**2 / (2**2 + 1 + 1))
    assert value.warnings == (
        "only 2.7 effective terms: the estimate rests on the rewards of few users or rows, and the "
        "interval may be too narrow",
    )


@pytest.mark.parametrize(("zeros", "doubted"), [(14, False), (7, True)])
def test_a_ratio_of_nearly_equal_rewards_has_a_warning(zeros, doubted):
    # Terms |w r| are plenty, but those that move a ratio are few: g^2 = 1 / share of zeros, nearly.
    rewards = np.ones(5000)
    rewards[:zeros] = 0
    value = value_of(np.ones(5000), rewards, name="snips")
    assert value.effective_terms > 4900
    assert any("have a skewness of -" in text for text in value.warnings) == doubted


@pytest.mark.parametrize("kind", ["hall", "t", "bca"])
def test_a_log_of_a_policy_that_learned_has_a_warning(kind):
    sample = Sample(np.ones(100), np.ones(100), np.arange(100), adaptive=True)
    first, other = (Tally([make_estimator("ips")], interval=kind, samples=200) for _ in range(2))
    other.add(sample)
    first.merge(other)
    assert first.values()[0].warnings == (ADAPTIVE,)


def test_a_log_without_any_weight_has_a_warning():
    never = value_of(np.zeros(5), name="snips")
    assert np.isnan(never.value)
    assert np.isnan(never.interval).all()
    assert never.warnings == (
        "the policy never shows a logged item: the log says nothing about it",
    )
    assert value_of([]).warnings == ("there is no impression to estimate from",)


def test_a_value_prints_as_one_line_and_one_per_warning():
    lines = str(value_of(heavy(300), name="clipped_ips", clip=400)).splitlines()
    assert lines[0].startswith("clipped_ips (clip=400): 1 [")
    assert "effective sample size" in lines[0]
    assert "largest weight 300, clipped 0.00%" in lines[0]
    assert "effective terms 11.1, largest" in lines[0]
    assert lines[1] == (
        "  warning: one impression of 1000 carries 30% of the total weight: the value hangs on it"
    )
    assert lines[2].startswith("  warning: only 11.1 effective terms")
