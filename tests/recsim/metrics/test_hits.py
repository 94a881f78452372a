import math

import numpy as np
import pytest

from recsim.metrics import hit_counts, hit_rate, published_hit_rate

RECOMMENDED = np.array([[0, 1, 2], [0, 1, 2], [3, 4, 5]])
CLICKS = np.array([[9, 0, 0, 2], [9, 1, -1, 8], [-1, -1, -1, -1]])


def test_an_item_counts_once():
    assert hit_counts(RECOMMENDED, CLICKS).tolist() == [2, 1, 0]


def test_padding_hits_nothing():
    assert hit_counts(np.array([[-1, 3]]), np.array([[-1, -1]])).tolist() == [0]


def test_the_rate_is_over_possible_hits_and_users_who_click():
    # User 0 clicks 9, 0, 2: three possible hits; user 1 clicks 9, 1, 8; user 2 clicks nothing.
    assert hit_rate(RECOMMENDED, CLICKS) == pytest.approx((2 / 3 + 1 / 3) / 2)
    # One recommendation, two distinct clicks: only one hit is possible.
    assert hit_rate(np.array([[9]]), np.array([[9, 0]])) == 1.0
    assert math.isnan(hit_rate(RECOMMENDED[:1], CLICKS[2:]))


def test_published_rate_skips_the_step_itself_and_counts_every_user():
    # Of the clicks from step 2 on: 0 and 2 of user 0; nothing of the others.
    assert published_hit_rate(RECOMMENDED, CLICKS, step=1) == pytest.approx(2 / 3)
    assert published_hit_rate(RECOMMENDED, CLICKS, step=0) == pytest.approx((2 + 1) / 3)
