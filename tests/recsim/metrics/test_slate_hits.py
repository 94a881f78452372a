"""Hits of generated slates: repeats and padding never count, and the width never matters."""

import numpy as np
import pytest

from recsim import metrics

CORRECT, OTHERS = [3, 1, 7], list(range(100, 117))


def values(generated, targets, k=20):
    """Every metric of one slate."""
    generated, targets = np.array([generated]), np.array([targets])
    return {
        "precision": metrics.precision_at(generated, targets, k)[0],
        "recall": metrics.recall(generated, targets)[0],
        "hit_rate": metrics.hit_rate_at(generated, targets, k)[0],
        "ndcg": metrics.ndcg_at(generated, targets, k)[0],
        "bleu": metrics.clipped_unigram_precision(generated, targets)[0],
        "click_precision": metrics.click_precision(generated, targets)[0],
    }


def test_a_target_repeated_twenty_times_is_one_hit():
    assert values([3] * 20, CORRECT) == pytest.approx(
        {
            "precision": 1 / 20,
            "recall": 1 / 3,
            "hit_rate": 1.0,
            "ndcg": 1 / (1 + 1 / np.log2(3) + 1 / 2),
            "bleu": 1 / 20,
            "click_precision": 1 / 20,
        },
        rel=1e-12,
    )


def test_all_targets_and_then_other_items():
    assert values(CORRECT + OTHERS, CORRECT) == pytest.approx(
        {
            "precision": 3 / 20,
            "recall": 1.0,
            "hit_rate": 1.0,
            "ndcg": 1.0,
            "bleu": 3 / 20,
            "click_precision": 3 / 20,
        },
        rel=1e-12,
    )


def test_no_hits_is_zero_everywhere():
    assert set(values(list(range(50, 70)), CORRECT).values()) == {0.0}


def test_a_perfect_slate_is_one_everywhere():
    for order in (CORRECT, CORRECT[::-1]):
        assert set(values(order, CORRECT, k=3).values()) == {1.0}


def test_an_empty_slate_is_zero_and_no_targets_is_nan():
    assert set(values([-1] * 4, CORRECT).values()) == {0.0}
    assert all(np.isnan(value) for value in values(CORRECT, [-1, -1]).values())


def test_ranks_by_hand():
    """Targets 5 and 6; shown 9, 5, 5, 6: a repeat keeps its rank, so 6 has rank 4."""
    generated, targets = np.array([[9, 5, 5, 6]]), np.array([[6, 5]])
    assert metrics.distinct_hits(generated, targets).tolist() == [[False, True, False, True]]
    assert metrics.precision_at(generated, targets, 3)[0] == pytest.approx(1 / 3)
    assert metrics.hit_rate_at(generated, targets, 1)[0] == 0
    ideal = 1 + 1 / np.log2(3)
    for k, gain, best in ((1, 0, 1), (3, 1 / np.log2(3), ideal), (4, 1 / np.log2(3), ideal)):
        gain += (k == 4) / np.log2(5)
        assert metrics.ndcg_at(generated, targets, k)[0] == pytest.approx(gain / best)


def test_bleu_counts_an_item_as_often_as_both_slates_have_it():
    generated, targets = np.array([[1, 1, 1, 2]]), np.array([[1, 1, 4, -1]])
    assert metrics.clipped_unigram_precision(generated, targets)[0] == 2 / 4
    assert metrics.click_precision(generated, targets)[0] == 1 / 4
    assert metrics.recall(generated, targets)[0] == 1 / 2  # of two different items


def slates(rng, rows=60, width=8, items=12):
    """Random slates with repeats; some are short, the rest is padding at the end."""
    length = rng.integers(0, width + 1, (rows, 1))
    return np.where(np.arange(width) < length, rng.integers(0, items, (rows, width)), -1)


METRICS = {
    "precision": lambda p, y: metrics.precision_at(p, y, 3),
    "recall": metrics.recall,
    "hit_rate": lambda p, y: metrics.hit_rate_at(p, y, 3),
    "ndcg": lambda p, y: metrics.ndcg_at(p, y, 3),
    "bleu": metrics.clipped_unigram_precision,
    "click_precision": metrics.click_precision,
}


@pytest.mark.parametrize("name", METRICS)
def test_padding_never_changes_a_metric(name):
    rng = np.random.default_rng(0)
    metric, generated, targets = METRICS[name], slates(rng), slates(rng)
    plain = metric(generated, targets)
    empty = np.full((60, 4), -1)
    wider = np.hstack([empty, generated, empty])
    scattered = np.full((60, 16), -1)
    scattered[:, 1::2] = generated
    for other in (wider, scattered):
        np.testing.assert_array_equal(metric(other, np.hstack([targets, empty])), plain)
    assert 0 < np.nanmean(plain) < 1
    assert np.nanmin(plain) >= 0
    assert np.nanmax(plain) <= 1


@pytest.mark.parametrize("name", METRICS)
def test_slates_are_independent_and_targets_have_no_order(name):
    rng = np.random.default_rng(1)
    metric, generated, targets = METRICS[name], slates(rng), slates(rng)
    plain = metric(generated, targets)
    alone = [metric(generated[m : m + 1], targets[m : m + 1])[0] for m in range(60)]
    np.testing.assert_array_equal(alone, plain)
    np.testing.assert_array_equal(metric(generated, targets[:, ::-1]), plain)


def test_ndcg_equals_that_of_ranking_values_if_all_targets_are_ranked():
    rng = np.random.default_rng(2)
    generated = np.argsort(rng.random((40, 9)), axis=1)
    clicks = rng.random((40, 9)) < 0.4
    targets = np.where(clicks, generated, -1)
    users, scores = np.repeat(np.arange(40), 9), np.tile(-np.arange(9.0), 40)
    expected = metrics.ranking_values(users, scores, clicks.ravel(), ["ndcg@4"])[0].per_user
    np.testing.assert_allclose(metrics.ndcg_at(generated, targets, 4), expected, rtol=1e-12)


def test_shapes_and_k_are_checked():
    with pytest.raises(ValueError, match=r"must be \(M, N\) and \(M, T\), got shapes \(2, 3\)"):
        metrics.recall(np.zeros((2, 3), dtype=int), np.zeros((3, 3), dtype=int))
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        metrics.precision_at(np.zeros((2, 3), dtype=int), np.zeros((2, 3), dtype=int), 0)
