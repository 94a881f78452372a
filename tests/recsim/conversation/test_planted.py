"""Planted data, and slates of what may be shown."""

from dataclasses import replace

import numpy as np
import pytest

from recsim.conversation import ConversationProblem, planted_codes, planted_tastes, read_attributes
from recsim.conversation.ranking import best_allowed, first_allowed, fitting, unshown
from recsim.errors import UserError


def test_codes_tell_groups_apart():
    data = planted_codes(bits=3, group_size=4, users=10, interactions=5, useless=2)
    assert data.num_items == 32
    codes = data.item_attributes[:, :3] @ [1, 2, 4]
    np.testing.assert_array_equal(codes, np.repeat(np.arange(8), 4))
    assert data.item_attributes[:, 3:].all()
    assert data.user_attributes.all()
    assert not planted_codes(caring=False).user_attributes.any()
    pairs = data.user * 100 + data.item
    assert len(np.unique(pairs)) == len(pairs) == 50
    assert [len(np.unique(data.user[data.rows(p)])) for p in ("train", "valid", "test")] == [
        8,
        1,
        1,
    ]


def test_users_take_what_they_care_for():
    data = planted_tastes(seed=3)
    shared = data.answers(np.arange(len(data))).sum(axis=1)
    chance = data.user_attributes.astype(int) @ data.item_attributes.T.astype(int)
    assert shared.mean() > 1.5 * chance.mean()
    assert data.item_attributes.any(axis=1).all()
    assert (data.user_attributes.sum(axis=1) == 7).all()
    again = planted_tastes(seed=3)
    np.testing.assert_array_equal(data.item, again.item)
    assert (data.item != planted_tastes(seed=4).item).any()


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (planted_codes, {"bits": 0}),
        (planted_codes, {"users": 9}),
        (planted_codes, {"bits": 1, "group_size": 2, "interactions": 5}),
        (planted_tastes, {"num_items": 5, "interactions": 6}),
        (planted_tastes, {"num_attributes": 3}),
        (planted_tastes, {"users": 2}),
    ],
)
def test_numbers_that_do_not_fit_are_refused(make, settings):
    with pytest.raises(UserError):
        make(**settings)


def test_what_was_shown_is_not_free():
    free = unshown(np.array([[0, 2, -1], [-1, -1, -1]]), 4)
    assert free.tolist() == [[False, True, False, True], [True] * 4]


def test_a_no_rules_out_only_where_it_tells(data_dir):
    data = read_attributes(data_dir / "factcrs_lastfm")
    rows = data.rows("test")[:500]
    answers = np.where(data.answers(rows), 1, 2).astype(np.int8)
    problem = ConversationProblem(
        num_items=data.num_items,
        num_attributes=data.num_attributes,
        slate_size=10,
        max_turns=10,
        item_attributes=data.item_attributes,
        attribute_names=data.attribute_names,
        item_names=data.item_names,
    )
    place = np.arange(500), data.item[rows]
    assert fitting(problem, answers)[place].all(), "a yes never rules out the target"
    alone = replace(problem, no_filters=True)
    assert not fitting(alone, answers)[place].all(), "a no of who does not care would"
    with pytest.raises(UserError, match="a no does not rule out items here"):
        fitting(problem, answers, by_no=True)


def test_the_first_allowed_of_a_ranking():
    allowed = np.array([[True, False, True, True], [False, False, True, False]])
    order = np.array([1, 3, 0, 2])
    assert first_allowed(order, allowed, 2).tolist() == [[3, 0], [2, -1]]


def test_the_first_allowed_may_stand_far_down_the_ranking():
    rng = np.random.default_rng(0)
    allowed = rng.random((40, 5000)) < 0.004
    order = rng.permutation(5000)
    found = first_allowed(order, allowed, 7)
    for row, slate in zip(allowed, found, strict=True):
        expected = [item for item in order.tolist() if row[item]][:7]
        assert slate.tolist() == expected + [-1] * (7 - len(expected))


def test_the_best_allowed_by_scores_of_their_own():
    scores = np.array([[1.0, 3.0, 3.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    allowed = np.array([[True, True, True, False], [False, True, True, True]])
    assert best_allowed(scores, allowed, 2).tolist() == [[1, 2], [1, 2]]
    assert best_allowed(scores, allowed, 4).tolist() == [[1, 2, 0, -1], [1, 2, 3, -1]]
    assert best_allowed(scores, ~allowed, 5).tolist() == [[3, -1, -1, -1, -1], [0, -1, -1, -1, -1]]
