import math

import numpy as np
import pytest

from recsim.metrics import pairwise_distance

VECTORS = np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])


def test_mean_over_pairs_then_over_slates():
    # 5, 10, 5 in the first slate; 5 in the second.
    items = np.array([[0, 1, 2], [0, 1, -1]])
    assert pairwise_distance(items, VECTORS) == pytest.approx((20 / 3 + 5) / 2)


def test_a_slate_without_a_pair_does_not_count():
    assert pairwise_distance(np.array([[0, -1], [0, 1]]), VECTORS) == 5.0
    assert math.isnan(pairwise_distance(np.array([[0, -1], [-1, -1]]), VECTORS))
