import copy
import math

import numpy as np
import pytest

from recsim.errors import UserError
from recsim.metrics import distinct_groups
from reproductions.gru_thompson.distance import DistanceWorld


def test_items_surround_their_group():
    world = DistanceWorld(size=2.0)
    cohort = world.start(1, 0)
    centres = np.stack([cohort.items[cohort.problem.item_groups == g] for g in range(30)])
    assert centres.shape == (30, 10, 2)
    radius = np.linalg.norm(cohort.items, axis=1)
    assert radius.max() <= 2 * (0.8 + 0.1)
    # Two items of a group are within two radii of each other.
    gaps = np.linalg.norm(centres[:, :, None] - centres[:, None], axis=3)
    assert gaps.max() <= 2 * 0.2 + 1e-9
    assert gaps.max() > 0.3


def test_clicks_and_moves_by_hand():
    world = DistanceWorld(num_items=3, num_groups=1, slate_size=2, nothing=-1.0, memory=0.75)
    cohort = world.start(20_000, 0)
    cohort.items = np.array([[0.0, 0.0], [3.0, 4.0], [9.0, 9.0]])
    cohort.state = np.tile([0.0, 1.0], (20_000, 1))
    slates = np.tile([1, 0], (20_000, 1))
    weights = np.array([math.exp(-math.sqrt(18)), math.exp(-1), math.exp(-1)])
    expected = weights[:2] / weights.sum()
    np.testing.assert_allclose(cohort.probabilities(slates)[0], expected)
    clicks = cohort.show(slates)
    np.testing.assert_allclose(clicks.mean(axis=0), expected, atol=0.015)
    moved = np.array([[0.75, 1.75], [0.0, 0.75], [0.0, 1.0]])
    slot = np.where(clicks.any(axis=1), clicks.argmax(axis=1), 2)
    np.testing.assert_allclose(cohort.state, moved[slot])


def test_the_oracle_is_best_and_random_is_uniform():
    cohort = DistanceWorld().start(500, 3)
    best = cohort.probabilities(cohort.oracle()).sum(axis=1)
    slates = cohort.random()
    assert (best >= cohort.probabilities(slates).sum(axis=1)).all()
    # 30 equal groups of 10 items: 30 (1 - C(290, 5) / C(300, 5)) of them in a slate.
    expected = 30 * (1 - math.comb(290, 5) / math.comb(300, 5))
    many = np.concatenate([cohort.random() for _ in range(10)])
    assert distinct_groups(many, cohort.problem.item_groups) == pytest.approx(expected, abs=0.03)


def test_observations():
    cohort = DistanceWorld(history=2).start(3, 0)
    empty = cohort.observation()
    assert (empty["history_items"] == -1).all()
    assert empty["history_length"].tolist() == [[0]] * 3
    for _ in range(3):
        cohort.show(cohort.random())
    obs = cohort.observation()
    assert obs["history_items"].tolist() == np.hstack(cohort.slates[1:]).tolist()
    assert obs["history_clicks"].tolist() == np.hstack(cohort.clicks[1:]).tolist()
    assert obs["history_length"].tolist() == [[2]] * 3
    assert obs["time"][:, 2].tolist() == [3, 3, 3]


def test_the_log_has_the_slates_and_clicks():
    cohort = DistanceWorld().start(4, 0)
    cohort.log_for(3)
    log = cohort.to_log().validate()
    assert len(log) == 12
    assert log.slate[3:6].tolist() == [slate[1].tolist() for slate in cohort.slates]
    assert log.clicks[3:6].tolist() == [clicks[1].tolist() for clicks in cohort.clicks]
    obs = log.observations(np.array([5]), history_slates=2)
    assert obs["history_items"][0].tolist() == np.hstack([s[1] for s in cohort.slates[:2]]).tolist()


def test_copies_continue_independently_from_the_same_past():
    cohort = DistanceWorld().start(50, 0)
    cohort.log_for(2)
    twin, other = copy.deepcopy(cohort), copy.deepcopy(cohort)
    twin.show(twin.oracle())
    other.show(other.random())
    assert len(cohort.slates) == 2
    assert (twin.state != other.state).any()
    again = copy.deepcopy(cohort)
    again.show(again.oracle())
    np.testing.assert_array_equal(again.state, twin.state)


def test_same_seeds_give_the_same_users_and_clicks():
    logs = []
    for seed in (1, 1, 2):
        cohort = DistanceWorld().start(20, seed)
        cohort.log_for(4)
        logs.append(cohort.to_log())
    assert (logs[0].slate == logs[1].slate).all()
    assert (logs[0].clicks == logs[1].clicks).all()
    assert (logs[0].slate != logs[2].slate).any()


def test_too_few_items_are_refused():
    with pytest.raises(UserError, match="3 items are too few for 2 groups and slates of 4"):
        DistanceWorld(num_items=3, num_groups=2, slate_size=4).start(1, 0)
