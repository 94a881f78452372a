"""Ranks and their metrics by hand: four items, one tie, one seen."""

import math

import numpy as np
import pytest

from recsim.metrics.ranking import (
    hits_of_rank,
    mid_ranks,
    ndcg_of_rank,
    reciprocal_rank,
    slate_ranks,
)

SCORES = np.array([[0.9, 0.5, 0.5, 0.1]] * 4)
NONE = np.zeros((4, 4), dtype=bool)


def test_a_tie_gets_the_middle_of_its_ranks():
    assert mid_ranks(SCORES, np.arange(4), NONE).tolist() == [1, 2.5, 2.5, 4]
    assert mid_ranks(np.zeros((1, 5)), np.array([3]), np.zeros((1, 5), bool)).tolist() == [3]


def test_items_seen_take_no_rank_and_the_target_always_does():
    seen = NONE.copy()
    seen[:, 0] = True
    assert mid_ranks(SCORES, np.arange(4), seen).tolist() == [1, 1.5, 1.5, 3]
    seen[:, 1] = True
    assert mid_ranks(SCORES, np.arange(4), seen).tolist() == [1, 1.5, 1, 2]
    assert seen[:, :2].all()  # the argument is not changed


def test_scores_of_minus_infinity_are_ranked_last_and_tie():
    scores = np.array([[-np.inf, 1.0, -np.inf, 0.0]])
    seen = np.zeros((1, 4), dtype=bool)
    assert mid_ranks(scores, np.array([0]), seen).tolist() == [3.5]
    seen[0, 2] = True
    assert mid_ranks(scores, np.array([0]), seen).tolist() == [3]


def test_nan_is_refused():
    with pytest.raises(ValueError, match="a score is NaN"):
        mid_ranks(np.array([[0.0, np.nan]]), np.array([0]), np.zeros((1, 2), dtype=bool))


def test_places_in_a_slate():
    slates = np.array([[2, 0, 3, -1]] * 4)
    target = np.array([2, 0, 3, 1])
    assert slate_ranks(slates, target, NONE).tolist() == [1, 2, 3, math.inf]
    seen = NONE.copy()
    seen[:, 2] = True
    assert slate_ranks(slates, target, seen).tolist() == [1, 1, 2, math.inf]


def test_metrics_of_ranks():
    rank = np.array([1, 2.5, 3, math.inf])
    assert hits_of_rank(rank, 2).tolist() == [1, 0, 0, 0]
    assert hits_of_rank(rank, 3).tolist() == [1, 1, 1, 0]
    np.testing.assert_allclose(ndcg_of_rank(rank, 3), [1, 1 / math.log2(3.5), 0.5, 0])
    np.testing.assert_allclose(reciprocal_rank(rank), [1, 0.4, 1 / 3, 0])
