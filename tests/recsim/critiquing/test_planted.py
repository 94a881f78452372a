"""Planted reviews have the structure that their docstring describes."""

import numpy as np
import pytest
import torch

from recsim.critiquing import planted_reviews
from recsim.critiquing.seeker import critiquable, pick_aspect
from recsim.errors import EnvError


def test_every_user_reviews_distinct_items_one_of_them_for_test_and_one_for_valid():
    data = planted_reviews(users=30, num_items=40, num_aspects=6, reviews=5)
    assert (data.num_users, data.num_items, data.num_aspects, len(data)) == (30, 40, 6, 150)
    assert len(np.unique(data.user * 40 + data.item)) == 150
    for part, each in (("train", 3), ("valid", 1), ("test", 1)):
        assert (np.bincount(data.user[data.rows(part)]) == each).all()


def test_every_review_mentions_some_aspects_of_its_item():
    data = planted_reviews(seed=1)
    assert data.aspects.any(axis=1).all()
    everywhere = np.zeros((data.num_items, data.num_aspects), dtype=bool)
    np.logical_or.at(everywhere, data.item, data.aspects)
    share = everywhere.mean()
    assert 0.3 < share < 0.6
    # Users mention only some of the aspects of an item.
    assert data.aspects.sum(axis=1).mean() < 0.8 * everywhere[data.item].sum(axis=1).mean()


def test_train_reviews_predict_the_aspects_of_the_test_item():
    """The test item has more of the aspects that its user mentions than another item has."""
    data = planted_reviews(seed=2)
    test = data.rows("test")
    wrote = data.user_counts / data.user_counts.sum(axis=1, keepdims=True)
    own = (wrote[data.user[test]] * data.item_aspects[data.item[test]]).sum(axis=1)
    other = (wrote[data.user[test]] * data.item_aspects[np.roll(data.item[test], 1)]).sum(axis=1)
    difference = own - other
    assert difference.mean() > 5 * difference.std() / np.sqrt(len(test))


def test_users_mention_what_they_care_about():
    """Given their items, reviews of one user mention the same aspects more than by chance."""
    data = planted_reviews(seed=2)
    written = np.bincount(data.item, minlength=data.num_items)[:, None]
    share = np.zeros((data.num_items, data.num_aspects))
    np.add.at(share, data.item, data.aspects)
    beyond = data.aspects - (share / np.maximum(written, 1))[data.item]
    total, squares = np.zeros((2, data.num_users, data.num_aspects))
    np.add.at(total, data.user, beyond)
    np.add.at(squares, data.user, beyond**2)
    alike = (total**2 - squares).mean(axis=1)  # over all pairs of a user's reviews
    assert alike.mean() > 5 * alike.std() / np.sqrt(data.num_users)


def test_aspects_depend_on_the_latent_vectors_if_these_are_clear():
    """The first 8 singular values explain most of the aspects if clearness is high."""

    def explained(clearness):
        table = planted_reviews(clearness=clearness, reviews=30, seed=3).item_aspects
        values = np.linalg.svd(table - table.mean(axis=0), compute_uv=False) ** 2
        return values[:8].sum() / values.sum()

    assert explained(8.0) > explained(0.0) + 0.15


def success_rate(data, step, *, turns=10, dim=8):
    """Share of test items found by a linear model that moves users away from critiqued aspects.

    Users and items are a truncated SVD of the train part, the direction of an aspect is a least
    squares fit of the items that have it; ``step`` is relative to the mean length of user vectors.
    """
    test = data.rows("test")
    user, target, row = data.user[test], data.item[test], np.arange(len(test))
    taken = data.taken(np.arange(data.num_users)).astype(float)
    left, values, right = np.linalg.svd(taken - taken.mean(axis=0), full_matrices=False)
    users, items = left[:, :dim] * np.sqrt(values[:dim]), right[:dim].T * np.sqrt(values[:dim])
    centred = data.item_aspects - data.item_aspects.mean(axis=0)
    directions = np.linalg.lstsq(items, centred, rcond=None)[0].T  # (K, d)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    directions *= step * np.linalg.norm(users, axis=1).mean()

    now, shown, hit = users[user], data.taken(user), np.zeros(len(user), dtype=bool)
    done = torch.zeros((len(user), data.num_aspects), dtype=torch.bool)
    aspects, counts = torch.from_numpy(data.item_aspects), torch.from_numpy(data.item_counts)
    for _ in range(turns):
        item = np.where(shown, -np.inf, now @ items.T).argmax(axis=1)
        hit |= item == target
        shown[row, item] = True
        critique = pick_aspect(
            "popular",
            critiquable(aspects[item], aspects[target], done),
            popularity=torch.from_numpy(data.aspect_popularity),
            shown_counts=counts[item],
            target_counts=counts[target],
            chance=torch.zeros(done.shape),
        )
        done |= critique
        now = now - critique.numpy() @ directions
    return hit.mean()


def test_critiques_help_to_find_the_target_if_aspects_are_clear():
    def gain(clearness):
        many = [planted_reviews(clearness=clearness, seed=seed) for seed in range(3)]
        return np.mean([success_rate(data, 0.2) - success_rate(data, 0.0) for data in many])

    # The standard error of a share of 900 sessions is at most 0.017.
    assert gain(5.0) > 0.1
    assert gain(0.0) < 0.06


def test_the_seed_determines_everything():
    one, again, other = (planted_reviews(seed=seed) for seed in (5, 5, 6))
    for column in ("user", "item", "part", "aspects"):
        np.testing.assert_array_equal(getattr(one, column), getattr(again, column))
    assert (one.item != other.item).any()
    assert (one.aspects != other.aspects).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"users": 0}, "at least 1 user"),
        ({"num_aspects": 0}, "1 aspect"),
        ({"reviews": 2}, "reviews is 2; it must be from 3"),
        ({"num_items": 10}, "reviews is 15; it must be from 3 to num_items = 10"),
        ({"strength": -1.0}, r"strength -1\.0"),
        ({"density": 1.0}, r"density 1\.0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_wrong_numbers_are_refused(settings, message):
    with pytest.raises(EnvError, match=message):
        planted_reviews(**settings)
