"""The hard filter, by hand and against seekers."""

import numpy as np
import pytest
import torch

from agents.critiquing.filtering import best_allowed, filtered, ruled_out
from recsim.critiquing import planted_reviews
from recsim.critiquing.seeker import critiquable, pick_aspect

HAVE = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 1]], dtype=bool)


def test_an_item_that_has_a_criticised_aspect_is_ruled_out():
    critiqued = np.array([[0, 0, 0], [-1, 0, 0], [1, -1, 0], [-1, -1, 1]], dtype=np.int8)
    assert ruled_out(critiqued, HAVE).astype(int).tolist() == [
        [0, 0, 0, 0],
        [1, 0, 0, 1],
        [0, 1, 0, 1],
        [1, 1, 0, 1],
    ]


def test_what_is_ruled_out_falls_below_the_rest_in_its_own_order():
    scores = np.array([[3.0, 1.0, 0.0, 2.0]], dtype=np.float32)
    found = filtered(scores, np.array([[-1, 0, 0]]), HAVE)
    assert found.tolist() == [[-3.0, 1.0, 0.0, -4.0]]
    assert np.argsort(-found[0]).tolist() == [1, 2, 0, 3]
    np.testing.assert_array_equal(filtered(scores, np.zeros((1, 3)), HAVE), scores)


@pytest.mark.parametrize("level", [0.0, 1e-9, 1e9])
def test_scores_that_hardly_differ_fall_too(level):
    scores = np.array([[level, 0.0, 0.0, level]])
    found = filtered(scores, np.array([[-1, 0, 0]]), HAVE)
    assert np.isfinite(found).all()
    assert found[0, [0, 3]].max() < found[0, [1, 2]].min()


def test_where_nothing_else_may_be_shown_there_is_no_filter():
    scores = np.array([[1.0, 5.0, 4.0, 2.0]])
    found = filtered(scores, np.array([[-1, 0, 0]]), HAVE)
    assert best_allowed(found, np.array([[1, 1, 1, 1]])).tolist() == [1]
    assert best_allowed(found, np.array([[1, 0, 0, 1]])).tolist() == [3]


def test_of_equals_the_first_is_shown():
    scores = np.array([[1.0, 2.0, 2.0], [1.0, 2.0, 2.0]])
    assert best_allowed(scores, np.array([[1, 1, 1], [1, 0, 1]])).tolist() == [1, 2]


def test_a_seeker_who_does_not_err_never_loses_the_target():
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
    assert (np.diff(ranks, axis=0) <= 0).all(), "with the scores held fixed, ranks never rise"
    assert ranks[-1].mean() < 0.5 * ranks[0].mean()
