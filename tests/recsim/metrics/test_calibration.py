"""Calibration, worked by hand and checked against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as reference

from recsim.metrics.calibration import auc, calibration_error, calibration_table, log_loss


def test_log_loss_by_hand_and_at_the_edge():
    assert log_loss([0.5, 0.25], [1, 0]) == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)
    assert log_loss([1.0], [0]) == pytest.approx(-np.log(1e-12), rel=1e-3)
    assert np.isnan(log_loss([], []))


def test_table_and_error_by_hand():
    predicted, observed = [0.1, 0.1, 0.1, 0.9], [0, 0, 1, 1]
    table = calibration_table(predicted, observed, bins=2)
    assert table["predicted"].tolist() == pytest.approx([0.3])  # three of four are equal
    table = calibration_table([0.1, 0.2, 0.8, 0.9], observed, bins=2)
    assert table["predicted"].tolist() == pytest.approx([0.15, 0.85])
    assert table["observed"].tolist() == [0.0, 1.0]
    assert calibration_error([0.1, 0.2, 0.8, 0.9], observed, bins=2) == pytest.approx(0.15)
    assert np.isnan(calibration_error([], []))


def test_true_probabilities_are_calibrated_and_shifted_ones_are_not():
    rng = np.random.default_rng(0)
    truth = rng.random(40_000)
    outcome = rng.random(40_000) < truth
    assert calibration_error(truth, outcome) < 0.01
    assert calibration_error(np.minimum(truth + 0.1, 1), outcome) > 0.08
    assert calibration_error(truth, truth) == pytest.approx(0, abs=1e-12)


def test_auc_is_that_of_scikit_learn_with_ties():
    rng = np.random.default_rng(1)
    score, outcome = rng.integers(0, 9, 500), rng.random(500) < 0.4
    assert auc(score, outcome) == pytest.approx(reference.roc_auc_score(outcome, score))
    assert auc([1, 1], [0, 1]) == 0.5
    assert np.isnan(auc([1, 2], [1, 1]))
