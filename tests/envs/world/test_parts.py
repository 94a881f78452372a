"""Dynamics, retention, catalogue and population: cases by hand, and distributions."""

import math

import array_api_compat.numpy as xp
import numpy as np
import pytest

from envs.world.catalogue import Catalogue
from envs.world.dynamics import GroupFatigue, InterestDrift, Satisfaction, SessionBudget
from envs.world.population import Population
from envs.world.retention import Retention
from recsim.draws import Draws, chain, key_of


def draws_of(users):
    return Draws(chain(key_of(0, "test"), np.arange(users)))


def array(*values):
    return np.array(values, dtype=np.float32)


def test_drift_towards_and_away_by_hand():
    towards = np.array([[1.0, 0.0]], dtype=np.float32)
    InterestDrift(rate=0.75, noise=0).step(xp, draws_of(1), towards, array([0.0, 4.0]), scale=4.0)
    assert towards == pytest.approx(np.array([[0.8, 0.6]]), abs=1e-6)  # (1, 3/4) / (5/4)
    away = np.array([[1.0, 0.0]], dtype=np.float32)
    drift = InterestDrift(rate=0.75, noise=0, direction="away")
    drift.step(xp, draws_of(1), away, array([0.0, 4.0]), scale=4.0)
    assert away == pytest.approx(np.array([[0.8, -0.6]]), abs=1e-6)


def test_drift_without_clicks_or_noise_changes_nothing():
    interest = np.array([[0.6, 0.8]], dtype=np.float32)
    InterestDrift(noise=0).step(xp, draws_of(1), interest, array([0.0, 0.0]))
    assert interest == pytest.approx(np.array([[0.6, 0.8]]), abs=1e-6)


def test_drift_noise_keeps_unit_length():
    interest = np.tile(array(1.0, 0.0, 0.0), (100, 1))
    InterestDrift(noise=0.5).step(xp, draws_of(100), interest, np.zeros_like(interest))
    assert np.linalg.norm(interest, axis=1) == pytest.approx(np.ones(100), abs=1e-5)
    assert interest[:, 1].std() > 0.1


def test_satisfaction_by_hand():
    part = Satisfaction(rate=0.5, neglect=0.2, appeal=4.0, engagement=0.5, start=0.6, recovery=0.5)
    # one click of value 0.9; no click; two clicks worth 0.3 in all
    got = part.step(xp, array(0.5, 0.5, 0.5), array(0.9, 0.0, 0.3), array(1.0, 0.0, 2.0))
    assert got == pytest.approx(array(0.7, 0.35, 0.15), abs=1e-6)
    assert part.lift(array(0.75)) == pytest.approx(array(1.0))
    assert part.engaged(array(0.0, 0.5, 1.0)) == pytest.approx(array(0.5, 1.0, 1.5))
    assert part.rest(array(0.2), array(1.0)) == pytest.approx(array(0.4))
    assert part.rest(array(0.2), array(0.0)) == pytest.approx(array(0.2))


def test_satisfaction_stays_in_bounds():
    part = Satisfaction(rate=1.0, neglect=0.0)
    got = part.step(xp, array(1.0, 0.0), array(0.0, 8.0), array(8.0, 8.0))
    assert got.min() >= 0
    assert got.max() <= 1


def test_fatigue_by_hand():
    part = GroupFatigue(memory=0.75, daily_memory=0.5)
    got = part.step(array([0.4, 0.0]), array([0.0, 2.0]))
    assert got == pytest.approx(array([0.3, 0.5]))
    assert part.rest(got, array(2.0)) == pytest.approx(array([0.075, 0.125]))


def test_session_budget_has_its_mean():
    draws = SessionBudget(minutes=20, spread=0.5).draw(xp, draws_of(100_000))
    assert draws.min() > 0
    assert abs(draws.mean() - 20) < 5 * draws.std() / math.sqrt(100_000)
    assert SessionBudget(minutes=7, spread=0).draw(xp, draws_of(3)) == pytest.approx([7, 7, 7])


@pytest.mark.parametrize("satisfaction", [0.2, 0.5, 0.9])
def test_churn_and_gap_follow_their_probabilities(satisfaction):
    part = Retention(churn=-1.0, churn_slope=3.0, hazard=-0.5, hazard_slope=2.0)
    users = 100_000
    level = np.full(users, satisfaction, dtype=np.float32)
    gap, churned = part.draw(xp, draws_of(users), level)
    churn = 1 / (1 + math.exp(1.0 + 3.0 * (satisfaction - 0.5)))
    hazard = 1 / (1 + math.exp(0.5 - 2.0 * (satisfaction - 0.5)))
    assert abs(churned.mean() - churn) < 5 * math.sqrt(churn * (1 - churn) / users)
    assert np.all((gap == 0) == churned)
    days = gap[~churned]
    assert np.all(days == np.round(days))
    # geometric on 1, 2, ...: mean 1 / h, variance (1 - h) / h^2, P(1) = h
    assert abs(days.mean() - 1 / hazard) < 5 * math.sqrt((1 - hazard) / len(days)) / hazard
    share = (days == 1).mean()
    assert abs(share - hazard) < 5 * math.sqrt(hazard * (1 - hazard) / len(days))


def test_satisfied_users_return_sooner_and_churn_less():
    part = Retention()
    low, high = array(0.2), array(0.8)
    assert part.churn_probability(xp, high) < part.churn_probability(xp, low)
    assert part.daily_hazard(xp, high) > part.daily_hazard(xp, low)


def test_a_hazard_of_one_is_one_day():
    gap, churned = Retention(churn=-50, hazard=50).draw(
        xp, draws_of(1000), np.full(1000, 0.5, np.float32)
    )
    assert not churned.any()
    assert np.all(gap == 1)


def test_catalogue_is_a_function_of_its_seed():
    first, again, other = (Catalogue(seed=seed).draw() for seed in (1, 1, 2))
    assert np.array_equal(first.embedding, again.embedding)
    assert not np.array_equal(first.embedding, other.embedding)


def test_catalogue_has_the_stated_moments():
    items = Catalogue(
        num_items=20_000,
        bait_quality_correlation=-0.7,
        length=3.0,
        length_spread=0.5,
        completion=0.4,
    ).draw()
    assert np.linalg.norm(items.embedding, axis=1) == pytest.approx(np.ones(20_000), abs=1e-5)
    for uniform in (items.quality, items.bait):
        assert abs(uniform.mean() - 0.5) < 5 / math.sqrt(12 * 20_000)
        assert 0 <= uniform.min() < 0.01
        assert 0.99 < uniform.max() <= 1
    # Spearman correlation of a Gaussian copula: 6 / pi * asin(rho / 2)
    ranks = [np.argsort(np.argsort(x)) for x in (items.quality, items.bait)]
    spearman = np.corrcoef(ranks)[0, 1]
    assert abs(spearman - 6 / math.pi * math.asin(-0.35)) < 0.03
    length = items.minutes / (0.4 + 0.6 * items.quality)
    assert abs(length.mean() - 3.0) < 5 * length.std() / math.sqrt(20_000)


def test_items_of_a_group_are_nearer_to_their_centre():
    items = Catalogue(num_items=2000, spread=0.5).draw()
    own = np.sum(items.embedding * items.centres[items.group], axis=1).mean()
    other = (items.embedding @ items.centres.T).mean()
    assert own > other + 0.5


def test_group_sizes_fall_with_the_skew():
    sizes = np.bincount(Catalogue(num_items=20_000, group_skew=1.0).draw().group, minlength=10)
    share = (1 / np.arange(1, 11)) / (1 / np.arange(1, 11)).sum()
    assert sizes / 20_000 == pytest.approx(share, abs=0.02)


def test_user_features_are_noisy_interests():
    centres = np.eye(4, dtype=np.float32)
    draws = draws_of(4000)
    interest, features = Population(spread=0.0, feature_noise=0.0).draw(xp, draws, centres)
    assert np.array_equal(interest, features)
    share = interest.mean(axis=0)  # each user is one centre, uniformly
    assert share == pytest.approx(np.full(4, 0.25), abs=5 * math.sqrt(0.1875 / 4000))
    _, noisy = Population(spread=0.0, feature_noise=2.0).draw(xp, draws, centres)
    assert noisy.std() > 0.9
