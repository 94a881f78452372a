"""The warnings of an estimate, on either side of every threshold."""

import numpy as np
import pytest

from recsim.estimators import PolicyValue, Sample, Tally, make_estimator


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


@pytest.mark.parametrize(("clicks", "doubted"), [(10, False), (9, True)])
def test_fewer_than_ten_units_with_weight_and_reward_have_a_warning(clicks, doubted):
    rewards = np.zeros(100)
    rewards[:clicks] = 1
    value = value_of(np.ones(100), rewards)
    warning = f"only {clicks} independent users or rows have both weight and reward"
    assert any(text.startswith(warning) for text in value.warnings) == doubted


def test_many_rows_of_few_users_are_few_units():
    tally = Tally([make_estimator("ips")], samples=20)
    for user in (0, 1, 0, 2):  # in pieces
        tally.add(Sample(np.ones(100), np.ones(100), np.full(100, user)))
    assert tally.values()[0].warnings == (
        "only 3 independent users or rows have both weight and reward: the interval is too narrow",
    )
    one = value_of(np.ones(100), np.eye(1, 100)[0]).warnings
    assert any(text.startswith("only 1 independent user or row has both") for text in one)


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
    assert lines[1:] == [
        "  warning: one impression of 1000 carries 30% of the total weight: the value hangs on it"
    ]
