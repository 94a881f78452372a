"""Sessions, tables of outcomes and errors, worked out by hand."""

import numpy as np
import pytest

from envs.learned.error import ModelError, click_errors, feedback_errors, return_errors
from envs.learned.outcomes import FeedbackValues, ReturnClasses, end_hazard
from envs.learned.sessions import Sessions, life_table
from recsim.log import SlateLog
from recsim.problem import Problem


def small_log(**columns):
    """Return a log: user 0 has two slates in session 0 and one three days later, user 1 has one."""
    feedback = {"click": [1.0, 0.0, 2.0, 0.0], "watch": [5.0, 1.0, 7.0, 1.0]}
    feedback["return"] = [0.0, 0.5, 0.0, 0.0]
    values = {
        "problem": Problem(
            num_items=4,
            slate_size=2,
            user_feature_dim=1,
            item_features=np.zeros((4, 1), dtype=np.float32),
            rewards={"click": 1.0, "watch": 0.0, "return": 0.0},
        ),
        "user": np.array([0, 0, 0, 1]),
        "session": np.array([0, 0, 1, 0]),
        "day": np.array([0, 0, 3, 9]),
        "step": np.array([0, 1, 0, 0]),
        "slate": np.array([[0, 1], [2, 3], [0, 2], [1, 3]]),
        "clicks": np.array([[1, 0], [0, 0], [1, 1], [0, 0]], dtype=np.int8),
        "feedback": {name: np.array(amount) for name, amount in feedback.items()},
        "user_features": np.zeros((2, 1), dtype=np.float32),
    }
    return SlateLog(**values | columns).validate()


def test_sessions_end_if_the_log_continues_for_the_window():
    sessions = Sessions.of(small_log(), window=6)
    assert sessions.step.tolist() == [0, 1, 0, 0]
    assert sessions.end.tolist() == [False, True, True, False]  # user 1 is censored on the last day
    assert sessions.gap.tolist() == [0, 3, 0, 0]
    assert sessions.before.tolist() == [0, 0, 3, 0]
    assert sessions.unseen.tolist() == [9, 9, 6, 0]
    assert Sessions.of(small_log(), window=7).end.tolist() == [False, True, False, False]


def test_sessions_do_not_depend_on_the_order_of_users_in_the_log():
    log = small_log()
    order = np.array([3, 0, 1, 2])  # rows of each user stay in order
    mixed = Sessions.of(log.select(order), window=6)
    for name, column in vars(Sessions.of(log, window=6)).items():
        assert getattr(mixed, name).tolist() == column[order].tolist()


def test_life_table_with_censoring():
    # At risk 4, 3 and 1; ends 1, 1 and 1; one is censored after two steps.
    durations, ended = np.array([1, 2, 2, 3]), np.array([True, True, False, True])
    assert life_table(durations, ended) == pytest.approx([1 / 4, 3 / 4 / 3, 3 / 4 * 2 / 3])
    assert life_table(np.array([0, 2]), np.array([False, True])).tolist() == [0.0, 1.0]


def test_end_hazard():
    # Sessions of lengths 2 and 1 ended.
    assert end_hazard(Sessions.of(small_log(), window=6)).tolist() == [0.5, 1.0]


def test_return_classes_are_the_values_of_the_log():
    returns = np.array([0.0, 0.5, 1.0, 1.0, 0.5, 0.0])
    gap = np.array([0, 2, 1, 1, 3, 0])
    classes = ReturnClasses.of(returns, gap, np.full(6, 9))
    assert classes.values.tolist() == [0.0, 0.5, 1.0]
    assert classes.classify(returns).tolist() == [0, 1, 2, 2, 1, 0]
    assert classes.gaps.tolist() == [[0, 0, 0], [0, 0.5, 0.5], [1, 0, 0]]
    probability = np.array([[0.2, 0.3, 0.5]] * 3)
    drawn, days = classes.draw(probability, np.array([[0.1, 0.9], [0.4, 0.9], [0.6, 0.9]]))
    assert drawn.tolist() == [0.0, 0.5, 1.0]
    assert days.tolist() == [0, 3, 1]


def test_many_returns_are_grouped_by_quantiles():
    returns = np.linspace(0.001, 1, 1000)
    classes = ReturnClasses.of(returns, np.ones(1000, dtype=np.int64), np.full(1000, 9))
    sizes = np.bincount(classes.classify(returns))
    assert len(sizes) == 16
    assert sizes[0] == 0
    assert sizes[1:].min() > 60
    assert (np.diff(classes.values) > 0).all()


def test_draws_have_the_frequencies_of_the_classes():
    classes = ReturnClasses.of(np.array([0.0, 0.5, 1.0]), np.array([0, 2, 1]), np.full(3, 9))
    chance = np.random.default_rng(0).random((20_000, 2))
    drawn, _ = classes.draw(np.tile([0.2, 0.3, 0.5], (20_000, 1)), chance)
    shares = [(drawn == value).mean() for value in (0.0, 0.5, 1.0)]
    assert shares == pytest.approx([0.2, 0.3, 0.5], abs=0.015)


def test_feedback_is_a_base_and_a_share_of_each_click():
    values = FeedbackValues.of(small_log(), smoothing=1.0)
    assert values.names == ("watch",)
    assert values.base.tolist() == [0.5]  # 2 for four items shown in slates without a click
    # Remaining after the base: 4 for the click on item 0, 6 for two clicks on items 0 and 2.
    mean = (4 + 3 + 3) / 3
    wanted = [(4 + 3 + mean) / 3, mean, (3 + mean) / 2, mean]
    assert values.of_click[0] == pytest.approx(wanted)
    expected = values.expected(np.array([[0, -1], [2, 1]]), np.array([[1, 1], [0, 0]]))
    assert expected[:, 0] == pytest.approx([0.5 + wanted[0], 1.0])
    assert values.payoff({"click": 2.0, "watch": 1.0}) == pytest.approx(np.add(wanted, 2.0))


def test_errors_of_clicks_by_hand():
    clicked = np.array([1.0, 0.0])
    errors = click_errors(np.array([0.8, 0.4]), clicked, 0.5, np.array([0.5, 0.25]))
    assert errors["click_log_loss"] == pytest.approx(-(np.log(0.8) + np.log(0.6)) / 2)
    assert errors["click_log_loss_base"] == pytest.approx(np.log(2))
    assert errors["click_log_loss_popularity"] == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)
    assert errors["click_auc"] == 1
    assert errors["click_rate"] == 0.5


def test_errors_of_returns_by_hand():
    errors = return_errors(
        np.array([[0.5, 0.5], [0.25, 0.75]]),
        np.array([0, 1]),
        np.array([0.0, 1.0]),
        np.array([0.0, 1.0]),
        np.array([0.5, 0.5]),
    )
    assert errors["return_mae"] == pytest.approx((0.5 + 0.25) / 2)
    assert errors["return_mae_base"] == 0.5
    assert errors["return_log_loss"] == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)
    assert errors["never_share"] == 0.5
    assert errors["never_predicted"] == pytest.approx(0.375)


def test_errors_of_feedback_are_1_for_the_mean():
    observed = np.array([[1.0], [3.0]])
    assert feedback_errors(("watch",), np.full((2, 1), 2.0), observed) == {"watch": 1.0}
    assert feedback_errors(("watch",), observed, observed) == {"watch": 0.0}


def test_errors_as_numbers_and_back():
    error = ModelError(users_tested=3, click_ece=0.1, feedback={"watch": 0.5})
    assert error.numbers() == {
        "users_fitted": 0.0,
        "users_calibrated": 0.0,
        "users_tested": 3.0,
        "click_ece": 0.1,
        "feedback_watch": 0.5,
    }
    table = ((0.1, 0.2, 3),)
    there = ModelError(click_table=table)
    assert ModelError.from_dict(there.to_dict()).click_table == table
