"""Latent linear critiquing: coefficients and scores by hand, and compared with a solver."""

import numpy as np
import pytest
from scipy.optimize import linprog

from agents.critiquing.llc import critiqued_scores, objective, split

HAVE = np.array([[1, 0], [0, 1], [0, 0], [1, 1]], dtype=bool)
SCORES = np.array([[4.0, 3.0, 2.0, 1.0]])
EFFECTS = np.array([[1.0, 0.0], [0.5, 2.0], [0.0, 0.0], [2.0, 1.0]])  # W = V A, (I, K)
NONE = np.zeros(4)


def both(critiqued, top=4, allowed=(True,) * 4):
    return split(SCORES, np.array([allowed]), np.array([critiqued]), HAVE, top)


def test_the_best_items_are_split_by_the_critiqued_aspects():
    assert [part.astype(int).tolist() for part in both([-1, 0])] == [[[1, 0, 0, 1]], [[0, 1, 1, 0]]]
    assert [part.astype(int).tolist() for part in both([-1, 0], top=3)] == [
        [[1, 0, 0, 0]],
        [[0, 1, 1, 0]],
    ]
    # Item 0 was shown, so the next best item is among the best.
    assert [part.astype(int).tolist() for part in both([-1, 0], 3, (False, True, True, True))] == [
        [[0, 0, 0, 1]],
        [[0, 1, 1, 0]],
    ]
    # Positive critiques rule out no item; `top` can exceed the number of items.
    assert both([1, 0], top=9)[0].sum() == 0


def test_coefficients_by_hand():
    violating, others = both([-1, 0])
    # 2 * (1 + 2) - 2 * (0.5 + 0) = 5 for aspect 0; 2 * (0 + 1) - 2 * (2 + 0) = -2 for aspect 1.
    assert objective(EFFECTS, violating, others).tolist() == [[5, -2]]
    # 2 * (4 + 1) - 2 * (3 + 2) = 0 for the scores themselves.
    assert objective(SCORES[:, :, None], violating, others).tolist() == [[0]]


def test_bounded_weights_are_at_the_bound():
    violating, others = both([-1, 0])
    critiques = np.array([[-3.0, 0.0]])
    result = critiqued_scores("bounded", SCORES, critiques, EFFECTS, NONE + 0.25, violating, others)
    # The coefficient is -3 * 5 < 0, so the weight is 100: y0 - 300 W_0 + b.
    assert result.tolist() == [[4 - 300 + 0.25, 3 - 150 + 0.25, 2.25, 1 - 600 + 0.25]]
    near = critiqued_scores("bounded", SCORES, critiques, EFFECTS, NONE, violating, others, 2.0)
    assert near.tolist() == [[4 - 6, 3 - 3, 2, 1 - 12]]


def test_the_weight_of_an_aspect_with_a_reversed_vector_is_reversed():
    violating, others = both([0, -1])
    assert objective(EFFECTS, violating, others)[0, 1] == 2 * 3 - 2 * 0
    reversed_ = critiqued_scores(
        "bounded", SCORES, np.array([[0.0, -1.0]]), -EFFECTS, NONE, violating, others
    )
    original = critiqued_scores(
        "bounded", SCORES, np.array([[0.0, -1.0]]), EFFECTS, NONE, violating, others
    )
    np.testing.assert_array_equal(reversed_, original)


def test_weights_that_sum_to_one_are_all_on_the_user_or_one_critique():
    violating, others = both([-1, 0])
    critiques = np.array([[-3.0, 0.0]])
    result = critiqued_scores("sum_to_one", SCORES, critiques, EFFECTS, NONE, violating, others)
    # Coefficients 0 of the scores and -15 of the critique: all weight on the critique.
    assert result.tolist() == (-3 * EFFECTS[:, 0])[None].tolist()
    wrong = critiqued_scores("sum_to_one", SCORES, critiques, -EFFECTS, NONE, violating, others)
    assert wrong.tolist() == SCORES.tolist()


@pytest.mark.parametrize("method", ["bounded", "sum_to_one"])
def test_without_critiques_nothing_changes(method):
    violating, others = both([0, 0])
    result = critiqued_scores(
        method, SCORES, np.zeros((1, 2)), EFFECTS, NONE + 1, violating, others
    )
    np.testing.assert_array_equal(result, SCORES)


@pytest.mark.parametrize("method", ["bounded", "sum_to_one"])
def test_if_all_or_none_of_the_best_have_the_aspect_only_the_intercept_is_added(method):
    for critiqued, having in (([-1, 0], np.ones_like(HAVE)), ([-1, 0], np.zeros_like(HAVE))):
        parts = split(SCORES, np.ones((1, 4), dtype=bool), np.array([critiqued]), having, 4)
        critiques = np.array([critiqued], dtype=float)
        result = critiqued_scores(method, SCORES, critiques, EFFECTS, NONE + 0.5, *parts)
        np.testing.assert_array_equal(result, SCORES + 0.5)


def test_closed_forms_agree_with_a_solver():
    rng = np.random.default_rng(0)
    items, aspects, sessions = 30, 5, 8
    effects, scores = rng.normal(size=(items, aspects)), rng.normal(size=(sessions, items))
    having = rng.random((items, aspects)) < 0.3
    critiqued = -(rng.random((sessions, aspects)) < 0.5).astype(int)
    critiques = critiqued * rng.integers(1, 4, critiqued.shape).astype(float)
    parts = split(scores, np.ones(scores.shape, dtype=bool), critiqued, having, 20)
    cost = critiques * objective(effects, *parts)
    own = objective(scores[:, :, None], *parts)[:, 0]
    for method in ("bounded", "sum_to_one"):
        result = critiqued_scores(method, scores, critiques, effects, np.zeros(items), *parts)
        for row in range(sessions):
            aspects = np.flatnonzero(critiqued[row])
            if not len(aspects):
                continue
            moved = critiques[row, aspects] * effects[:, aspects]  # (I, n)
            if method == "bounded":
                solved = linprog(cost[row, aspects], bounds=[(-100, 100)] * len(aspects))
                expected = scores[row] + moved @ solved.x
            else:
                costs = np.append(own[row], cost[row, aspects])
                solved = linprog(costs, A_eq=np.ones((1, len(costs))), b_eq=[1], bounds=(0, None))
                expected = solved.x[0] * scores[row] + moved @ solved.x[1:]
            np.testing.assert_allclose(result[row], expected, atol=1e-8)
