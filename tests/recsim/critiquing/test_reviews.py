"""Reviews, their splits, and counts of their train part."""

from dataclasses import replace

import numpy as np
import pytest

from recsim.conversation import planted_tastes
from recsim.critiquing import AspectReviews, from_attributes
from recsim.critiquing.raw_reviews import split_per_user
from recsim.errors import LogError

TRAIN, VALID, TEST = 0, 1, 2


@pytest.fixture
def reviews():
    """Two users, four items, three aspects; item 3 has no train review."""
    rows = [
        # user, item, part, aspects
        (1, 0, TRAIN, [0, 2]),
        (0, 0, TRAIN, [0]),
        (0, 2, TRAIN, [1, 0]),
        (0, 3, TEST, [2]),
        (1, 2, VALID, [2]),
        (1, 1, TRAIN, []),
        (1, 3, TEST, [1, 2]),
    ]
    aspects = np.zeros((len(rows), 3), dtype=bool)
    for row, (*_, mentioned) in enumerate(rows):
        aspects[row, mentioned] = True
    user, item, part = np.array([row[:3] for row in rows]).T
    return AspectReviews(
        user=user,
        item=item,
        part=part.astype(np.int8),
        aspects=aspects,
        aspect_names=("roast", "sour", "sweet"),
        item_names=("ale", "bock", "cider", "dubbel"),
        user_names=("ann", "bob"),
    )


def test_sizes(reviews):
    assert (len(reviews), reviews.num_users, reviews.num_items, reviews.num_aspects) == (7, 2, 4, 3)


def test_train_reviews_are_counted_by_hand(reviews):
    assert reviews.user_counts.tolist() == [[2, 1, 0], [1, 0, 1]]
    assert reviews.item_counts.tolist() == [[2, 0, 1], [0, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert reviews.item_aspects.astype(int).tolist() == [[1, 0, 1], [0, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert reviews.aspect_popularity.tolist() == [3, 1, 1]
    assert reviews.item_popularity.tolist() == [2, 1, 1, 0]


def test_held_out_reviews_are_not_counted(reviews):
    """The aspects of held-out reviews have no effect on the counts."""
    changed = reviews.aspects.copy()
    changed[reviews.part != TRAIN] = ~changed[reviews.part != TRAIN]
    other = replace(reviews, aspects=changed)
    for table in ("user_counts", "item_counts", "aspect_popularity", "item_popularity"):
        np.testing.assert_array_equal(getattr(other, table), getattr(reviews, table))


def test_items_that_users_reviewed_in_a_part(reviews):
    users = np.array([1, -1, 0, 1])
    taken = reviews.taken(users)
    assert taken.astype(int).tolist() == [[1, 1, 0, 0], [0] * 4, [1, 0, 1, 0], [1, 1, 0, 0]]
    assert reviews.taken(users, "valid").astype(int).tolist() == [
        [0, 0, 1, 0],
        [0] * 4,
        [0] * 4,
        [0, 0, 1, 0],
    ]
    assert reviews.taken(np.array([], dtype=np.int64)).shape == (0, 4)


def test_a_part_keeps_users_items_and_aspects(reviews):
    held_out = reviews.select("test", "valid")
    assert held_out.item.tolist() == [3, 2, 3]
    assert (held_out.num_users, held_out.num_items, held_out.num_aspects) == (2, 4, 3)
    assert held_out.item_counts.sum() == 0, "it has no train reviews"
    with pytest.raises(LogError, match=r"no part 'tests'\. Did you mean 'test'"):
        reviews.rows("tests")


def test_each_user_has_one_review_for_test_and_one_for_valid():
    user = np.repeat(np.arange(5), [1, 2, 3, 4, 50])
    part = split_per_user(user, seed=0)
    counts = [np.bincount(part[user == of], minlength=3).tolist() for of in range(5)]
    assert counts == [[1, 0, 0], [1, 0, 1], [1, 1, 1], [2, 1, 1], [48, 1, 1]]


def test_the_split_is_uniform_and_depends_on_the_seed():
    user = np.tile(np.arange(2000), 5)
    part = split_per_user(user, seed=1)
    np.testing.assert_array_equal(part, split_per_user(user, seed=1))
    assert (part != split_per_user(user, seed=2)).any()
    for held_out in (VALID, TEST):
        by_place = np.bincount(np.flatnonzero(part == held_out) // 2000, minlength=5)
        assert (np.abs(by_place - 400) < 5 * np.sqrt(2000 * 0.2 * 0.8)).all()


def test_interactions_become_reviews_that_mention_all_attributes():
    data = planted_tastes(num_items=60, users=20, interactions=8, seed=0)
    reviews = from_attributes(data, seed=3)
    assert reviews.num_users == 20
    assert reviews.num_items == len(np.unique(data.item))
    number = {name: item for item, name in enumerate(data.item_names)}
    items = np.array([number[reviews.item_names[item]] for item in reviews.item])
    np.testing.assert_array_equal(reviews.aspects, data.item_attributes[items])
    assert reviews.user_names == data.user_names
    for part, each in (("train", 6), ("valid", 1), ("test", 1)):
        assert (np.bincount(reviews.user[reviews.rows(part)]) == each).all()
    np.testing.assert_array_equal(reviews.part, from_attributes(data, seed=3).part)
    assert (reviews.part != from_attributes(data, seed=4).part).any()
