"""Planted data, and slates of items that may still be shown."""

from dataclasses import replace

import numpy as np
import pytest

from recsim.conversation import ConversationProblem, planted_codes, planted_tastes, read_attributes
from recsim.conversation.ranking import best_allowed, consistent, first_allowed, unshown
from recsim.errors import AgentError, EnvError


def test_codes_identify_groups():
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


def test_users_prefer_items_with_attributes_that_they_care_about():
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
def test_wrong_numbers_are_refused(make, settings):
    with pytest.raises(EnvError):
        make(**settings)


def test_items_that_were_shown_are_left_out():
    free = unshown(np.array([[0, 2, -1], [-1, -1, -1]]), 4)
    assert free.tolist() == [[False, True, False, True], [True] * 4]


def test_a_no_rules_out_items_only_if_it_implies_something(data_dir):
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
    assert consistent(problem, answers)[place].all(), "a yes never rules out the target"
    filtered = replace(problem, no_filters=True)
    assert not consistent(filtered, answers)[place].all(), (
        "a no to an attribute of the target would"
    )
    with pytest.raises(AgentError, match="cannot be filtered by a no"):
        consistent(problem, answers, by_no=True)


def test_the_first_allowed_items_of_a_ranking():
    allowed = np.array([[True, False, True, True], [False, False, True, False]])
    order = np.array([1, 3, 0, 2])
    assert first_allowed(order, allowed, 2).tolist() == [[3, 0], [2, -1]]


def test_the_first_allowed_items_may_be_far_down_the_ranking():
    rng = np.random.default_rng(0)
    allowed = rng.random((40, 5000)) < 0.004
    order = rng.permutation(5000)
    slates = first_allowed(order, allowed, 7)
    for row, slate in zip(allowed, slates, strict=True):
        expected = [item for item in order.tolist() if row[item]][:7]
        assert slate.tolist() == expected + [-1] * (7 - len(expected))


def test_the_allowed_items_with_the_highest_scores():
    scores = np.array([[1.0, 3.0, 3.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    allowed = np.array([[True, True, True, False], [False, True, True, True]])
    assert best_allowed(scores, allowed, 2).tolist() == [[1, 2], [1, 2]]
    assert best_allowed(scores, allowed, 4).tolist() == [[1, 2, 0, -1], [1, 2, 3, -1]]
    assert best_allowed(scores, ~allowed, 5).tolist() == [[3, -1, -1, -1, -1], [0, -1, -1, -1, -1]]
