"""Return scores, worked by hand."""

import numpy as np
import pytest

from recsim import metrics


def test_classes_are_days():
    assert metrics.return_class(np.arange(8) / 7).tolist() == list(range(8))
    assert metrics.return_class([0.07, 0.08, 1.0]).tolist() == [0, 1, 7]
    for wrong in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match=r"must be in \[0, 1\]"):
            metrics.return_class([0.5, wrong])


def test_similarity_score_by_hand():
    """Classes 7, 7, 0, 3 with similarities 1, .5, .25, 1."""
    similarity, returns = np.array([1, 0.5, 0.25, 1]), np.array([1, 1, 0, 3 / 7])
    score = metrics.similarity_return_score(similarity, returns)
    by_class = 0.75 * 3.5 * 2 + 0.25 * -3.5 * 1 + 1.0 * -0.5 * 1  # s_k (k - 3.5) N_k
    assert score.total == pytest.approx(by_class) == pytest.approx(3.875)
    assert score.mean == pytest.approx(3.875 / 4)
    assert score.sessions == 4


def test_similarity_to_slates_without_returns_lowers_the_score():
    alike = np.ones(5)
    assert metrics.similarity_return_score(alike, np.zeros(5)).mean == -3.5
    assert metrics.similarity_return_score(alike, np.ones(5)).mean == 3.5
    assert metrics.similarity_return_score(0 * alike, np.ones(5)).total == 0


def test_sessions_without_a_similarity_do_not_count():
    similarity = np.array([1.0, np.nan])
    score = metrics.similarity_return_score(similarity, np.array([1.0, 0.0]))
    assert score == (3.5, 3.5, 1)
    empty = metrics.similarity_return_score([], [])
    assert (empty.total, empty.sessions) == (0, 0)
    assert np.isnan(empty.mean)


def test_improvement_is_relative_to_the_log():
    """The published pairs of MB-URS and IUR over a logged mean of 4.80 days."""
    published = {6.05: 26.0, 5.63: 17.3, 5.41: 12.7, 5.16: 7.5, 5.68: 18.3, 5.79: 20.6, 5.96: 24.2}
    for score, improvement in published.items():
        result = 100 * metrics.return_improvement([score], [4.80])
        assert result == pytest.approx(improvement, abs=0.05)
    assert metrics.mean_predicted_return([0.2, 0.6]) == pytest.approx(0.4)
    assert np.isnan(metrics.return_improvement([0.5], [0.0]))
    assert np.isnan(metrics.mean_predicted_return([]))


def test_users_who_never_return():
    users = np.array([4, 4, 9, 9, 2])
    predicted = np.array([0.0, 0.04, 0.0, 1.0, 0.1])
    assert metrics.never_returning_share(users, predicted) == pytest.approx(1 / 3)
    assert metrics.never_returning_share(users, np.zeros(5)) == 1
    assert np.isnan(metrics.never_returning_share([], []))
