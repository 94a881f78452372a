"""Latent linear critiquing: coefficients and scores by hand, and against a solver."""

import numpy as np
import pytest
from scipy.optimize import linprog

from agents.critiquing.llc import criticised_scores, objective, split

HAVE = np.array([[1, 0], [0, 1], [0, 0], [1, 1]], dtype=bool)
SCORES = np.array([[4.0, 3.0, 2.0, 1.0]])
EFFECTS = np.array([[1.0, 0.0], [0.5, 2.0], [0.0, 0.0], [2.0, 1.0]])  # W = V A, (I, K)
NONE = np.zeros(4)


def both(critiqued, top=4, allowed=(True,) * 4):
    return split(SCORES, np.array([allowed]), np.array([critiqued]), HAVE, top)


def test_the_best_items_are_split_by_what_was_criticised():
    assert [part.astype(int).tolist() for part in both([-1, 0])] == [[[1, 0, 0, 1]], [[0, 1, 1, 0]]]
    assert [part.astype(int).tolist() for part in both([-1, 0], top=3)] == [
        [[1, 0, 0, 0]],
        [[0, 1, 1, 0]],
    ]
    # Item 0 was shown: the next best takes its place.
    assert [part.astype(int).tolist() for part in both([-1, 0], 3, (False, True, True, True))] == [
        [[0, 0, 0, 1]],
        [[0, 1, 1, 0]],
    ]
    # Praise does not offend, and more than all items cannot be looked at.
    assert both([1, 0], top=9)[0].sum() == 0


def test_coefficients_by_hand():
    offending, others = both([-1, 0])
    # 2 * (1 + 2) - 2 * (0.5 + 0) = 5 for aspect 0; 2 * (0 + 1) - 2 * (2 + 0) = -2 for aspect 1.
    assert objective(EFFECTS, offending, others).tolist() == [[5, -2]]
    # 2 * (4 + 1) - 2 * (3 + 2) = 0 for the scores themselves.
    assert objective(SCORES[:, :, None], offending, others).tolist() == [[0]]


def test_bounded_weights_go_as_far_as_they_may():
    offending, others = both([-1, 0])
    critiques = np.array([[-3.0, 0.0]])
    found = criticised_scores("bounded", SCORES, critiques, EFFECTS, NONE + 0.25, offending, others)
    # The coefficient is -3 * 5 < 0, so the weight is 100: y0 - 300 W_0 + b.
    assert found.tolist() == [[4 - 300 + 0.25, 3 - 150 + 0.25, 2.25, 1 - 600 + 0.25]]
    near = criticised_scores("bounded", SCORES, critiques, EFFECTS, NONE, offending, others, 2.0)
    assert near.tolist() == [[4 - 6, 3 - 3, 2, 1 - 12]]


def test_an_aspect_whose_vector_points_the_wrong_way_is_turned_round():
    offending, others = both([0, -1])
    assert objective(EFFECTS, offending, others)[0, 1] == 2 * 3 - 2 * 0
    turned = criticised_scores(
        "bounded", SCORES, np.array([[0.0, -1.0]]), -EFFECTS, NONE, offending, others
    )
    straight = criticised_scores(
        "bounded", SCORES, np.array([[0.0, -1.0]]), EFFECTS, NONE, offending, others
    )
    np.testing.assert_array_equal(turned, straight)


def test_weights_that_sum_to_one_leave_the_user_or_one_critique():
    offending, others = both([-1, 0])
    critiques = np.array([[-3.0, 0.0]])
    found = criticised_scores("sum_to_one", SCORES, critiques, EFFECTS, NONE, offending, others)
    # Coefficients 0 of the scores and -15 of the critique: all weight on the critique.
    assert found.tolist() == (-3 * EFFECTS[:, 0])[None].tolist()
    wrong = criticised_scores("sum_to_one", SCORES, critiques, -EFFECTS, NONE, offending, others)
    assert wrong.tolist() == SCORES.tolist()


@pytest.mark.parametrize("method", ["bounded", "sum_to_one"])
def test_where_nothing_was_criticised_nothing_changes(method):
    offending, others = both([0, 0])
    found = criticised_scores(
        method, SCORES, np.zeros((1, 2)), EFFECTS, NONE + 1, offending, others
    )
    np.testing.assert_array_equal(found, SCORES)


@pytest.mark.parametrize("method", ["bounded", "sum_to_one"])
def test_where_all_or_none_of_the_best_offend_only_the_intercept_is_added(method):
    for critiqued, having in (([-1, 0], np.ones_like(HAVE)), ([-1, 0], np.zeros_like(HAVE))):
        parts = split(SCORES, np.ones((1, 4), dtype=bool), np.array([critiqued]), having, 4)
        critiques = np.array([critiqued], dtype=float)
        found = criticised_scores(method, SCORES, critiques, EFFECTS, NONE + 0.5, *parts)
        np.testing.assert_array_equal(found, SCORES + 0.5)


def test_closed_forms_are_what_a_solver_finds():
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
        found = criticised_scores(method, scores, critiques, effects, np.zeros(items), *parts)
        for row in range(sessions):
            heard = np.flatnonzero(critiqued[row])
            if not len(heard):
                continue
            moved = critiques[row, heard] * effects[:, heard]  # (I, n)
            if method == "bounded":
                solved = linprog(cost[row, heard], bounds=[(-100, 100)] * len(heard))
                expected = scores[row] + moved @ solved.x
            else:
                costs = np.append(own[row], cost[row, heard])
                solved = linprog(costs, A_eq=np.ones((1, len(costs))), b_eq=[1], bounds=(0, None))
                expected = solved.x[0] * scores[row] + moved @ solved.x[1:]
            np.testing.assert_allclose(found[row], expected, atol=1e-8)
