import numpy as np
import pytest

from recsim.log.readers.ratings import Ratings


@pytest.fixture
def ratings() -> Ratings:
    """Five ratings by three users, of whom the last gave none; two days apart."""
    return Ratings(
        user=np.array([1, 0, 0, 1, 0]),
        item=np.array([2, 0, 1, 0, 3]),
        rating=np.array([4.0, 3.5, 5.0, 1.0, 4.0]),
        seconds=np.array([10.0, 20.0, 15.0, 2 * 86_400 + 5.0, 2 * 86_400.0]),
        user_features=np.zeros((3, 0), dtype=np.float32),
        item_features=np.eye(4, dtype=np.float32),
        item_groups=np.array([0, 0, 1, 1]),
    )


def test_every_rating_is_a_slate_of_one_item_in_the_order_of_time(ratings):
    log = ratings.to_log()
    assert log.user.tolist() == [1, 0, 0, 0, 1]
    assert log.slate[:, 0].tolist() == [2, 1, 0, 3, 0]
    assert log.clicks[:, 0].tolist() == [1, 1, 0, 1, 0]
    assert log.feedback["rating"].tolist() == [4.0, 5.0, 3.5, 4.0, 1.0]
    assert log.reward.tolist() == [1, 1, 0, 1, 0]
    assert log.propensity is None


def test_a_day_is_a_session(ratings):
    log = ratings.to_log()
    assert log.day.tolist() == [0, 0, 0, 2, 2]
    assert log.session.tolist() == [0, 0, 0, 1, 1]
    assert log.step.tolist() == [0, 0, 1, 0, 0]


def test_the_threshold_is_inclusive(ratings):
    assert ratings.to_log(3.5).clicks.sum() == 4
    assert ratings.to_log(3.6).clicks.sum() == 3


def test_a_selection_keeps_users_and_items(ratings):
    some = ratings.select(ratings.rating > 4)
    assert (len(some), some.num_users, some.num_items) == (1, 3, 4)
    assert some.to_log().slate.tolist() == [[1]]
    assert ratings.seconds is not None
