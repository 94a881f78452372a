"""The hard filter, by hand and with simulated seekers."""

import numpy as np
import pytest
import torch

from agents.critiquing.filtering import best_allowed, filtered, ruled_out
from recsim.critiquing import planted_reviews
from recsim.critiquing.seeker import critiquable, pick_aspect

HAVE = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 1]], dtype=bool)


def test_items_with_a_critiqued_aspect_are_ruled_out():
    critiqued = np.array([[0, 0, 0], [-1, 0, 0], [1, -1, 0], [-1, -1, 1]], dtype=np.int8)
    assert ruled_out(critiqued, HAVE).astype(int).tolist() == [
        [0, 0, 0, 0],
        [1, 0, 0, 1],
        [0, 1, 0, 1],
        [1, 1, 0, 1],
    ]


def test_ruled_out_items_fall_below_the_others_and_keep_their_order():
    scores = np.array([[3.0, 1.0, 0.0, 2.0]], dtype=np.float32)
    lowered = filtered(scores, np.array([[-1, 0, 0]]), HAVE)
    assert lowered.tolist() == [[-3.0, 1.0, 0.0, -4.0]]
    assert np.argsort(-lowered[0]).tolist() == [1, 2, 0, 3]
    np.testing.assert_array_equal(filtered(scores, np.zeros((1, 3)), HAVE), scores)


@pytest.mark.parametrize("level", [0.0, 1e-9, 1e9])
def test_the_filter_works_for_scores_of_any_range(level):
    scores = np.array([[level, 0.0, 0.0, level]])
    lowered = filtered(scores, np.array([[-1, 0, 0]]), HAVE)
    assert np.isfinite(lowered).all()
    assert lowered[0, [0, 3]].max() < lowered[0, [1, 2]].min()


def test_the_filter_has_no_effect_if_no_other_item_may_be_shown():
    scores = np.array([[1.0, 5.0, 4.0, 2.0]])
    lowered = filtered(scores, np.array([[-1, 0, 0]]), HAVE)
    assert best_allowed(lowered, np.array([[1, 1, 1, 1]])).tolist() == [1]
    assert best_allowed(lowered, np.array([[1, 0, 0, 1]])).tolist() == [3]


def test_ties_go_to_the_lower_id():
    scores = np.array([[1.0, 2.0, 2.0], [1.0, 2.0, 2.0]])
    assert best_allowed(scores, np.array([[1, 1, 1], [1, 0, 1]])).tolist() == [1, 2]


def test_the_target_of_a_seeker_without_mistakes_is_never_ruled_out():
    data = planted_reviews(users=60, num_items=50, seed=3)
    aspects, counts = torch.from_numpy(data.item_aspects), torch.from_numpy(data.item_counts)
    test = data.rows("test")
    target, row = data.item[test], np.arange(len(test))
    critiqued = np.zeros((len(test), data.num_aspects), dtype=np.int8)
    scores = np.random.default_rng(0).normal(size=(len(test), data.num_items))
    ranks, shown = [], np.zeros(scores.shape, dtype=bool)
    for _ in range(8):
        now = filtered(scores, critiqued, data.item_aspects)
        assert not ruled_out(critiqued, data.item_aspects)[row, target].any()
        ranks.append((now > now[row, target][:, None]).sum(axis=1))
        item = best_allowed(now, ~shown)
        shown[row, item] = True
        pick = pick_aspect(
            "popular",
            critiquable(aspects[item], aspects[target], torch.from_numpy(critiqued < 0)),
            popularity=torch.from_numpy(data.aspect_popularity),
            shown_counts=counts[item],
            target_counts=counts[target],
            chance=torch.zeros((len(test), data.num_aspects)),
        )
        critiqued[pick.numpy()] = -1
    assert (np.diff(ranks, axis=0) <= 0).all(), "with constant scores, ranks never get worse"
    assert ranks[-1].mean() < 0.5 * ranks[0].mean()
