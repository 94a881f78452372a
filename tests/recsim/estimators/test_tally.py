"""Sums that merge: the same estimates and intervals however a log is cut."""

import itertools
import math
from dataclasses import fields, replace

import numpy as np
import pytest

from recsim.errors import EstimationError, UserError
from recsim.estimators import (
    ESTIMATORS,
    Actions,
    Intervals,
    Prediction,
    Sample,
    Tally,
    make_estimator,
)
from recsim.estimators.bootstrap import percentile_interval, poisson_counts, resampled_sums

ALL = [make_estimator(name, clip=2.0, tau=2.0) for name in ESTIMATORS]


def draw(rows: int, seed: int = 0, users: int = 300) -> Sample:
    rng = np.random.default_rng(seed)
    weights = rng.exponential(1.0, rows)
    rewards = (rng.random(rows) < 0.3).astype(float)
    units = rng.integers(0, users, rows)
    models = [Prediction(*rng.random((2, rows))) for _ in range(2)]
    actions = Actions(*rng.random((3, rows, 4)))
    policy = rng.integers(0, 2, rows).astype(float)
    return Sample(weights, rewards, units, policy, *models, actions)


def part(sample: Sample, rows: slice) -> Sample:
    def cut(value):
        if isinstance(value, np.ndarray):
            return value[rows]
        if isinstance(value, Prediction | Actions):
            return type(value)(*(getattr(value, field.name)[rows] for field in fields(value)))
        return value

    return Sample(*(cut(getattr(sample, field.name)) for field in fields(Sample)))


def tally_of(*samples: Sample, seed: int = 3) -> Tally:
    tally = Tally(ALL, interval="bootstrap", samples=200, seed=seed)
    for sample in samples:
        tally.add(sample)
    return tally


@pytest.mark.parametrize("cuts", [[700], [1, 2, 3], [255, 256, 257, 512]])
def test_a_log_in_pieces_gives_the_same_values(cuts):
    sample = draw(1000)
    edges = [0, *cuts, 1000]
    pieces = [part(sample, slice(a, b)) for a, b in itertools.pairwise(edges)]
    whole, cut = tally_of(sample), tally_of(*pieces)
    merged = Tally(ALL, interval="bootstrap", samples=200, seed=3)
    for piece in reversed(pieces):  # from machines that finish in any order
        merged.merge(tally_of(piece))
    for other in (cut, merged):
        np.testing.assert_allclose(other.replicates(), whole.replicates(), rtol=1e-11)
        for ours, theirs in zip(other.values(), whole.values(), strict=True):
            assert ours.warnings == theirs.warnings
            for name, value in theirs.to_dict().items():
                if isinstance(value, float):
                    assert getattr(ours, name) == pytest.approx(value, rel=1e-11), name


def test_only_tallies_of_the_same_kind_merge():
    with pytest.raises(ValueError, match="same estimators and intervals"):
        tally_of().merge(tally_of(seed=4))
    with pytest.raises(ValueError, match="same estimators and intervals"):
        tally_of().merge(Tally([make_estimator("ips")], samples=200, seed=3))


def test_the_values_are_those_of_the_estimators():
    sample = draw(500)
    for value, estimator in zip(tally_of(sample).values(), ALL, strict=True):
        model = sample.weighted_model if estimator.name == "mrdr" else sample.model
        expected = estimator(
            sample.weights,
            sample.rewards,
            q=model.logged,
            v=model.expected,
            policy=sample.policy,
            actions=sample.actions,
        )
        assert value.value == pytest.approx(expected, rel=1e-12)
        assert value.low < value.value < value.high
        assert (value.n, value.parameter) == (500, estimator.parameter)
        assert value.max_weight == sample.weights.max()
        clipped = (sample.weights > 2.0).mean() if estimator.clip == 2.0 else 0.0
        assert value.clipped_share == pytest.approx(clipped)


def test_resampled_sums_are_sums_of_the_units_taken():
    terms = np.arange(12.0).reshape(6, 2)
    units = np.array([3, 700, 3, 256, 0, 700])
    counts = np.concatenate([poisson_counts(5, block, 40) for block in range(3)])  # (768, 40)
    expected = sum(counts[unit][:, None] * row for unit, row in zip(units, terms, strict=True))
    sums = resampled_sums(terms, units, seed=5, samples=40)
    np.testing.assert_allclose(sums, expected, rtol=1e-12)
    assert not np.array_equal(sums, resampled_sums(terms, units, seed=6, samples=40))


def test_counts_are_poisson():
    counts = np.concatenate([poisson_counts(0, block, 1000) for block in range(20)]).ravel()
    for count in range(5):
        expected = math.exp(-1) / math.factorial(count)
        share = (counts == count).mean()
        # Five standard errors of a share of 5,120,000 draws.
        assert abs(share - expected) < 5 * math.sqrt(expected / counts.size) + 1 / 2**16
    assert counts.mean() == pytest.approx(1.0, abs=0.003)


def test_the_rows_of_a_user_are_resampled_together():
    alone = replace(draw(100), units=np.arange(100))
    # Twice the rows, but both rows of a user are the same: there is no more information.
    twice = part(alone, np.repeat(np.arange(100), 2))
    first, second = tally_of(alone), tally_of(twice)
    np.testing.assert_allclose(first.replicates(), second.replicates())
    assert second.values()[0].n == 2 * first.values()[0].n == 200


def test_bootstrap_error_is_the_standard_error():
    sample = draw(4000, users=10**6)
    sample = Sample(sample.weights, sample.rewards, np.arange(4000))
    tally = Tally(
        [make_estimator("ips"), make_estimator("snips")],
        interval="bootstrap",
        samples=2000,
        seed=1,
    )
    tally.add(sample)
    w, r = sample.weights, sample.rewards
    plain = (w * r).std() / math.sqrt(4000)
    ratio = (w * r).sum() / w.sum()
    residual = w * (r - ratio) / w.mean()  # delta method
    spread = tally.replicates().std(axis=0)
    assert spread[0] == pytest.approx(plain, rel=0.06)
    assert spread[1] == pytest.approx(residual.std() / math.sqrt(4000), rel=0.06)
    assert spread[1] < spread[0]


def test_intervals_have_their_nominal_coverage():
    # Two actions, mu = (0.6, 0.4), pi = (0.4, 0.6), click rates (0.3, 0.6): value 0.48.
    rng = np.random.default_rng(11)
    covered = np.zeros(2)
    logs = 300
    for log in range(logs):
        action = (rng.random(400) < 0.4).astype(int)
        reward = (rng.random(400) < np.array([0.3, 0.6])[action]).astype(float)
        weight = np.array([0.4 / 0.6, 0.6 / 0.4])[action]
        estimators = [make_estimator("ips"), make_estimator("snips")]
        tally = Tally(estimators, interval="bootstrap", samples=300, seed=log, level=0.9)
        tally.add(Sample(weight, reward, np.arange(400)))
        covered += [value.low <= 0.48 <= value.high for value in tally.values()]
    # Nominal 0.9; four standard errors of a share over 300 logs are 0.07.
    assert (np.abs(covered / logs - 0.9) < 0.07).all()


def test_same_seed_same_interval():
    sample = draw(200)
    assert tally_of(sample).values() == tally_of(sample).values()
    assert tally_of(sample).values()[0].low != tally_of(sample, seed=4).values()[0].low


def test_bootstrap_samples_without_any_weight_are_left_out():
    assert percentile_interval(np.array([np.nan, 1.0, np.nan, 3.0]), 0.5) == (1.5, 2.5)
    assert np.isnan(percentile_interval(np.array([np.nan]), 0.5)).all()


def test_settings_are_checked():
    with pytest.raises(UserError, match="at least one estimator"):
        Tally([])
    with pytest.raises(UserError, match=r"estimation\.samples: must be greater than 0, not 0"):
        Tally(ALL, samples=0)
    with pytest.raises(UserError, match=r"estimation\.level: must be less than 1, not 95"):
        Tally(ALL, level=95)
    with pytest.raises(UserError, match=r"estimation\.sample: unknown key\. Did you mean"):
        Tally(ALL, sample=10)
    assert Tally(ALL, Intervals(samples=10), seed=3).intervals == Intervals(samples=10, seed=3)


@pytest.mark.parametrize("units", [["ann", "bob", "ann"], [0.0, 1.0, 0.0], [None, 1, 2]])
@pytest.mark.parametrize("interval", ["bootstrap", "t"])
def test_units_that_are_not_numbered_are_refused(units, interval):
    tally = Tally([make_estimator("ips")], interval=interval)
    with pytest.raises(EstimationError, match="units must be whole numbers from 0"):
        tally.add(Sample(np.ones(3), np.ones(3), np.array(units)))


@pytest.mark.parametrize("interval", ["bootstrap", "t"])
def test_one_unit_has_no_interval_however_the_log_is_cut(interval):
    tally = Tally([make_estimator("ips")], interval=interval)
    other = Tally([make_estimator("ips")], interval=interval)
    tally.add(Sample(np.ones(2), np.array([1.0, 0.0]), np.array([3, 3])))
    other.add(Sample(np.ones(1), np.ones(1), np.array([3])))
    tally.merge(other)
    (value,) = tally.values()
    assert np.isnan(value.interval).all()
    assert value.value == pytest.approx(2 / 3)
    assert any("a single independent unit" in text for text in value.warnings)
    tally.add(Sample(np.ones(1), np.ones(1), np.array([4])))
    assert np.isfinite(tally.values()[0].interval).all()
