import itertools

import numpy as np
import pytest

from recsim.estimators.impressions.training_rows import TrainingRows


def taken(rows, *, seed=0, pieces=(0, 60), sizes=(40, 10, 10)):
    """Return training rows of 60 impressions, numbered from 0, in folds of the given sizes."""
    folds = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    names = np.arange(len(folds))
    training = TrainingRows(len(sizes), 4, rows, seed)
    for start, end in itertools.pairwise(pieces):
        part = slice(start, end)
        training.add(folds[part], names[part] % 4, names[part] / 10, names[part])
    return training, folds


@pytest.mark.parametrize("rows", [1, 7, 20, 1000])
def test_a_sample_is_of_the_other_folds_and_in_order(rows):
    training, folds = taken(rows)
    for fold in range(3):
        items, rewards, names = training.outside(fold)
        assert len(names) == min(rows, (folds != fold).sum())
        assert (folds[names] != fold).all()
        assert (np.diff(names) > 0).all()
        np.testing.assert_array_equal(items, names % 4)
        np.testing.assert_array_equal(rewards, names / 10)


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_the_sample_does_not_depend_on_the_pieces(rows):
    whole, _ = taken(rows)
    cut, _ = taken(rows, pieces=(0, 1, 1, 30, 33, 60))
    for fold in range(3):
        for ours, theirs in zip(cut.outside(fold), whole.outside(fold), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_allclose(cut.item_means(fold, 2.0), whole.item_means(fold, 2.0))


def test_every_impression_outside_the_fold_has_the_same_probability():
    draws, rows = 2000, 5
    pieces = (*range(0, 60, 3), 60)  # so that many rows are discarded meanwhile
    counts = np.zeros(60)
    for seed in range(draws):
        training, folds = taken(rows, seed=seed, pieces=pieces)
        counts[training.outside(1)[2]] += 1
    chance = rows / (folds != 1).sum()
    assert (counts[folds == 1] == 0).all()
    error = np.sqrt(draws * chance * (1 - chance))
    assert np.abs(counts[folds != 1] - draws * chance).max() < 4.5 * error


def test_means_use_all_impressions_and_memory_is_bounded():
    training, folds = taken(2, pieces=(*range(0, 60, 2), 60))
    assert max(sum(len(piece[0]) for piece in kept) for kept in training._kept) <= 4
    names = np.arange(60)
    others = folds != 0
    rewards, items = names[others] / 10, names[others] % 4
    expected = [
        (rewards[items == item].sum() + 3 * rewards.mean()) / ((items == item).sum() + 3)
        for item in range(4)
    ]
    np.testing.assert_allclose(training.item_means(0, 3.0), expected)
