import math

import numpy as np
import pytest

from recsim.errors import UserError
from recsim.log import SlateLog
from recsim.problem import Problem
from recsim.settings import validated
from recsim.trials.holdout import HoldoutSpec, held_out_rows, next_slate_metrics


def small_log() -> SlateLog:
    """Two sessions of slates of three: [1, 2] with 2 clicked, and [3] without a click."""
    return SlateLog(
        problem=Problem(
            num_items=5,
            slate_size=3,
            rewards={"click": 1.0, "return": 0.0},
        ),
        user=np.array([0, 1]),
        session=np.zeros(2, dtype=np.int64),
        day=np.zeros(2, dtype=np.int64),
        step=np.zeros(2, dtype=np.int64),
        slate=np.array([[1, 2, -1], [3, -1, -1]]),
        clicks=np.array([[0, 1, 0], [0, 0, 0]], dtype=np.int8),
        feedback={"click": np.array([1.0, 0.0]), "return": np.array([1.0, 0.0])},
        user_features=np.zeros((2, 0), dtype=np.float32),
    ).validate()


GENERATED = np.array([[2, 0, 1], [0, 1, 3]])


def test_metrics_worked_by_hand():
    metrics = next_slate_metrics(GENERATED, small_log(), HoldoutSpec(cutoffs=(1, 3)), 2)
    best = 1 + 1 / math.log2(3)
    assert metrics == pytest.approx(
        {
            "hit_rate@1": 1 / 2,
            "ndcg@1": 1 / 2,
            "precision@1": 1 / 2,
            "hit_rate@3": 1,
            "ndcg@3": (1.5 / best + 0.5) / 2,
            "precision@3": (2 / 3 + 1 / 3) / 2,
            "recall@3": 1,
            # Two thirds of the slate after which the user came back on both days (class 2, worth
            # 1), one third of the one after which on neither (class 0, worth -1).
            "return_score": (2 / 3 - 1 / 3) / 2,
        }
    )


def test_rows_where_nothing_was_clicked_do_not_count():
    spec = HoldoutSpec(cutoffs=(3,), target="clicked")
    metrics = next_slate_metrics(GENERATED, small_log(), spec, None)
    assert metrics == pytest.approx(
        {"hit_rate@3": 1, "ndcg@3": 1, "precision@3": 1 / 3, "recall@3": 1}
    )
    unclicked = small_log().select([1])
    assert all(map(math.isnan, next_slate_metrics(GENERATED[1:], unclicked, spec, None).values()))


def test_the_logged_slates_are_perfect():
    log = small_log()
    metrics = next_slate_metrics(log.slate, log, HoldoutSpec(cutoffs=(3,)), 2)
    assert metrics["recall@3"] == metrics["ndcg@3"] == metrics["hit_rate@3"] == 1
    assert metrics["precision@3"] == pytest.approx((2 / 3 + 1 / 3) / 2)  # padding never counts


def test_users_are_held_out_whole():
    user = np.random.default_rng(0).integers(0, 50, 400)
    held_out = held_out_rows(user, 0.2, seed=3)
    assert not set(user[held_out]) & set(user[~held_out])
    assert len(np.unique(user[held_out])) == 10
    assert (held_out_rows(user, 0.2, seed=3) == held_out).all()
    assert (held_out_rows(user, 0.2, seed=4) != held_out).any()


def test_somebody_is_on_either_side():
    for share in (0.01, 0.99):
        assert 0 < held_out_rows(np.array([4, 9, 4, 9]), share, seed=0).sum() < 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"users": 1.0}, r"holdout.users: must be less than 1"),
        ({"cutoffs": [10, 5]}, r"holdout.cutoffs: must be in ascending order"),
        ({"cutoffs": [0]}, r"holdout.cutoffs.0: must be greater than 0"),
        ({"target": "liked"}, r"holdout.target: must be 'shown' or 'clicked'"),
        ({"cutoff": [1]}, r"holdout.cutoff: unknown key.*'cutoffs'"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        validated(HoldoutSpec, settings, "holdout")
