"""Metrics of critiquing, by hand: sessions are given by the rank of the goal at every turn."""

import numpy as np
import pytest

from recsim.metrics import critiquing as C

SUCCESS = [3, 1, 0]
FAILURE = [12, 4, 6, 8, 9, 9, 9, 9, 9, 9]


def matrix(*sessions, turns=10):
    return np.array([[*ranks, *[-1] * (turns - len(ranks))] for ranks in sessions])


BOTH = matrix(SUCCESS, FAILURE)


@pytest.mark.parametrize(
    ("function", "n", "values"),
    [
        (C.sr_final, 1, [1, 0]),
        (C.sr_final, 5, [1, 0]),
        (C.sr_final, 10, [1, 1]),
        (C.sr_first, 1, [1, 0]),
        (C.sr_first, 5, [1, 1]),
        (C.first_turn, 1, [3, 0]),
        (C.first_turn, 5, [1, 2]),
        (C.turns_until, 1, [3, 10]),
        (C.turns_until, 5, [1, 2]),
    ],
)
def test_by_hand(function, n, values):
    assert function(BOTH, n).tolist() == values


def test_later_success_counts_less():
    np.testing.assert_allclose(C.discounted(BOTH), [0.9**3, 0])


def test_a_session_that_ends_early_has_failed():
    left = matrix([5, 3])
    assert C.sr_final(left, 1).tolist() == [0]
    assert C.turns_until(left).tolist() == [10]
    assert C.carried(left).tolist() == [[5] + [3] * 9]


def test_without_critiques():
    base = C.without_critiques(np.array([3, 12]), 10)
    assert base[0].tolist() == [3, 2, 1, 0, *[-1] * 6]
    assert base[1].tolist() == [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]
    for n in (1, 2, 5, 10, 20):
        assert C.sr_final(base, n).tolist() == C.sr_first(base, n).tolist()
        assert C.sr_final(base, n).tolist() == [1, n + 9 > 12]


def test_malformed_ranks_are_refused():
    for ranks in ([[-1, 2]], [[3, -1, 2]]):
        with pytest.raises(ValueError, match="at least one per session"):
            C.sr_final(np.array(ranks), 1)


def test_rankings_with_one_relevant_item():
    values = C.ranking_of_one(np.array([0, 4]), np.array([5, 5]), (1, 5))
    assert values["auc"].tolist() == [1, 0]
    assert values["mrr"].tolist() == [1, 0.2]
    assert values["hr@1"].tolist() == [1, 0]
    assert values["hr@5"].tolist() == [1, 1]
    np.testing.assert_allclose(values["ndcg@5"], [1, 1 / np.log2(6)])
    assert values["ndcg@1"].tolist() == [1, 0]


def test_justifications():
    shown = np.array([[1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=bool)
    wanted = np.array([[1, 0, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]], dtype=bool)
    precision, recall, f1 = C.justification_scores(shown, wanted)
    np.testing.assert_allclose(precision, [1 / 2, 0, np.nan, 0])
    np.testing.assert_allclose(recall, [1 / 3, 0, np.nan, 0])
    np.testing.assert_allclose(f1, [2 / 5, 0, np.nan, 0])


def test_ranked_aspects():
    scores = np.array([[4.0, 3, 2, 1], [1, 2, 3, 4]])
    wanted = np.array([[1, 0, 1, 0], [0, 0, 0, 0]], dtype=bool)
    values = C.aspect_ranking(scores, wanted, 3)
    assert values["precision@3"] == pytest.approx(2 / 3)
    assert values["recall@3"] == 1
    assert values["map@3"] == pytest.approx((1 + 2 / 3) / 2)
    assert values["ndcg@3"] == pytest.approx((1 + 1 / 2) / (1 + 1 / np.log2(3)))
    assert C.aspect_ranking(scores, wanted, 1)["precision@1"] == 1


def test_falling_map_is_a_mean_over_all_places():
    """Items 0 and 2 have the aspect; they fall from places 1 and 3 to places 2 and 4.

    Shares up to places 1, 2, 3, 4 are 1, 1/2, 2/3, 1/2 before, and 0, 1/2, 1/3, 1/2 after; average
    precision would be (1 + 2/3) / 2 and (1/2 + 1/2) / 2.
    """
    before, after = np.array([[4.0, 3, 2, 1]]), np.array([[3.0, 4, 1, 2]])
    having = np.array([[True, False, True, False]])
    for n, fall in ((1, 1), (2, 1 / 2), (3, (1 + 1 / 3) / 3), (4, 1 / 3), (9, 1 / 3)):
        np.testing.assert_allclose(C.falling_map(before, after, having, n), [fall])
        np.testing.assert_allclose(C.falling_map(after, before, having, n), [-fall])
    assert C.falling_map(before, before, having, 3).tolist() == [0]
